"""What the last snapshot is worth once nothing newer comes: every reading is old, and nothing is ok for certain."""

from __future__ import annotations

from msgspec.structs import replace

from mailtop.model.snapshot import Health, HopState, HostState, QueueState, Reading, Snapshot


def aged(snapshot: Snapshot, late: float) -> Snapshot:
    """The same figures, all stale. `late`: seconds since the snapshot came; what counts seconds counts on."""
    return replace(
        snapshot,
        hosts=tuple(map(_host, snapshot.hosts)),
        hops=tuple(_hop(hop, late) for hop in snapshot.hops),
        queues=tuple(map(_queue, snapshot.queues)),
        glance=tuple(replace(figure, reading=_old(figure.reading)) for figure in snapshot.glance),
    )


def _old(reading: Reading) -> Reading:
    return replace(reading, stale=True)


def _host(host: HostState) -> HostState:
    return replace(host, cells=tuple(replace(cell, reading=_old(cell.reading)) for cell in host.cells))


def _hop(hop: HopState, late: float) -> HopState:
    last = hop.last_success
    return replace(
        hop,
        rate=_old(hop.rate),
        p95=_old(hop.p95),
        active=_old(hop.active),
        deferred=_old(hop.deferred),
        growth=_old(hop.growth),
        oldest=_old(hop.oldest),
        last_success=replace(last, stale=True, value=None if last.value is None else last.value + late),
        hosts=tuple((name, Health.UNKNOWN if health is Health.OK else health) for name, health in hop.hosts),
    )


def _queue(queue: QueueState) -> QueueState:
    counts = tuple((name, _old(reading)) for name, reading in queue.counts)
    return replace(queue, counts=counts, oldest=_old(queue.oldest), listing=None)
