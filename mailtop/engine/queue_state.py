"""One Postfix's queue for a snapshot: each figure is as fresh as the probe that counted it, and fails with it."""

from __future__ import annotations

from collections.abc import Mapping

from mailtop.ledger.queue import QueueBook
from mailtop.model.mail import Queue
from mailtop.model.snapshot import Health, ProbeState, QueueState, Reading

SHOWN = (Queue.INCOMING, Queue.ACTIVE, Queue.DEFERRED, Queue.HOLD, Queue.CORRUPT, Queue.MAILDROP)
LISTING = "postfix_listing"
NEEDED = SHOWN[:4]  # without one of these nobody can call a queue empty; the other two only root can see

_COUNTED = {Queue.DEFERRED: "postfix_deferred", Queue.HOLD: "postfix_deferred"}  # which probe counts a directory


def queue_state(
    target: str,
    book: QueueBook,
    oldest: Mapping[Queue, float],
    oldest_listed: Mapping[Queue, float],
    probes: Mapping[str, ProbeState],
    now: float,
    *,
    lost: str,
    listing_at: float,
    listing: float | None,
    note: str,
) -> QueueState:
    """Return the queue's figures. `oldest` and `oldest_listed`: arrivals, by the directories' names and by the listing.

    `probes`: this target's by name; `lost`: why its host is not reached, empty while it is; `listing`: how far one is
    that runs.
    """
    readings = {queue: _counted(queue, book, probes, now, lost, listing_at) for queue in SHOWN}
    known = book.listing
    return QueueState(
        target,
        tuple((queue.value, reading) for queue, reading in readings.items()),
        _oldest(readings, oldest, oldest_listed, now, listing_at),
        listed=len(known) if known is not None else 0,
        listed_at=listing_at,
        listing=listing,
        bytes=known.bytes if known is not None else 0,
        note=note,
    )


def _counted(
    queue: Queue, book: QueueBook, probes: Mapping[str, ProbeState], now: float, lost: str, listing_at: float
) -> Reading:
    """What was counted stays to be seen, but it is unknown as soon as the next count has failed."""
    known = book.counts.get(queue)
    probe = probes.get(_COUNTED.get(queue, "postfix_queue"))
    if known is None:
        denied = probe is not None and probe.health is Health.DENIED
        note = lost or (probe.note if probe is not None else "") or "not counted yet"
        return Reading(None, Health.DENIED if denied else Health.UNKNOWN, note=note)
    count, at = known
    if listing_at and at == listing_at:
        probe = probes.get(LISTING)
    stale, why = now - at > stale_after(probe), lost or failed_since(probe, at)
    note = why or (probe.note if stale and probe is not None else "")
    health = Health.UNKNOWN if stale or why else Health.WARN if queue is Queue.CORRUPT and count else Health.OK
    return Reading(float(count), health, at, stale, note)


def _oldest(
    readings: Mapping[Queue, Reading],
    oldest: Mapping[Queue, float],
    oldest_listed: Mapping[Queue, float],
    now: float,
    listing_at: float,
) -> Reading:
    """The oldest message: from long ids where the directories tell it, else from the last listing.

    The queue is empty only where every directory was counted, and none holds anything.
    """
    found: list[tuple[float, float]] = []  # arrival, and when that was known
    untold = ""
    for queue, reading in readings.items():
        if reading.value and queue in oldest:
            found.append((oldest[queue], reading.at))
        elif reading.value and queue in oldest_listed:
            found.append((oldest_listed[queue], listing_at))
        elif reading.value:
            untold = untold or f"{queue}: short ids tell no age: it needs a listing"
        elif reading.value is None and queue in NEEDED:
            untold = untold or reading.note
    doubtful = [one for one in readings.values() if one.value is not None and one.health is Health.UNKNOWN]
    stale = any(one.stale for one in doubtful)
    why = untold or next((one.note for one in doubtful if one.note), "")
    health = Health.UNKNOWN if untold or doubtful else Health.OK
    if found:
        arrival, at = min(found)
        return Reading((at if doubtful else now) - arrival, health, at, stale, why)
    at = min((one.at for one in readings.values() if one.value is not None), default=0.0)
    return Reading(None, health, at, stale, why or ("" if doubtful else "the queue is empty"))


def stale_after(probe: ProbeState | None) -> float:
    """Seconds after which what a probe said is too old to be called known."""
    return 2 * max(probe.every if probe is not None else 0.0, 10.0) + 5.0


def failed_since(probe: ProbeState | None, at: float) -> str:
    """Why a probe has failed since a time, empty where it has not."""
    failed = probe is not None and probe.health in (Health.UNKNOWN, Health.DENIED) and probe.tried > at
    return probe.note or "the last count failed" if probe is not None and failed else ""
