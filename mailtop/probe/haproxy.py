"""What HAProxy says of its backends and sessions, over its stats socket."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from mailtop.model.ask import Answer, Command
from mailtop.model.board import Line
from mailtop.model.errors import Missing
from mailtop.model.health import Health
from mailtop.model.sample import Fact, Kind, Labels, Sample
from mailtop.model.text import Foreign, shown
from mailtop.model.topology import Role
from mailtop.parse.haproxy import BACKEND, FRONTEND, Stat, stats
from mailtop.probe import Board, Found, Metric, Needs, Poll, Table

MOST = 50  # lines of a table, and backends with figures

# The sockets that its configuration names, then where distributions place it.
SCRIPT = r"""
command -v haproxy >/dev/null || [ -x /usr/sbin/haproxy ] || { echo '= no HAProxy'; exit 0; }
named=$(sed -nE 's/^[[:space:]]*stats[[:space:]]+socket[[:space:]]+(unix@)?([^[:space:]]+).*/\2/p' \
    /etc/haproxy/*.cfg /usr/local/etc/haproxy/*.cfg 2>/dev/null)
for socket in $named /run/haproxy/admin.sock /var/lib/haproxy/stats /var/run/haproxy.sock; do
    [ -S "$socket" ] || continue
    if command -v socat >/dev/null; then echo 'show stat' | socat -t 5 - "UNIX-CONNECT:$socket"; exit; fi
    if command -v nc >/dev/null; then echo 'show stat' | nc -w 5 -U "$socket"; exit; fi
    echo '= no socat and no nc'; exit 0
done
echo '= no stats socket'
"""


def read(answer: Answer) -> Iterator[Found]:
    """Yield sessions and states; only that it is down where nobody listens on its socket."""
    if b"onnection refused" in answer.stderr:
        yield Sample("haproxy_up", 0)
        return
    said = answer.ok("haproxy", "let the user of mailtop into the group of its stats socket")
    if said == b"= no HAProxy\n":
        yield Fact("HAProxy", "no HAProxy")
        return
    if said.startswith(b"= "):
        raise Missing("haproxy", Foreign(said[2:].strip()))
    told = tuple(stats(said))
    yield Sample("haproxy_up", 1)
    for one in told:
        if one.name == FRONTEND:
            yield from _sessions(one, (("frontend", shown(one.proxy, 40)),))
    backends = [one for one in told if one.name == BACKEND]
    for one in backends[:MOST]:
        servers = [other for other in told if other.proxy == one.proxy and other.name not in (FRONTEND, BACKEND)]
        labels: Labels = (("backend", shown(one.proxy, 40)),)
        if servers:  # a backend without one answers by itself, the statistics' own page
            yield Sample("haproxy_backend_up", float(one.works), labels)
            yield Sample("haproxy_servers_down", sum(not other.works for other in servers), labels)
            for other in servers:
                if other.limit:
                    yield from _sessions(other, (*labels, ("server", shown(other.name, 40))))
    servers = [one for one in told if one.name not in (FRONTEND, BACKEND)]
    servers.sort(key=lambda one: one.works)  # what is down first: it must not be cut off
    yield Table(
        "servers", ("backend", "server", "state", "check", ">sessions"), tuple(_lines(servers[:MOST])), len(servers)
    )


def _sessions(one: Stat, labels: Labels) -> Iterator[Sample]:
    yield Sample("haproxy_sessions", one.sessions, labels)
    if one.limit:
        yield Sample("haproxy_sessions_ratio", round(one.sessions / one.limit, 4), labels)
    if one.total is not None:
        yield Sample("haproxy_sessions_total", one.total, labels, Kind.TOTAL)


def _lines(servers: Sequence[Stat]) -> Iterator[Line]:
    for one in servers:
        well = one.status in (b"UP", b"no check")
        cells = (one.proxy, one.name, one.status, one.check, Foreign(b"%d" % one.sessions))
        yield Line(cells, Health.OK if well else Health.WARN)


BOARD = Board(
    "replication",
    "balancer",
    (
        Metric("haproxy_up", "up", crit=0.0, falls=True, means="1: it answers; 0: nobody listens on its stats socket"),
        Metric("haproxy_backend_up", "works", crit=0.0, falls=True, means="1: a server of the backend is up; 0: none"),
        Metric("haproxy_servers_down", "down", warn=1.0, means="servers of the backend that are not used"),
        Metric("haproxy_sessions_ratio", "in use", "%", 0.80, 0.95, means="sessions, of their limit"),
        Metric("haproxy_sessions", "sessions", means="open sessions"),
        Metric("haproxy_sessions_total", "connections", means="sessions that clients made"),
    ),
    order=8,
)

PROBE = Poll(
    "haproxy", Role.PROXY, Command(("sh", "-c", SCRIPT)), read, every=15.0, needs=Needs(binary=("sh",)), board=BOARD
)
