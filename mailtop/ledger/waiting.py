"""What mail waits for: the causes of one Postfix's queue, over its listings, with what the log says has bounced."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import replace
from hashlib import blake2b

from mailtop.ledger.grouping import (
    IN_DELIVERY,
    NO_ANSWER,
    NO_REASON,
    NOT_YET_ACTIVE,
    ON_HOLD,
    Group,
    Grouping,
    HopOf,
    Name,
    of_senders,
)
from mailtop.ledger.growth import Growth
from mailtop.ledger.reasons import Reason
from mailtop.ledger.where import Mask, both, spread
from mailtop.model.errors import UsageError
from mailtop.model.mail import Queue
from mailtop.model.snapshot import Cause, PageAsk
from mailtop.model.text import Foreign, shown
from mailtop.model.topology import Hop
from mailtop.parse.postqueue import Listing
from mailtop.parse.reason import normalise, site

__all__ = ["IN_DELIVERY", "NOT_YET_ACTIVE", "NO_ANSWER", "NO_REASON", "ON_HOLD", "HopAt", "HopOf", "Waiting"]

COLUMNS = (
    "reason",
    "next_hop",
    "sender",
    "deferred",
    "active",
    "held",
    "bounced",
    "growth",
    "oldest",
    "first_seen",
    "code",
)

_FORGET = 3600.0

HopAt = Callable[[bytes], Hop | None]
"""Which hop a next hop's name is (`amavis` → filter), as far as the topology knows it."""


class Waiting:
    """The causes of one target, remembered from listing to listing."""

    def __init__(self, target: str) -> None:
        self._target = target
        self._names: dict[str, Name] = {}
        self._first: dict[Name, tuple[float, float]] = {}  # first and last seen
        self._grouping = Grouping()
        self._growth = Growth()
        self._listing: Listing | None = None

    def causes(
        self,
        listing: Listing | None,
        at: float,
        bounces: Iterable[Reason] = (),
        lately: Iterable[Reason] = (),
        hop_of: HopOf | None = None,
        hop_at: HopAt | None = None,
    ) -> tuple[Cause, ...]:
        """Return all causes, ranked: what is stuck, then what grows, then what is large.

        `at`: now. `bounces`: from the log, those of the last hour; `lately`: those of the last ten minutes.
        """
        if listing is not None and listing is not self._listing:
            self._read(listing, hop_of)
        groups = dict(self._grouping.groups)
        grown = {(bounce.reason, bounce.next_hop, bounce.sender): bounce.came for bounce in lately}
        for bounce in bounces:
            self._bounce(groups, bounce, grown.get((bounce.reason, bounce.next_hop, bounce.sender), 0))
        growth = self._growth.of(groups)
        rows = [self._cause(name, group, growth[name], at, hop_at) for name, group in groups.items()]
        rows.sort(key=lambda row: (row[1].stuck, row[0].growth, row[1].size + row[0].bounced), reverse=True)
        self._forget(at)
        return tuple(cause for cause, _ in rows)

    def page(self, causes: tuple[Cause, ...], ask: PageAsk) -> tuple[int, tuple[Cause, ...]]:
        """Return how many of the causes hold the filter's words, and one page of them in the ask's order."""
        words = [word.encode() for word in ask.where.lower().split()]
        rows = [cause for cause in causes if all(_holds(cause, word) for word in words)] if words else list(causes)
        if ask.sort:
            column = ask.sort.lstrip("-")
            if column not in COLUMNS:
                raise UsageError(f"sort {ask.sort!r}", "no column of the causes", f"use one of {', '.join(COLUMNS)}")
            rows.sort(key=lambda cause: getattr(cause, column), reverse=ask.sort.startswith("-"))
        return len(rows), tuple(rows[ask.offset : ask.offset + ask.limit])

    def mask(self, listing: Listing, cause: str, hop_of: HopOf | None = None) -> Mask:
        """Return which rows of the listing wait for a cause, by the id of its row."""
        if listing is not self._listing:
            self._read(listing, hop_of)
        name = self._names.get(cause)
        if name is None:
            raise UsageError(f"cause {shown(Foreign(cause.encode()), 20)}", "is gone", "go back to the causes")
        base = Name(name.reason, name.next_hop)
        mask = bytearray(spread(bytes(own == base for own in self._grouping.cell_name), listing.cell))
        for row, own in self._grouping.active_name.items():
            mask[row] = own == base
        split = [own.sender for own in self._grouping.groups if own.sender and own[:2] == base[:2]]
        if name.sender:
            return both(bytes(mask), of_senders(listing, {name.sender}))
        if split:  # this row is what the leading sender leaves behind
            mask = bytearray(both(bytes(mask), bytes(1 - b for b in of_senders(listing, set(split)))))
        return bytes(mask)

    def _read(self, listing: Listing, hop_of: HopOf | None) -> None:
        """Group a fresh listing."""
        first, self._listing = not self._growth.began, listing
        self._grouping.read(listing, hop_of, first=first)
        for name, group in self._grouping.groups.items():
            began = min(listing.at, float(group.oldest)) if first else listing.at
            self._first[name] = (self._first.get(name, (began, 0.0))[0], listing.at)
        self._growth.remember(listing, self._grouping.groups)

    def _bounce(self, groups: dict[Name, Group], bounce: Reason, lately: int) -> None:
        """Add bounces of the last hour to the row they belong to."""
        text = normalise(bounce.reason).text  # what the log made of it may be less than what the listing did
        name = Name(text, site(bounce.next_hop))
        for known in (Name(*name[:2], bounce.sender or b"<>"), name, Name(text)):
            if known in groups and (known.next_hop or known == name):
                name = known
                break
        old = groups.get(name)
        group = Group() if old is None else _copied(old)
        groups[name] = group
        group.next_hops.add(name.next_hop)
        group.code = group.code or bounce.code
        group.hops[bounce.hop] += bounce.came
        if not group.size:
            group.senders += 1
            if bounce.came > group.bounced_lead:
                group.bounced_lead, group.sender = bounce.came, bounce.sender
        group.bounced += bounce.came
        group.bounced_lately += lately
        group.bounced_first = min(group.bounced_first or bounce.first, bounce.first)

    def _cause(self, name: Name, group: Group, growth: int, at: float, hop_at: HopAt | None) -> tuple[Cause, Group]:
        key = blake2b(b"\0".join((self._target.encode(), *name)), digest_size=6).hexdigest()
        self._names[key] = name
        first = self._first.get(name)
        if first is None:
            first = self._first[name] = (group.bounced_first or at, at)
        elif group.bounced:
            self._first[name] = (first[0], at)
        hop = hop_at(name.next_hop) if hop_at and name.next_hop else None
        if hop is None and group.hops:
            (likely, count), *_ = group.hops.most_common(1)
            hop = likely if count * 10 >= group.hops.total() * 9 else None
        cause = Cause(
            id=key,
            target=self._target,
            hop=hop,
            reason=name.reason,
            code=group.code,
            next_hop=Foreign(name.next_hop),
            sender=Foreign(group.sender),
            senders=group.senders,
            deferred=group.queued(Queue.DEFERRED),
            active=group.queued(Queue.ACTIVE, Queue.INCOMING, Queue.MAILDROP),
            held=group.queued(Queue.HOLD),
            bounced=group.bounced,
            growth=growth,
            oldest=float(group.oldest) if group.size else 0.0,
            first_seen=first[0],
            next_hops=max(1, len(group.next_hops)),
        )
        return cause, group

    def _forget(self, at: float) -> None:
        for name in [name for name, (_, last) in self._first.items() if last < at - _FORGET]:
            del self._first[name]
        if len(self._names) > 10_000:
            self._names = {key: name for key, name in self._names.items() if name in self._first}


def _copied(group: Group) -> Group:
    return replace(group, next_hops=set(group.next_hops), by_queue=Counter(group.by_queue), hops=Counter(group.hops))


def _holds(cause: Cause, word: bytes) -> bool:
    negate, word = word.startswith(b"!"), word.lstrip(b"!")
    texts = b"\0".join((cause.reason, cause.next_hop, cause.sender, cause.code.encode())).lower()
    return (word in texts) is not negate
