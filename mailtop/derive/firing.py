"""What is wrong now, in whole lines: hosts that do not answer, containers that do not run, hops that fail.

The figures' own health is all there is to it; rules with durations of their own are the business of `alert`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from mailtop.model.destination import Standing
from mailtop.model.snapshot import Alert, Health, HopState, HostState, Link, LogState, TargetState
from mailtop.model.topology import Hop

GAP_TOLD = 600.0  # seconds for which a hole in a log is worth an alarm; its figure stays

_MINUTE = 60.0


def firing(
    hosts: Sequence[HostState],
    targets: Sequence[TargetState],
    logs: Sequence[LogState],
    hops: Sequence[HopState],
    known: Mapping[tuple[str, str], float],
    now: float,
    destinations: Sequence[Standing] = (),
    measured: Sequence[Alert] = (),
) -> tuple[Alert, ...]:
    """Return what fires, worst first. `known`: since when each (rule, target) fires that did already.

    `measured`: what fires by its own figure.
    """
    down = {host.name for host in hosts if host.link is Link.DOWN}
    found = [
        *_hosts(hosts),
        *_clocks(hosts),
        *(alert for alert in _targets(targets) if alert.target.partition("/")[0] not in down),
        *(alert for alert in _logs(logs, now) if alert.target.partition("/")[0] not in down),
        *_hops(hops),
        *_destinations(destinations, now),
        *measured,
    ]
    dated = [
        Alert(
            one.rule, one.target, one.health, known.get((one.rule, one.target), one.since or now), one.summary, one.see
        )
        for one in found
    ]
    return tuple(sorted(dated, key=lambda alert: (alert.health is not Health.CRIT, alert.since)))


def _hosts(hosts: Iterable[HostState]) -> Iterable[Alert]:
    for host in hosts:
        if host.link is Link.DOWN:
            yield Alert("HostDown", host.name, Health.CRIT, host.since, host.note or f"{host.name}: no connection")


def _clocks(hosts: Iterable[HostState]) -> Iterable[Alert]:
    for host in hosts:
        if host.clock is not Health.OK:
            way = "ahead" if host.ahead > 0 else "behind"
            yield Alert(
                "ClockSkew", host.name, host.clock, 0.0, f"{host.name}'s clock is {abs(host.ahead):.0f} s {way}"
            )


def _targets(targets: Iterable[TargetState]) -> Iterable[Alert]:
    for target in targets:
        if target.roles and target.health in (Health.CRIT, Health.WARN):
            yield Alert("ContainerNotRunning", target.name, target.health, 0.0, f"{target.name} is {target.state}")


def _logs(logs: Iterable[LogState], now: float) -> Iterable[Alert]:
    for log in logs:
        if log.health is Health.DENIED:
            yield Alert("LogNotRead", log.target, Health.WARN, 0.0, log.note or f"{log.target}: log denied")
        elif log.gap and now - log.gap_at < GAP_TOLD:
            why = f"{log.target}: {log.gap:.0f} s of its log are gone"
            yield Alert("LogNotRead", log.target, Health.WARN, log.gap_at, why)
        elif log.lost and now - log.gap_at < GAP_TOLD:
            why = f"{log.target}: {log.lost:,} lines of its log were not kept there"
            yield Alert("LogNotRead", log.target, Health.WARN, log.gap_at, why)


def _destinations(destinations: Iterable[Standing], now: float) -> Iterable[Alert]:
    """What an act has left half-way, and what should have been lifted by now: nothing lifts it by itself."""
    for one in destinations:
        where = f"{one.target} {one.domain}".strip()
        if one.half_way:
            said = (
                f"{one.target}: {one.words}{f', by {one.by}' if one.by else ''}: finish or restore it (:destinations)"
            )
            yield Alert("DestinationHalfWay", where, Health.WARN, one.at, said)
        elif one.overdue(now):
            late = (now - one.until) / _MINUTE
            said = (
                f"{one.target}: {one.words} by {one.by}, {late:.0f} min longer than meant: restore it (:destinations)"
            )
            yield Alert("DestinationOverdue", where, Health.WARN, one.until, said)


def _hops(hops: Iterable[HopState]) -> Iterable[Alert]:
    for hop in hops:
        if hop.hop is Hop.SEARCH:
            continue  # its figures are alerts of their own
        where = ", ".join(host for host, health in hop.hosts if health in (Health.WARN, Health.CRIT))
        cause = f": {hop.failing}" if hop.failing else ""
        for rule, reading, said in (
            ("HopWithoutSuccess", hop.last_success, ""),
            ("HopOld", hop.oldest, "the oldest has waited {:.0f} min"),
            (
                "HopDeferred",
                hop.deferred,
                f"{hop.deferred.value or 0:.0f} deferred, {hop.growth.value or 0:+.0f} in 10 min",
            ),
        ):
            if reading.health in (Health.WARN, Health.CRIT):
                words = reading.note if not said else said.format((reading.value or 0.0) / _MINUTE)
                target = f"{hop.hop} {where}".strip()
                yield Alert(rule, target, reading.health, 0.0, f"{hop.hop}: {words}{cause}", "queue")
