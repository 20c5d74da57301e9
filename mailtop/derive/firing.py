"""What is wrong now, in whole lines: hosts that do not answer, containers that do not run, hops that fail.

The figures' own health is all there is to it; rules with durations of their own are the business of `alert`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from msgspec.structs import replace

from mailtop.derive.hops import OLD_CRIT, OLD_WARN, QUEUE_CRIT, QUEUE_WARN, WITHOUT_SUCCESS
from mailtop.model.destination import Standing
from mailtop.model.snapshot import SKEW_CRIT, SKEW_WARN, Alert, Health, HopState, HostState, Link, LogState, TargetState
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
    """Return what fires, worst first. `known`: since when each fires that did already, by its key.

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
    dated = [replace(one, since=known.get(one.key, one.since or now)) for one in found]
    return tuple(sorted(dated, key=lambda alert: (alert.health is not Health.CRIT, alert.since)))


def _hosts(hosts: Iterable[HostState]) -> Iterable[Alert]:
    for host in hosts:
        if host.link is Link.DOWN:
            said = host.note or f"{host.name}: no connection"
            yield Alert("HostDown", host.name, Health.CRIT, host.since, said, "hosts")


def _clocks(hosts: Iterable[HostState]) -> Iterable[Alert]:
    for host in hosts:
        if host.clock is not Health.OK:
            way = "ahead" if host.ahead > 0 else "behind"
            value, limit = f"{abs(host.ahead):.0f} s", SKEW_CRIT if host.clock is Health.CRIT else SKEW_WARN
            said = f"{host.name}'s clock is {value} {way}"
            yield Alert("ClockSkew", host.name, host.clock, 0.0, said, "hosts", value, f"> {limit:.0f} s")


def _targets(targets: Iterable[TargetState]) -> Iterable[Alert]:
    for target in targets:
        if target.roles and target.health in (Health.CRIT, Health.WARN):
            said = f"{target.name} is {target.state}"
            yield Alert("ContainerNotRunning", target.name, target.health, 0.0, said, "hosts")


def _logs(logs: Iterable[LogState], now: float) -> Iterable[Alert]:
    for log in logs:
        if log.health is Health.DENIED:
            yield Alert("LogNotRead", log.target, Health.WARN, 0.0, log.note or f"{log.target}: log denied", "logs")
        elif log.gap and now - log.gap_at < GAP_TOLD:
            why = f"{log.target}: {log.gap:.0f} s of its log are gone"
            yield Alert("LogNotRead", log.target, Health.WARN, log.gap_at, why, "logs")
        elif log.lost and now - log.gap_at < GAP_TOLD:
            why = f"{log.target}: {log.lost:,} lines of its log were not kept there"
            yield Alert("LogNotRead", log.target, Health.WARN, log.gap_at, why, "logs")


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
        where = ", ".join(host for host, health in hop.hosts if health in (Health.WARN, Health.CRIT))
        cause = f": {hop.failing}" if hop.failing else ""
        waited = f"{(hop.oldest.value or 0.0) / _MINUTE:.0f} min"
        many = f"{hop.deferred.value or 0:.0f}"
        old = OLD_CRIT if hop.oldest.health is Health.CRIT else OLD_WARN
        most = QUEUE_CRIT if hop.deferred.health is Health.CRIT else QUEUE_WARN
        rules = (
            (
                "HopWithoutSuccess",
                hop.last_success,
                hop.last_success.note,
                "",
                f"≥ {WITHOUT_SUCCESS / _MINUTE:.0f} min",
            ),
            ("HopOld", hop.oldest, f"the oldest has waited {waited}", waited, f"≥ {old / _MINUTE:.0f} min"),
            (
                "HopDeferred",
                hop.deferred,
                f"{many} deferred, {hop.growth.value or 0:+.0f} in 10 min",
                many,
                f"≥ {most}, growing",
            ),
        )
        searching = hop.hop is Hop.SEARCH  # its other figures are alerts of their own
        for rule, reading, words, value, limit in rules[: 1 if searching else 3]:
            if reading.health in (Health.WARN, Health.CRIT):
                target = f"{hop.hop} {where}".strip()
                said = f"{hop.hop}: {words}{cause}"
                see = "archive" if searching else "queue"
                yield Alert(rule, target, reading.health, 0.0, said, see, value, limit)
