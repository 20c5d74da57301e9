"""`mailtop snapshot`: one reading of everything, as JSON or as a page of text."""

from __future__ import annotations

import json
from argparse import Namespace
from typing import TextIO

from mailtop.engine.console import Console
from mailtop.model.snapshot import Cause, Health, HopState, Link, PageAsk, QueueState, Reading, Snapshot
from mailtop.model.text import shown
from mailtop.report.ready import first_reading

SCHEMA = "mailtop.snapshot/1"
UNREACHABLE = 3


async def run(console: Console, options: Namespace, out: TextIO, err: TextIO) -> int:
    """Print one snapshot; 3 where no host could be reached."""
    snapshot = await first_reading(console, listing=True)
    causes = (await console.page(PageAsk("causes", limit=50))).causes
    if options.json:
        json.dump(as_json(snapshot, causes), out, ensure_ascii=False, indent=1)
        out.write("\n")
    else:
        out.write("\n".join(as_text(snapshot, causes)) + "\n")
    for host in snapshot.hosts:
        if host.link is not Link.UP:
            err.write(f"mailtop: {host.note}\n")
    return 0 if any(host.link is Link.UP for host in snapshot.hosts) else UNREACHABLE


def as_json(snapshot: Snapshot, causes: tuple[Cause, ...]) -> dict[str, object]:
    """The stable form. Every number is an object with value (null: no data), health, at and a note."""
    return {
        "schema": SCHEMA,
        "at": snapshot.at,
        "platform": snapshot.platform,
        "hosts": [
            {"name": host.name, "link": host.link, "since": host.since, "note": host.note} for host in snapshot.hosts
        ],
        "targets": [
            {"name": target.name, "roles": list(target.roles), "health": target.health, "state": target.state}
            for target in snapshot.targets
        ],
        "alerts": [
            {
                "rule": alert.rule,
                "target": alert.target,
                "health": alert.health,
                "since": alert.since,
                "summary": alert.summary,
            }
            for alert in snapshot.alerts
        ],
        "destinations": [
            {
                "target": one.target,
                "domain": one.domain,
                "action": one.action,
                "by": one.by,
                "at": one.at,
                "until": one.until,
                "half_way": one.half_way,
                "overdue": one.overdue(snapshot.at),
            }
            for one in snapshot.destinations
        ],
        "queues": [_queue(queue) for queue in snapshot.queues],
        "hops": [_hop(hop) for hop in snapshot.hops],
        "causes": [cause_json(cause) for cause in causes],
        "logs": [
            {
                "target": log.target,
                "source": log.source,
                "health": log.health,
                "lines": log.lines,
                "unreadable": log.unreadable,
                "gap_seconds": log.gap,
                "lost_lines": log.lost,
                "note": log.note,
            }
            for log in snapshot.logs
        ],
        "probes": [
            {
                "target": probe.target,
                "probe": probe.probe,
                "health": probe.health,
                "last_ok": probe.last_ok,
                "took_seconds": round(probe.took, 4),
                "note": probe.note,
            }
            for probe in snapshot.probes
            if probe.tried or not probe.aside
        ],
    }


def _reading(reading: Reading) -> dict[str, object]:
    return {
        "value": reading.value,
        "health": reading.health,
        "at": reading.at,
        "stale": reading.stale,
        "note": reading.note,
    }


def _queue(queue: QueueState) -> dict[str, object]:
    return {
        "target": queue.target,
        "counts": {name: _reading(reading) for name, reading in queue.counts},
        "oldest_seconds": _reading(queue.oldest),
        "listed": queue.listed,
        "listed_at": queue.listed_at,
        "bytes": queue.bytes,
        "note": queue.note,
    }


def _hop(hop: HopState) -> dict[str, object]:
    numbers = ("rate", "p95", "active", "deferred", "growth", "oldest", "last_success")
    return {
        "hop": hop.hop,
        **{name: _reading(getattr(hop, name)) for name in numbers},
        "failing": hop.failing,
        "hosts": dict(hop.hosts),
        "note": hop.note,
    }


def cause_json(cause: Cause) -> dict[str, object]:
    """One cause in its stable form."""
    return {
        "id": cause.id,
        "target": cause.target,
        "hop": cause.hop,
        "reason": shown(cause.reason),
        "code": cause.code,
        "next_hop": shown(cause.next_hop),
        "sender": shown(cause.sender),
        "senders": cause.senders,
        "deferred": cause.deferred,
        "active": cause.active,
        "held": cause.held,
        "bounced": cause.bounced,
        "growth": cause.growth,
        "oldest": cause.oldest,
        "first_seen": cause.first_seen,
    }


def as_text(snapshot: Snapshot, causes: tuple[Cause, ...]) -> list[str]:
    """The same for people, a line each."""
    lines = [f"{snapshot.platform}: " + ", ".join(f"{host.name} {host.link}" for host in snapshot.hosts)]
    for queue in snapshot.queues:
        counts = "  ".join(f"{name} {_figure(reading)}" for name, reading in queue.counts)
        lines.append(f"{queue.target}: {counts}  oldest {_figure(queue.oldest, ' s')}  {queue.note}".rstrip())
    lines += [
        f"{hop.hop:8} {_figure(hop.rate, '/s'):>9}  p95 {_figure(hop.p95, ' s'):>8}  "
        f"deferred {_figure(hop.deferred):>6}  {hop.failing or hop.note}".rstrip()
        for hop in snapshot.hops
    ]
    lines += [
        f"{cause.deferred + cause.active + cause.held:6} {cause.target} {shown(cause.next_hop, 40)}: "
        f"{shown(cause.reason, 80)} ({shown(cause.sender, 40) or '<>'})"
        for cause in causes
    ]
    lines += [f"{one.target}: {one.told(snapshot.at)}" for one in snapshot.destinations]
    lines += [
        f"{probe.target} {probe.probe}: {probe.note}"
        for probe in snapshot.probes
        if probe.note and (probe.tried or not probe.aside)
    ]
    return lines


def _figure(reading: Reading, unit: str = "") -> str:
    if reading.value is None:
        return "—"
    sign = "" if reading.health is Health.OK and not reading.stale else "? " if reading.stale else f"{reading.health} "
    return f"{sign}{reading.value:.4g}{unit}"
