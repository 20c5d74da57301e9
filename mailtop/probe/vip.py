"""Which addresses does the host hold, and which may keepalived give it?

The addresses that the kernel has are the truth; keepalived's own files about its state may be old, or half written.
Of keepalived.conf only the lines that matter leave the host: it holds a password.
"""

from __future__ import annotations

from collections.abc import Iterator

from mailtop.model.ask import Answer, Command
from mailtop.model.errors import ParseError
from mailtop.model.sample import Fact, Sample
from mailtop.model.text import Foreign, shown
from mailtop.parse import keepalived
from mailtop.probe import Board, Found, Metric, Needs, Poll

# keepalived may run in a container, with its configuration there; one of another network is none of this host's.
# Who may not see all processes says nothing of it.
SCRIPT = r"""
PATH=$PATH:/usr/sbin:/sbin
ip -o addr || exit
conf=/etc/keepalived/keepalived.conf
comm=
for one in $(grep -slx keepalived /proc/[0-9]*/comm); do
    net=$(readlink "${one%comm}ns/net")
    case $net in ''|"$(readlink /proc/self/ns/net)") comm=$one; break;; esac
done
if [ -n "$comm" ]; then echo '= runs'; elif [ -e $conf ] && [ -r /proc/1/comm ]; then echo '= stopped'; fi
if [ -n "$comm" ] && [ -r "${comm%comm}root$conf" ]; then conf=${comm%comm}root$conf; fi
if [ -r "$conf" ]; then
    echo '= conf'
    sed -nE -e '/auth_pass/d' -e '/^[[:space:]]*(state|priority)[[:space:]]/p' -e '/virtual_ipaddress/,/\}/p' "$conf"
elif [ -e "$conf" ]; then
    echo '= denied'
fi
echo '= end'
"""


def read(answer: Answer) -> Iterator[Found]:
    """Yield the addresses, and of keepalived, where there is one, whether it runs and what it is for."""
    said = answer.ok("ip")
    if answer.cut or not said.endswith(b"= end\n"):
        raise ParseError("ip", f"broke off: {shown(Foreign(said[-80:]), 80)!r}")
    above, conf, lines = said.partition(b"\n= conf\n")
    head = above.splitlines()
    yield Fact("addresses", " ".join(keepalived.held(above)))
    if b"= runs" in head or b"= stopped" in head:
        yield Sample("keepalived_up", float(b"= runs" in head))
    if b"= denied" in head:
        yield Fact("keepalived.conf", "not readable")
    if not conf:
        return
    wanted = keepalived.vrrp(lines)
    for name, value in (
        ("VIP", " ".join(wanted.addresses)),
        ("begins as", wanted.state),
        ("priority", wanted.priority),
    ):
        if value:
            yield Fact(name, value)
    if not wanted.addresses:
        yield Fact("keepalived.conf", "names no address that could be read")


BOARD = Board(
    "replication",
    "addresses",
    (
        Metric(
            "keepalived_up",
            "keepalived",
            warn=0.0,
            falls=True,
            means="1: it runs; 0: it is configured and does not run, so this host takes no VIP over",
        ),
    ),
    order=5,
    aside=False,
)

PROBE = Poll("vip", None, Command(("sh", "-c", SCRIPT)), read, every=10.0, needs=Needs(binary=("sh",)), board=BOARD)
