"""How busy an nginx is, and whether it turns connections away: its own `stub_status`, at /nginx_status."""

from __future__ import annotations

from collections.abc import Iterator

from mailtop.model.ask import Answer, Command
from mailtop.model.sample import Fact, Kind, Sample
from mailtop.model.topology import Role
from mailtop.parse import stub_status
from mailtop.probe import Board, Found, Metric, Needs, Poll

ASK = Command(("curl", "-sSfi", "-m", "5", "http://127.0.0.1/nginx_status"))


def read(answer: Answer) -> Iterator[Found]:
    """Yield what it tells; accepted and not handled are those that worker_connections had no room for."""
    status = stub_status.read(answer.ok("nginx_status"))
    yield Sample("nginx_connections_active", status.active)
    yield Sample("nginx_connections_waiting", status.waiting)
    yield Sample("nginx_connections_accepted_total", status.accepted, kind=Kind.TOTAL)
    yield Sample("nginx_connections_handled_total", status.handled, kind=Kind.TOTAL)
    yield Sample("nginx_connections_dropped_total", max(status.accepted - status.handled, 0), kind=Kind.TOTAL)
    yield Sample("nginx_http_requests_total", status.requests, kind=Kind.TOTAL)
    if status.version:
        yield Fact("nginx", status.version)


BOARD = Board(
    "hosts",
    "proxy",
    (
        Metric("nginx_connections_active", "connections", means="open connections of clients, idle ones included"),
        Metric("nginx_connections_waiting", "idle", means="connections that are kept open for a next request"),
        Metric("nginx_http_requests_total", "requests", means="requests of clients"),
        Metric("nginx_connections_accepted_total", "accepted", means="connections that clients made"),
        Metric(
            "nginx_connections_dropped_total",
            "dropped",
            warn=0.001,
            crit=1.0,
            means="connections that were turned away: worker_connections or open files are used up",
        ),
    ),
    order=55,
)

PROBE = Poll("nginx_status", Role.PROXY, ASK, read, every=30.0, needs=Needs(binary=("nginx", "curl")), board=BOARD)
