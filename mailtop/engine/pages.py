"""Pages over several queues: each answers for itself, and the answers are merged in the ask's order."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from heapq import merge
from itertools import islice
from operator import attrgetter
from typing import Any, TypeVar

from msgspec.structs import replace

from mailtop.ledger.waiting import NO_ANSWER
from mailtop.model.mail import QueueEntry
from mailtop.model.snapshot import Cause, PageAsk, Shape
from mailtop.model.text import Foreign

Row = TypeVar("Row")

_ENTRY_KEYS: dict[str, Callable[[QueueEntry], Any]] = {
    "id": attrgetter("key.id"),
    "age": lambda entry: -entry.arrival,
    "domain": lambda entry: entry.recipient.rpartition(b"@")[2].lower(),
}


def messages(
    ask: PageAsk, answers: Sequence[Callable[[PageAsk], tuple[int, tuple[QueueEntry, ...]]]]
) -> tuple[int, tuple[QueueEntry, ...]]:
    """One page of messages over several queues."""
    if len(answers) == 1:
        return answers[0](ask)
    column = ask.sort.lstrip("-") or "arrival"
    key = _ENTRY_KEYS.get(column, attrgetter(column))
    return _merged(ask, answers, key, reverse=ask.sort.startswith("-"))


def causes(
    ask: PageAsk, answers: Sequence[Callable[[PageAsk], tuple[int, tuple[Cause, ...]]]]
) -> tuple[int, tuple[Cause, ...]]:
    """One page of causes over several queues; without an order of its own, what grows and is large comes first."""
    if len(answers) == 1:
        return answers[0](ask)
    if not ask.sort:
        return _merged(ask, answers, _weight, reverse=True)
    return _merged(ask, answers, attrgetter(ask.sort.lstrip("-")), reverse=ask.sort.startswith("-"))


def _weight(cause: Cause) -> tuple[bool, int, int]:
    return cause.reason == NO_ANSWER, cause.growth, cause.deferred + cause.active + cause.held + cause.bounced


def shape(
    ask: PageAsk, answers: Sequence[Callable[[PageAsk], tuple[int, tuple[Shape, ...]]]]
) -> tuple[int, tuple[Shape, ...]]:
    """One page of domains by age; a domain that waits on several hosts is one row."""
    if len(answers) == 1:
        return answers[0](ask)
    whole = replace(ask, offset=0, limit=1 << 31)
    together: dict[Foreign, tuple[int, ...]] = {}
    for answer in answers:
        for row in answer(whole)[1]:
            known = together.get(row.domain)
            together[row.domain] = tuple(map(sum, zip(known, row.buckets, strict=True))) if known else row.buckets
    rows = [Shape(domain, sum(buckets), buckets) for domain, buckets in together.items()]
    rows.sort(key=attrgetter("domain"), reverse=ask.sort == "-domain")
    if ask.sort.lstrip("-") != "domain":
        rows.sort(key=attrgetter("total"), reverse=ask.sort != "total")
    return len(rows), tuple(rows[ask.offset : ask.offset + ask.limit])


def _merged(
    ask: PageAsk,
    answers: Sequence[Callable[[PageAsk], tuple[int, tuple[Row, ...]]]],
    key: Callable[[Row], Any],
    *,
    reverse: bool,
) -> tuple[int, tuple[Row, ...]]:
    """Merge what each queue has up to the page's end.

    An end that is far away is reached from behind: each queue gives its rows in the opposite order.
    """
    total = sum(answer(replace(ask, offset=0, limit=0))[0] for answer in answers)
    stop = min(ask.offset + ask.limit, total)
    if ask.offset > total // 2 and ask.sort:
        turned = replace(ask, sort=ask.sort[1:] if ask.sort.startswith("-") else f"-{ask.sort}")
        rows = _window(turned, answers, key, total - stop, total - ask.offset, not reverse)
        return total, tuple(reversed(rows))
    return total, tuple(_window(ask, answers, key, ask.offset, stop, reverse))


def _window(
    ask: PageAsk,
    answers: Sequence[Callable[[PageAsk], tuple[int, tuple[Row, ...]]]],
    key: Callable[[Row], Any],
    start: int,
    stop: int,
    reverse: bool,
) -> list[Row]:
    parts: Iterable[Iterable[Row]] = [answer(replace(ask, offset=0, limit=max(0, stop)))[1] for answer in answers]
    return list(islice(merge(*parts, key=key, reverse=reverse), max(0, start), max(0, stop)))
