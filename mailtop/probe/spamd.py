"""spamd: does it answer, how many of its children are busy, how old its rules are.

Not asked: Bayes' counts. `sa-learn --dump magic` takes a second of CPU and makes a folder in its user's home.
"""

from __future__ import annotations

from collections.abc import Iterator

from mailtop.model.ask import Answer, Command
from mailtop.model.errors import Missing, ParseError
from mailtop.model.sample import Fact, Sample
from mailtop.model.text import Foreign, shown
from mailtop.model.topology import Role
from mailtop.parse.spamd import most_children, sockets
from mailtop.probe import Board, Found, Metric, Needs, Poll

# A dead process that nobody waits for has no command line. What is connected is looked at before the PING, which is a
# connection of its own, and a line of spamd's log.
_SCRIPT = r"""echo "now $(date +%s)"
n=0
for f in $(grep -slx -e spamd -e 'spamd child' /proc/[0-9]*/comm); do
    t=; { read -r t <"${f%/comm}/cmdline"; } 2>/dev/null
    case $t in
        '') ;;
        'spamd child'*) n=$((n + 1)) ;;
        *) echo "args $(tr '\0' ' ' <"${f%/comm}/cmdline")" ;;
    esac
done
echo "children $n"
stat -c 'rules %Y' /var/lib/spamassassin/*/updates_spamassassin_org.cf 2>/dev/null
grep -shE '^ *[0-9]+: [0-9A-F]+:030F [0-9A-F:]+ (01|08|0A) ' /proc/net/tcp /proc/net/tcp6
spamc -K -l -t 3 --connect-retries=1
echo "ping $?" """


def read(answer: Answer) -> Iterator[Found]:
    """Yield what is known. One that runs, and listens elsewhere than on port 783, is not known to be up or down."""
    lines = answer.ok("spamd").splitlines()
    told = dict(line.split(b" ", 1) for line in lines if line.split(b" ", 1)[0] in _NUMBERS and b" " in line)
    if any(not told.get(name, b"").strip().isdigit() for name in _NUMBERS):
        raise ParseError("spamd", f"not what was asked: {shown(Foreign(answer.stdout), 80)!r}")
    if told[b"ping"] in (b"126", b"127"):
        raise Missing("spamc", "not in PATH")
    args = next((line[5:] for line in lines if line.startswith(b"args ")), None)
    seen = sockets(lines)
    up = told[b"ping"] == b"0" and any(line.startswith(b"SPAMD/") for line in lines)
    if up or seen.listens or args is None:
        yield Sample("spamd_up", int(up))
    else:
        raise ParseError("spamd", "runs, and does not listen on TCP port 783; it is asked nowhere else")
    if args is not None:
        yield Sample("spamd_children", int(told[b"children"]))
        if seen.listens:
            yield Sample("spamd_children_busy", seen.taken)
            yield Sample("spamd_connections_waiting", seen.wait)
        if most := most_children(args):
            yield Sample("spamd_children_max", most)
            if seen.listens:
                yield Sample("spamd_busy_ratio", round(seen.taken / most, 4))
    rules = [int(line[6:]) for line in lines if line.startswith(b"rules ") and line[6:].isdigit()]
    if rules:
        yield Sample("spamassassin_rules_age_seconds", max(0, int(told[b"now"]) - max(rules)))
    else:
        yield Fact("rules", "none from sa-update")


_NUMBERS = (b"now", b"children", b"ping")

BOARD = Board(
    "filter",
    "spamd",
    (
        Metric("spamd_up", "answers", crit=0.0, falls=True, means="1: spamd answers PING within 3 s"),
        Metric("spamd_busy_ratio", "busy", "%", 0.8, 1.0, means="children with a connection, of as many as may be"),
        Metric("spamd_connections_waiting", "waiting", means="connections that no child took yet, given up ones too"),
        Metric("spamd_children", "children", means="children that run"),
        Metric("spamd_children_busy", "busy children", means="children that have a connection"),
        Metric(
            "spamassassin_rules_age_seconds",
            "rules' age",
            "s",
            604_800,
            1_209_600,
            means="since sa-update had new ones",
        ),
    ),
    order=40,
)

PROBE = Poll(
    "spamd",
    Role.ANTISPAM,
    Command(("sh", "-c", _SCRIPT)),
    read,
    every=60.0,
    needs=Needs(binary=("spamc",)),
    board=BOARD,
)
