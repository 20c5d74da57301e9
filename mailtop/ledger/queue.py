"""One Postfix's queue as it was last listed: pages of messages, their shape, and selections frozen to ids."""

from __future__ import annotations

from array import array
from bisect import bisect_left
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from itertools import compress, repeat
from operator import add, floordiv, itemgetter

from mailtop.ledger import chosen, order
from mailtop.ledger.reasons import Reason
from mailtop.ledger.rows import Rows
from mailtop.ledger.waiting import HopAt, HopOf, Waiting
from mailtop.ledger.where import Mask, both, matching, spread
from mailtop.model.errors import UsageError
from mailtop.model.mail import Queue, QueueEntry, QueueId
from mailtop.model.operation import Item, Selection
from mailtop.model.snapshot import AGES, Cause, PageAsk, Shape
from mailtop.model.text import Foreign
from mailtop.parse.postqueue import Listing
from mailtop.parse.reason import normalise

MESSAGE_COLUMNS = ("id", "queue", "arrival", "age", "size", "sender", "recipient", "domain", "recipients", "reason")
SHAPE_COLUMNS = ("domain", "total")

_BUCKETS = len(AGES) + 1


class _Buckets(dict[int, int]):
    """The column of the shape for an age in minutes; each different age is looked up once."""

    def __missing__(self, minute: int) -> int:
        bucket = self[minute] = bisect_left(AGES, minute)
        return bucket


class QueueBook:
    """The queue of one target. Holds one listing at a time; every answer rests on it and says when it was taken."""

    def __init__(self, target: str) -> None:
        self.target = target
        self.version = 0
        self.listing: Listing | None = None
        self.counts: dict[Queue, tuple[int, float]] = {}
        self.waiting = Waiting(target)
        self._masks: dict[tuple[object, ...], Mask | None] = {}
        self._rows: Rows | None = None  # made for a listing that is asked for single ids

    def update(self, listing: Listing, at: float) -> None:
        """Take a fresh listing, taken at `at` by the clock that its arrivals are of."""
        self.listing = replace(listing, at=at)
        self.version += 1
        self._masks.clear()
        self._rows = None

    def counted(self, queue: Queue, messages: int, asked: float, now: float) -> None:
        """Take a count of one queue directory that was asked for at `asked`, and is here now.

        A slow answer is no news where something asked for later is known; unless that is from the future, because our
        clock was set back.
        """
        known = self.counts.get(queue, (0, 0.0))[1]
        if asked >= known or known > now:
            self.counts[queue] = (messages, asked)

    def entry(self, key: QueueId, hop_of: HopOf | None = None) -> QueueEntry | None:
        """Return one message of the listing, None where it holds no such id."""
        if self.listing is None:
            return None
        self._rows = self._rows or Rows(self.listing.ids)
        row = self._rows.find(key.encode())
        return self._entry(row, hop_of) if row is not None else None

    def messages(self, ask: PageAsk, at: float, hop_of: HopOf | None = None) -> tuple[int, tuple[QueueEntry, ...]]:
        """Return how many match and one page of them, oldest first where the ask names no order.

        `at`: now. Raises UsageError for a filter or a column that is none.
        """
        if self.listing is None:
            return 0, ()
        mask = self._mask(ask.where, ask.cause, ask.domain, at, hop_of)
        total = len(self.listing) if mask is None else mask.count(1)
        rows = self._sorted(ask.sort or "arrival", mask, ask.offset, ask.limit)
        return total, tuple(self._entry(row, hop_of) for row in rows)

    def shape(self, ask: PageAsk, at: float, hop_of: HopOf | None = None) -> tuple[int, tuple[Shape, ...]]:
        """Return how many recipient domains there are and one page of them by age of their messages, largest first."""
        if self.listing is None:
            return 0, ()
        shapes = self._shapes(self._mask(ask.where, ask.cause, ask.domain, at, hop_of), at)
        column = ask.sort.lstrip("-") or "total"
        if column in ("total", *(str(limit) for limit in AGES)):
            bucket = -1 if column == "total" else AGES.index(int(column))
            shapes.sort(key=lambda shape: shape.domain)
            shapes.sort(key=lambda shape: shape.total if bucket < 0 else shape.buckets[bucket], reverse=True)
            if ask.sort and not ask.sort.startswith("-"):
                shapes.reverse()
        elif column == "domain":
            shapes.sort(key=lambda shape: shape.domain, reverse=ask.sort.startswith("-"))
        else:
            raise UsageError(f"sort {ask.sort!r}", "no column of the shape", f"use one of {', '.join(SHAPE_COLUMNS)}")
        return len(shapes), tuple(shapes[ask.offset : ask.offset + ask.limit])

    def causes(
        self,
        ask: PageAsk,
        at: float,
        bounces: Iterable[Reason] = (),
        lately: Iterable[Reason] = (),
        hop_of: HopOf | None = None,
        hop_at: HopAt | None = None,
    ) -> tuple[int, tuple[Cause, ...]]:
        """Return how many causes there are and one page of them: what is stuck, what grows, what is large first.

        `bounces` and `lately`: the log's, of the last hour and of the last ten minutes. `hop_at`: which hop a next
        hop's name is.
        """
        causes = self.waiting.causes(self.listing, at, bounces, lately, hop_of, hop_at)
        return self.waiting.page(causes, ask)

    def select(self, selection: Selection, at: float, hop_of: HopOf | None = None) -> Sequence[int]:
        """Return the rows of a selection: its keys on this target, or all that match its filter, cause and domain."""
        if self.listing is None or selection.target not in ("", self.target):
            return ()
        if selection.keys:
            return self._rows_of({key.id.encode() for key in selection.keys if key.target == self.target})
        if not selection.names_something:
            return ()
        mask = self._mask(selection.where, selection.cause, selection.domain, at, hop_of)
        return range(len(self.listing)) if mask is None else array("I", compress(range(len(self.listing)), mask))

    def items(self, rows: Sequence[int]) -> Sequence[Item]:
        """Freeze rows to ids and what the ids mean now."""
        return chosen.items(self.listing, rows) if self.listing is not None else ()

    def _entry(self, row: int, hop_of: HopOf | None) -> QueueEntry:
        assert self.listing is not None  # noqa: S101 — all callers hold rows of it
        key = QueueId(self.listing.ids[row].decode("ascii"))
        return self.listing.entry(row, self.target, hop_of(key) if hop_of else None)

    def _rows_of(self, ids: set[bytes]) -> list[int]:
        if self.listing is None or not ids:
            return []
        return [row for row, text in enumerate(self.listing.ids) if text in ids]

    def _mask(self, where: str, cause: str, domain: Foreign | None, at: float, hop_of: HopOf | None) -> Mask | None:
        """Which rows match, None for all. The last few are kept: paging asks for the same again and again."""
        listing = self.listing
        assert listing is not None  # noqa: S101 — all callers have looked
        name = (where, cause, domain, at if "age" in where else 0.0)
        if name not in self._masks:
            mask = matching(listing, where, at)
            if cause:
                of_cause = self.waiting.mask(listing, cause, hop_of)
                mask = of_cause if mask is None else both(mask, of_cause)
            if domain is not None:
                of_cell = bytes(listing.domains[cell.domain] == domain for cell in listing.cells)
                of_domain = spread(of_cell, listing.cell)
                mask = of_domain if mask is None else both(mask, of_domain)
            if len(self._masks) >= 4:
                del self._masks[next(iter(self._masks))]
            self._masks[name] = mask
        return self._masks[name]

    def _sorted(self, sort: str, mask: Mask | None, offset: int, limit: int) -> list[int]:
        listing = self.listing
        assert listing is not None  # noqa: S101 — all callers have looked
        column, reverse = sort.lstrip("-"), sort.startswith("-")
        cells = listing.cells
        match column:
            case "arrival":
                how = order.by_number(listing.arrival, mask)
            case "age":
                how, reverse = order.by_number(listing.arrival, mask), not reverse
            case "size":
                how = order.by_number(listing.size, mask)
            case "recipients":
                how = order.by_number(listing.count, mask)
            case "id":
                how = order.by_text(lambda: listing.ids, mask)
            case "recipient" | "to":
                how = order.by_text(lambda: listing.recipients, mask)
            case "sender" if len(listing.senders) > listing.senders.shared:  # ranks of a million would cost too much
                how = order.by_text(lambda: map(listing.senders.__getitem__, listing.sender), mask)
            case "sender":
                how = order.by_rank(order.ranks(listing.senders), listing.sender, mask)
            case "queue":
                how = order.by_rank([cell.queue for cell in cells], listing.cell, mask)
            case "domain":
                rank = order.ranks(listing.domains)
                how = order.by_rank([rank[cell.domain] for cell in cells], listing.cell, mask)
            case "reason":
                rank = order.ranks(normalise(reason).text for reason in listing.reasons)
                how = order.by_rank([rank[cell.reason] for cell in cells], listing.cell, mask)
            case _:
                raise UsageError(f"sort {sort!r}", "no column of messages", f"use one of {', '.join(MESSAGE_COLUMNS)}")
        rows: Callable[[], Iterator[int]] = lambda: _rows(len(listing), mask)  # noqa: E731
        total = len(listing) if mask is None else mask.count(1)
        return order.page(how, rows, total, offset, limit, reverse)

    def _shapes(self, mask: Mask | None, at: float) -> list[Shape]:
        listing = self.listing
        assert listing is not None  # noqa: S101 — all callers have looked
        domains = [cell.domain * _BUCKETS for cell in listing.cells]
        minutes = map(floordiv, map(int(at).__sub__, listing.arrival), repeat(60))
        ages = bytes(map(_Buckets().__getitem__, minutes))
        places = map(add, map(domains.__getitem__, listing.cell), ages)
        found: dict[int, list[int]] = {}
        for place, count in Counter(places if mask is None else compress(places, mask)).items():
            domain, number = divmod(place, _BUCKETS)
            found.setdefault(domain, [0] * _BUCKETS)[number] += count
        by_name: dict[bytes, list[int]] = {}
        for domain, buckets in found.items():
            by_name[listing.domains[domain]] = buckets
        return [
            Shape(Foreign(name), sum(buckets), tuple(buckets))
            for name, buckets in sorted(by_name.items(), key=itemgetter(0))
        ]


def _rows(length: int, mask: Mask | None) -> Iterator[int]:
    return iter(range(length)) if mask is None else compress(range(length), mask)
