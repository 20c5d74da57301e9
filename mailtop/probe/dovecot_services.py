"""Dovecot's services against their limits: at `process_limit` the master drops whoever connects."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from mailtop.model.ask import Asking, Command
from mailtop.model.board import Line
from mailtop.model.health import Health
from mailtop.model.sample import Sample
from mailtop.model.text import Foreign, shown
from mailtop.model.topology import Role, Target
from mailtop.parse import dovecot
from mailtop.parse.dovecot import Service
from mailtop.probe import Board, Found, Metric, Needs, Probe, Table

LINES = 30
QUEUED = frozenset({b"indexer-worker"})  # the indexer gives it no more work than its limit: being busy is its job

BUSY = Metric(
    "dovecot_service_processes_ratio",
    "busy",
    "%",
    0.70,
    0.90,
    means="processes without room for a further client, of process_limit: at 100 % clients are dropped",
)
DROPPED = Metric(
    "dovecot_service_drop_age_seconds",
    "last drop",
    "s",
    3600.0,
    300.0,
    falls=True,
    means="since the service last dropped clients (process_limit reached)",
)
THROTTLED = Metric(
    "dovecot_service_throttle_seconds",
    "throttled",
    "s",
    1.0,
    16.0,
    means="a service that fails at its start is started again only after so long",
)


def run(target: Target) -> Asking[Iterable[Found]]:  # noqa: ARG001 — the same question to all
    """Ask for all services; for the time only where one has dropped clients, which is told as a time."""
    services = dovecot.services((yield Command(("doveadm", "-f", "tab", "service", "status"))))
    now = 0
    if any(service.dropped for service in services):
        now = dovecot.number("date", (yield Command(("date", "+%s"))).ok("date").strip())
    return tuple(_read(services, now))


def _read(services: list[Service], now: int) -> Iterator[Found]:
    """Yield what is in use or not well, and a table of it, the troubled and the busiest first."""
    told = sorted(filter(_matters, services), key=lambda one: (not (one.dropped or one.throttled), -one.busy, one.name))
    for service in told:
        name = (("service", shown(Foreign(service.name), 40)),)
        yield Sample(BUSY.name, round(service.busy, 4), name)
        yield Sample("dovecot_service_clients_waiting", service.pending, name)
        if service.dropped:
            yield Sample(DROPPED.name, max(0, now - service.dropped), name)
        if service.throttled:
            yield Sample(THROTTLED.name, service.throttled, name)
    lines = tuple(_line(service, now) for service in told[:LINES])
    yield Table("services in use", ("service", ">busy", ">processes", ">limit", "state"), lines, len(told))


def _matters(service: Service) -> bool:
    """Is it in use and can it fill up? Those of which there is one only once that one has no room for a client."""
    if service.dropped or service.throttled:
        return True
    if service.name in QUEUED or not service.processes:
        return False
    return service.limit > 1 or (service.clients > 1 and service.busy >= 1)


def _line(service: Service, now: int) -> Line:
    age = now - service.dropped if service.dropped else float("inf")
    states = (
        (b"dropped clients", DROPPED.health(age)),
        (b"fails to start", THROTTLED.health(service.throttled)),
        (b"clients wait", Health.WARN if service.pending and service.busy >= 1 else Health.OK),
    )
    healths = {BUSY.health(service.busy), *(health for _, health in states)}
    worst = next((health for health in (Health.CRIT, Health.WARN) if health in healths), Health.OK)
    cells = (
        service.name,
        b"%.0f %%" % (100 * service.busy),
        b"%d" % service.processes,
        b"%d" % service.limit,
        b", ".join(word for word, health in states if health is not Health.OK) or b"ok",
    )
    return Line(tuple(map(Foreign, cells)), worst)


BOARD = Board("sessions", "services", (BUSY, DROPPED, THROTTLED), order=15)

PROBE = Probe(
    "dovecot_services",
    Role.IMAP,
    run,
    every=15.0,
    needs=Needs(binary=("doveadm",), root=True, sudo="doveadm"),
    board=BOARD,
)
