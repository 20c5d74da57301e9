"""The head of the queue screen: all queues summed, and how old each listing is."""

from __future__ import annotations

from collections.abc import Sequence

from msgspec.structs import replace

from mailtop.model.snapshot import Health, QueueState
from mailtop.ui.figures import NONE, bar, count, figure, size, whole
from mailtop.ui.ink import BLANK, Line, Span, fit, text
from mailtop.ui.view import Scene

_GRAVEST = (Health.CRIT, Health.WARN, Health.DENIED, Health.UNKNOWN, Health.OK)


def totals(scene: Scene, cells: int) -> list[Line]:
    """All queues summed, then each listing's age."""
    queues = scene.snapshot.queues
    if not queues:
        return [text(" no Postfix is being watched yet", "dim"), BLANK]
    return [_sums(queues), *_ages(queues, scene.now, cells)]


def _sums(queues: Sequence[QueueState]) -> Line:
    """Each queue directory over all hosts; a queue nobody can read is counted apart, never as zero."""
    pieces: list[Span] = [(" ", "text")]
    for name in dict.fromkeys(name for queue in queues for name, _ in queue.counts):
        readings = [reading for queue in queues for other, reading in queue.counts if other == name]
        known = [reading for reading in readings if reading.value is not None]
        number = sum(reading.value or 0.0 for reading in known)
        if not number and known and name not in ("active", "deferred"):
            continue
        gravest = min(known or readings, key=lambda reading: _GRAVEST.index(reading.health))
        pieces += [(f"{name} ", "dim"), *figure(replace(gravest, value=number if known else None), count(number))]
        pieces.append(("  ", "text"))
    oldest = max((q.oldest for q in queues if q.oldest.value is not None), key=lambda r: r.value or 0, default=None)
    if oldest is not None and oldest.value is not None:
        pieces += [("oldest ", "dim"), *figure(oldest, whole(oldest.value)), ("  ", "text")]
    blind = sum(all(reading.value is None for _, reading in queue.counts) for queue in queues)
    if blind:
        pieces.append((f"? {count(blind)}/{count(len(queues))} unknown  ", "unknown"))
    octets = sum(queue.bytes for queue in queues)
    if octets:
        pieces.append((size(octets), "dim"))
    return tuple(pieces)


def _ages(queues: Sequence[QueueState], now: float, cells: int) -> list[Line]:
    """`mail1/postfix listed 12 s ago`; a bar while a listing runs."""
    pieces: list[Span] = [(" ", "text")]
    for queue in queues:
        pieces.append((f"{queue.target} ", "dim"))
        if queue.listing is not None:
            pieces += [(bar(queue.listing, 10), "accent"), (f" listing {queue.listing:.0%}", "text")]
        elif queue.listed_at:
            pieces.append((f"listed {whole(now - queue.listed_at)} ago, {count(queue.listed)}", "text"))
        else:
            pieces.append((queue.note.removeprefix(f"{queue.target}: ") or f"{NONE} not listed yet", "dim"))
        pieces.append(("   ", "text"))
    return [fit(tuple(pieces), cells)]
