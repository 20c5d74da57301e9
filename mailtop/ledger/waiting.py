"""What mail waits for: the causes of one Postfix's queue, over its listings.

A row is a reason × next hop. Two rules keep the rows few and each worth an act of its own:

- A resolver or an uplink fails for *every* destination. So the many next hops of one reason that are small, alone and
  against the whole, are gathered in one row without a next hop; a next hop once shown keeps its row while it is large.
- A burst by one sender wants to be held apart from the rest. So the leading sender gets a row of its own when it makes
  up at least half of a cause *and* leaves at least a tenth behind; else the row names it, and counts the others.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from hashlib import blake2b
from itertools import compress, repeat
from operator import add
from typing import NamedTuple

from mailtop.ledger.reasons import Reason
from mailtop.ledger.where import Mask, both, spread
from mailtop.model.errors import UsageError
from mailtop.model.mail import Queue, QueueId
from mailtop.model.snapshot import Cause, PageAsk
from mailtop.model.text import Foreign, shown
from mailtop.model.topology import Hop
from mailtop.parse.postqueue import QUEUES, Listing
from mailtop.parse.reason import normalise, site

IN_DELIVERY = Foreign(b"in delivery")
NO_ANSWER = Foreign(b"in delivery, no answer")
NOT_YET_ACTIVE = Foreign(b"accepted, not yet active")
ON_HOLD = Foreign(b"on hold")
NO_REASON = Foreign(b"no reason given")

STUCK = 120.0
"""Seconds in the active queue after which a message without a reason waits for an answer that does not come."""

RETRY = 300.0
"""Seconds before which Postfix tries no message again (its default minimal_backoff_time): active now and active less
than that ago is one and the same attempt."""

WINDOW = 600.0
"""Seconds over which growth is counted."""

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

_FILTER = b"(filter)"

_OWN = 100  # messages that earn a next hop a row of its own …
_SHARE = 20  # … or this part (1/20) of its reason
_MOST = 20  # next hops of one reason with a row of their own
_FEW = 8  # so many small next hops are not worth gathering
_FORGET = 3600.0
_SAMPLE = 4000  # rows that are asked for their hop

HopOf = Callable[[QueueId], Hop | None]
"""Which hop a queue id waits for, as far as the log proves it."""

HopAt = Callable[[bytes], Hop | None]
"""Which hop a next hop's name is (`amavis` → filter), as far as the topology knows it."""


_WITHOUT_REASON = {
    Queue.MAILDROP: NOT_YET_ACTIVE,
    Queue.INCOMING: NOT_YET_ACTIVE,
    Queue.ACTIVE: IN_DELIVERY,
    Queue.HOLD: ON_HOLD,
}


class _Name(NamedTuple):
    """What a row is. An empty `next_hop` gathers several; an empty `sender` is any (the null sender is `<>`)."""

    reason: Foreign
    next_hop: bytes = b""
    sender: bytes = b""


@dataclass(slots=True)
class _Group:
    """One row in the making."""

    next_hops: set[bytes] = field(default_factory=set)
    by_queue: Counter[int] = field(default_factory=Counter)
    code: str = ""
    oldest: int = 0xFFFFFFFF
    recent: int = 0
    bounced: int = 0
    bounced_lately: int = 0
    bounced_lead: int = 0
    bounced_first: float = 0.0
    sender: bytes = b""
    senders: int = 0
    hops: Counter[Hop] = field(default_factory=Counter)
    stuck: bool = False

    @property
    def size(self) -> int:
        return sum(self.by_queue.values())

    def queued(self, *queues: Queue) -> int:
        return sum(self.by_queue[QUEUES.index(queue)] for queue in queues)


class _Past(NamedTuple):
    """Sizes at an earlier listing, by row and by reason."""

    at: float
    sizes: dict[_Name, int]


class Waiting:
    """The causes of one target, remembered from listing to listing."""

    def __init__(self, target: str) -> None:
        self._target = target
        self._names: dict[str, _Name] = {}
        self._first: dict[_Name, tuple[float, float]] = {}  # first and last seen
        self._past: deque[_Past] = deque()
        self._active_since: dict[bytes, float] = {}  # of the last listing, taken at …
        self._active_at = 0.0
        self._listing: Listing | None = None
        self._groups: dict[_Name, _Group] = {}
        self._cell_name: list[_Name] = []
        self._active_name: dict[int, _Name] = {}
        self._own: set[_Name] = set()

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
        groups = dict(self._groups)
        grown = {(bounce.reason, bounce.next_hop, bounce.sender): bounce.came for bounce in lately}
        for bounce in bounces:
            self._bounce(groups, bounce, grown.get((bounce.reason, bounce.next_hop, bounce.sender), 0))
        growth = self._growth(groups)
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
        base = _Name(name.reason, name.next_hop)
        mask = bytearray(spread(bytes(own == base for own in self._cell_name), listing.cell))
        for row, own in self._active_name.items():
            mask[row] = own == base
        split = [own.sender for own in self._groups if own.sender and own[:2] == base[:2]]
        if name.sender:
            return both(bytes(mask), _of_senders(listing, {name.sender}))
        if split:  # this row is what the leading sender leaves behind
            mask = bytearray(both(bytes(mask), bytes(1 - b for b in _of_senders(listing, set(split)))))
        return bytes(mask)

    def _read(self, listing: Listing, hop_of: HopOf | None) -> None:
        """Group a fresh listing."""
        self._listing = listing
        raw = self._raw_names(listing)
        counts = Counter(listing.cell)
        names = self._gathered(raw, counts)
        groups: dict[_Name, _Group] = {}
        active = QUEUES.index(Queue.ACTIVE)
        oldest, recent = _oldest(listing), _recent(listing)
        for number, count in counts.items():
            if listing.cells[number].queue == active:
                continue
            group = groups.get(names[number]) or groups.setdefault(names[number], _Group())
            group.next_hops.add(raw[number].next_hop)
            group.by_queue[listing.cells[number].queue] += count
            group.oldest = min(group.oldest, oldest[number])
            group.recent += recent[number]
            group.code = group.code or normalise(listing.reasons[listing.cells[number].reason]).code
        self._cell_name = names
        self._in_delivery(listing, groups, hop_of)
        self._lead(listing, groups)
        if hop_of is not None:
            self._hops(listing, groups, hop_of)
        self._groups = groups
        self._remember(listing)

    @staticmethod
    def _raw_names(listing: Listing) -> list[_Name]:
        """Return what each cell waits for, before small next hops are gathered. Equal names are one object."""
        reasons = [normalise(text) for text in listing.reasons]
        sites = [site(reason.next_hop) for reason in reasons]
        same: dict[tuple[Foreign, bytes], _Name] = {}
        names: list[_Name] = []
        for cell in listing.cells:
            reason, next_hop = reasons[cell.reason].text, sites[cell.reason] or listing.domains[cell.domain]
            if not reason:
                queue = QUEUES[cell.queue]
                reason = _WITHOUT_REASON.get(queue, NO_REASON)
                next_hop = b"" if queue in (Queue.INCOMING, Queue.MAILDROP) else next_hop
            name = same.get((reason, next_hop))
            if name is None:
                name = same[reason, next_hop] = _Name(reason, next_hop)
            names.append(name)
        return names

    def _gathered(self, raw: list[_Name], counts: Counter[int]) -> list[_Name]:
        """Return each cell's row: its own next hop's, or the one that gathers its reason's small ones."""
        sizes: Counter[_Name] = Counter()
        for number, count in counts.items():
            sizes[raw[number]] += count
        by_reason: dict[Foreign, list[_Name]] = {}
        for name, _ in sizes.most_common():
            by_reason.setdefault(name.reason, []).append(name)
        own: set[_Name] = set()
        for names in by_reason.values():
            total = sum(sizes[name] for name in names)
            large = [
                name
                for place, name in enumerate(names)
                if (slack := 2 if name in self._own else 1)  # once shown, it goes only when it has really shrunk
                and (sizes[name] * slack * _SHARE >= total or sizes[name] * slack >= _OWN)
                and place < _MOST * slack
            ]
            own.update(names if len(names) - len(large) <= _FEW else large)
        self._own = own
        rest = {reason: _Name(reason) for reason in by_reason}
        return [name if name in own else rest[name.reason] for name in raw]

    def _in_delivery(self, listing: Listing, groups: dict[_Name, _Group], hop_of: HopOf | None) -> None:
        """Group active messages one by one: only their id tells whether they are in front of the filter or behind."""
        code = QUEUES.index(Queue.ACTIVE)
        rows = compress(range(len(listing)), spread(bytes(cell.queue == code for cell in listing.cells), listing.cell))
        watched = self._active_since if listing.at - self._active_at < RETRY else {}
        since: dict[bytes, float] = {}
        known: dict[tuple[int, bool, Hop | None], tuple[_Name, _Group]] = {}
        self._active_name = {}
        for row in rows:
            key, arrival, cell = listing.ids[row], listing.arrival[row], listing.cell[row]
            hop = hop_of(QueueId(key.decode("ascii"))) if hop_of else None
            began = since[key] = watched.get(key) or self._began(listing.at, arrival, hop)
            kind = (cell, listing.at - began >= STUCK, hop)
            found = known.get(kind)
            if found is None:
                next_hop = _FILTER if hop is Hop.FILTER else self._cell_name[cell].next_hop
                name = _Name(NO_ANSWER if kind[1] else IN_DELIVERY, next_hop)
                group = groups.get(name) or groups.setdefault(name, _Group(stuck=kind[1]))
                group.next_hops.add(next_hop or listing.domains[listing.cells[cell].domain])
                found = known[kind] = (name, group)
            self._active_name[row], group = found
            group.by_queue[code] += 1
            if arrival < group.oldest:
                group.oldest = arrival
            group.recent += arrival >= listing.at - WINDOW
            if hop is not None:
                group.hops[hop] += 1
        self._active_since, self._active_at = since, listing.at

    def _began(self, at: float, arrival: int, hop: Hop | None) -> float:
        """Since when a message seen active for the first time is active, as far as its arrival proves it.

        Nobody watched before the first listing. Mail that waits for the filter, or is too young for a second attempt,
        is active since it arrived; older mail may just be tried again.
        """
        first = not self._past and (hop is Hop.FILTER or at - arrival < RETRY)
        return float(arrival) if first else at

    def _lead(self, listing: Listing, groups: dict[_Name, _Group]) -> None:
        """Find each row's leading sender, and give it a row of its own where that is worth one."""
        numbers = {name: number for number, name in enumerate(groups)}
        names = list(groups)
        shift = max(1, len(listing.senders)).bit_length()
        base = [numbers.get(name, 0) << shift for name in self._cell_name]
        active = self._active_name
        # Senders past the table's limit differ nearly all: they are counted as one number, and each as a sender.
        rest = listing.senders.shared
        senders: Iterable[int] = listing.sender
        if len(listing.senders) > rest:
            senders = map(min, listing.sender, repeat(rest))
        pairs = Counter(map(add, map(base.__getitem__, listing.cell), senders))
        for row, name in active.items():  # those were counted under their cell's row
            sender = min(listing.sender[row], rest)
            pairs[base[listing.cell[row]] + sender] -= 1
            pairs[(numbers[name] << shift) + sender] += 1
        leaders: list[tuple[int, int]] = [(0, 0)] * len(names)
        distinct = [0] * len(names)
        for pair, count in pairs.items():
            if count > 0:
                number, sender = pair >> shift, pair & ((1 << shift) - 1)
                distinct[number] += count if sender == rest else 1
                if count > leaders[number][0] and sender != rest:
                    leaders[number] = (count, sender)
        for name, (count, sender), several in zip(names, leaders, distinct, strict=True):
            group = groups[name]
            group.sender, group.senders = listing.senders[sender] if count else b"", several
            left = group.size - count
            if count >= left and left * 10 >= group.size and left >= 5 and several > 1:
                self._split(listing, groups, name, count)

    def _split(self, listing: Listing, groups: dict[_Name, _Group], name: _Name, count: int) -> None:
        """Move the leading sender's messages to a row of their own."""
        group = groups[name]
        leader = _Name(name.reason, name.next_hop, group.sender or b"<>")
        wanted = group.sender
        base = spread(bytes(own == name for own in self._cell_name), listing.cell)
        mask = bytearray(both(base, _of_senders(listing, {leader.sender})))
        for row, own in self._active_name.items():
            mask[row] = own == name and listing.senders[listing.sender[row]] == wanted
        apart = _Group(next_hops=group.next_hops, code=group.code, sender=wanted, senders=1, stuck=group.stuck)
        for number, moved in Counter(compress(listing.cell, mask)).items():
            apart.by_queue[listing.cells[number].queue] += moved
        apart.oldest = min(compress(listing.arrival, mask), default=group.oldest)
        apart.recent = min(count, group.recent * count // max(1, group.size))
        left = bytes(map(int.__gt__, base, mask))
        group.by_queue.subtract(apart.by_queue)
        group.oldest = min(compress(listing.arrival, left), default=group.oldest)
        group.recent -= apart.recent
        senders = Counter(compress(listing.sender, left))
        group.sender = listing.senders[senders.most_common(1)[0][0]] if senders else b""
        group.senders -= 1
        groups[leader] = apart

    def _hops(self, listing: Listing, groups: dict[_Name, _Group], hop_of: HopOf) -> None:
        """Ask some rows of each group for their hop."""
        for row in range(0, len(listing), max(1, len(listing) // _SAMPLE)):
            if row not in self._active_name:
                hop = hop_of(QueueId(listing.ids[row].decode("ascii")))
                if hop is not None:
                    groups[self._cell_name[listing.cell[row]]].hops[hop] += 1

    def _remember(self, listing: Listing) -> None:
        sizes: dict[_Name, int] = {}
        for name, group in self._groups.items():
            for level in {name, _Name(name.reason, name.next_hop), _Name(name.reason)}:
                sizes[level] = sizes.get(level, 0) + group.size
        first = not self._past
        for name, group in self._groups.items():
            began = min(listing.at, float(group.oldest)) if first else listing.at
            self._first[name] = (self._first.get(name, (began, 0.0))[0], listing.at)
        while self._past and self._past[-1].at > listing.at:
            self._past.pop()  # of the future: a clock was set back
        if listing.whole and (not self._past or listing.at - self._past[-1].at >= 20.0):
            self._past.append(_Past(listing.at, sizes))
        while len(self._past) > 1 and self._past[1].at <= listing.at - WINDOW:
            self._past.popleft()

    def _growth(self, groups: dict[_Name, _Group]) -> dict[_Name, int]:
        """Return how much each row grew in ten minutes.

        From the sizes then, where a listing of then is known; else what arrived since and still waits: an upper bound.
        """
        listing = self._listing
        known = listing is not None and listing.whole and self._past and self._past[0].at <= listing.at - 60
        past = self._past[0] if known else None
        totals: Counter[_Name] = Counter()
        recent: Counter[_Name] = Counter()
        for name, group in groups.items():
            for level in {name, _Name(name.reason, name.next_hop), _Name(name.reason)}:
                totals[level] += group.size
                recent[level] += group.recent

        def grown(level: _Name) -> int:
            if past is None:
                return recent[level]
            if level in past.sizes:
                return totals[level] - past.sizes[level]
            return recent[level] if _Name(level.reason) in past.sizes else totals[level]

        growth: dict[_Name, int] = {}
        for name, group in groups.items():
            own = grown(name)
            if not name.next_hop:
                own -= sum(
                    grown(_Name(n.reason, n.next_hop))
                    for n in groups
                    if n.reason == name.reason and n.next_hop and not n.sender
                )
            elif not name.sender:
                own -= sum(grown(n) for n in groups if n.sender and n[:2] == name[:2])
            growth[name] = own + group.bounced_lately
        return growth

    def _bounce(self, groups: dict[_Name, _Group], bounce: Reason, lately: int) -> None:
        """Add bounces of the last hour to the row they belong to."""
        text = normalise(bounce.reason).text  # what the log made of it may be less than what the listing did
        name = _Name(text, site(bounce.next_hop))
        for known in (_Name(*name[:2], bounce.sender or b"<>"), name, _Name(text)):
            if known in groups and (known.next_hop or known == name):
                name = known
                break
        old = groups.get(name)
        group = _Group() if old is None else _copied(old)
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

    def _cause(self, name: _Name, group: _Group, growth: int, at: float, hop_at: HopAt | None) -> tuple[Cause, _Group]:
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


def _copied(group: _Group) -> _Group:
    return replace(group, next_hops=set(group.next_hops), by_queue=Counter(group.by_queue), hops=Counter(group.hops))


def _oldest(listing: Listing) -> list[int]:
    """Return the smallest arrival of each cell."""
    oldest = [0xFFFFFFFF] * len(listing.cells)
    for cell, arrival in zip(listing.cell, listing.arrival, strict=True):
        if arrival < oldest[cell]:
            oldest[cell] = arrival
    return oldest


def _recent(listing: Listing) -> Counter[int]:
    """Return how many messages of each cell arrived within the window."""
    since = int(listing.at - WINDOW)
    return Counter(compress(listing.cell, bytes(map(since.__le__, listing.arrival))))


def _of_senders(listing: Listing, senders: set[bytes]) -> Mask:
    wanted = {b"" if sender == b"<>" else sender for sender in senders}
    return spread(bytes(sender in wanted for sender in listing.senders), listing.sender)


def _holds(cause: Cause, word: bytes) -> bool:
    negate, word = word.startswith(b"!"), word.lstrip(b"!")
    texts = b"\0".join((cause.reason, cause.next_hop, cause.sender, cause.code.encode())).lower()
    return (word in texts) is not negate
