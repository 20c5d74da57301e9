"""Grouping one listing: every message has one row, and the rows are few and each worth an act of its own.

A row is a reason × next hop, with two rules:

- A resolver or an uplink fails for *every* destination. So the many next hops of one reason that are small, alone and
  against the whole, are gathered in one row without a next hop; a next hop once shown keeps its row while it is large.
- A burst by one sender wants to be held apart from the rest. So the leading sender gets a row of its own when it makes
  up at least half of a cause *and* leaves at least a tenth behind; else the row names it, and counts the others.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from itertools import compress, repeat
from operator import add
from typing import NamedTuple

from mailtop.ledger.where import Mask, both, spread
from mailtop.model.mail import Queue, QueueId
from mailtop.model.text import Foreign
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

_FILTER = b"(filter)"

_OWN = 100  # messages that earn a next hop a row of its own …
_SHARE = 20  # … or this part (1/20) of its reason
_MOST = 20  # next hops of one reason with a row of their own
_FEW = 8  # so many small next hops are not worth gathering
_SAMPLE = 4000  # rows that are asked for their hop

HopOf = Callable[[QueueId], Hop | None]
"""Which hop a queue id waits for, as far as the log proves it."""

_WITHOUT_REASON = {
    Queue.MAILDROP: NOT_YET_ACTIVE,
    Queue.INCOMING: NOT_YET_ACTIVE,
    Queue.ACTIVE: IN_DELIVERY,
    Queue.HOLD: ON_HOLD,
}


class Name(NamedTuple):
    """What a row is. An empty `next_hop` gathers several; an empty `sender` is any (the null sender is `<>`)."""

    reason: Foreign
    next_hop: bytes = b""
    sender: bytes = b""


@dataclass(slots=True)
class Group:
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


class Grouping:
    """The rows of one target's newest listing; what it remembers of the one before keeps them in their place.

    `groups`: the rows. `cell_name` names each cell's row, `active_name` that of each active message, by row number:
    those are grouped one by one.
    """

    def __init__(self) -> None:
        self.groups: dict[Name, Group] = {}
        self.cell_name: list[Name] = []
        self.active_name: dict[int, Name] = {}
        self._active_since: dict[bytes, float] = {}  # of the last listing, taken at …
        self._active_at = 0.0
        self._own: set[Name] = set()

    def read(self, listing: Listing, hop_of: HopOf | None, *, first: bool) -> None:
        """Group a fresh listing. `first`: nobody watched the queue before it."""
        raw = _raw_names(listing)
        counts = Counter(listing.cell)
        names = self._gathered(raw, counts)
        groups: dict[Name, Group] = {}
        active = QUEUES.index(Queue.ACTIVE)
        oldest, recent = _oldest(listing), _recent(listing)
        for number, count in counts.items():
            if listing.cells[number].queue == active:
                continue
            group = groups.get(names[number]) or groups.setdefault(names[number], Group())
            group.next_hops.add(raw[number].next_hop)
            group.by_queue[listing.cells[number].queue] += count
            group.oldest = min(group.oldest, oldest[number])
            group.recent += recent[number]
            group.code = group.code or normalise(listing.reasons[listing.cells[number].reason]).code
        self.cell_name = names
        self._in_delivery(listing, groups, hop_of, first)
        self._lead(listing, groups)
        if hop_of is not None:
            self._hops(listing, groups, hop_of)
        self.groups = groups

    def _gathered(self, raw: list[Name], counts: Counter[int]) -> list[Name]:
        """Return each cell's row: its own next hop's, or the one that gathers its reason's small ones."""
        sizes: Counter[Name] = Counter()
        for number, count in counts.items():
            sizes[raw[number]] += count
        by_reason: dict[Foreign, list[Name]] = {}
        for name, _ in sizes.most_common():
            by_reason.setdefault(name.reason, []).append(name)
        own: set[Name] = set()
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
        rest = {name.reason: Name(name.reason) for name in raw}  # of cells too whose last message has moved on
        return [name if name in own else rest[name.reason] for name in raw]

    def _in_delivery(self, listing: Listing, groups: dict[Name, Group], hop_of: HopOf | None, first: bool) -> None:
        """Group active messages one by one: only their id tells whether they are in front of the filter or behind."""
        code = QUEUES.index(Queue.ACTIVE)
        rows = compress(range(len(listing)), spread(bytes(cell.queue == code for cell in listing.cells), listing.cell))
        watched = self._active_since if listing.at - self._active_at < RETRY else {}
        since: dict[bytes, float] = {}
        known: dict[tuple[int, bool, Hop | None], tuple[Name, Group]] = {}
        self.active_name = {}
        for row in rows:
            key, arrival, cell = listing.ids[row], listing.arrival[row], listing.cell[row]
            hop = hop_of(QueueId(key.decode("ascii"))) if hop_of else None
            began = since[key] = watched.get(key) or _began(listing.at, arrival, hop, first)
            kind = (cell, listing.at - began >= STUCK, hop)
            found = known.get(kind)
            if found is None:
                next_hop = _FILTER if hop is Hop.FILTER else self.cell_name[cell].next_hop
                name = Name(NO_ANSWER if kind[1] else IN_DELIVERY, next_hop)
                group = groups.get(name) or groups.setdefault(name, Group(stuck=kind[1]))
                group.next_hops.add(next_hop or listing.domains[listing.cells[cell].domain])
                found = known[kind] = (name, group)
            self.active_name[row], group = found
            group.by_queue[code] += 1
            if arrival < group.oldest:
                group.oldest = arrival
            group.recent += arrival >= listing.at - WINDOW
            if hop is not None:
                group.hops[hop] += 1
        self._active_since, self._active_at = since, listing.at

    def _lead(self, listing: Listing, groups: dict[Name, Group]) -> None:
        """Find each row's leading sender, and give it a row of its own where that is worth one."""
        numbers = {name: number for number, name in enumerate(groups)}
        names = list(groups)
        shift = max(1, len(listing.senders)).bit_length()
        base = [numbers.get(name, 0) << shift for name in self.cell_name]
        active = self.active_name
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

    def _split(self, listing: Listing, groups: dict[Name, Group], name: Name, count: int) -> None:
        """Move the leading sender's messages to a row of their own."""
        group = groups[name]
        leader = Name(name.reason, name.next_hop, group.sender or b"<>")
        wanted = group.sender
        base = spread(bytes(own == name for own in self.cell_name), listing.cell)
        mask = bytearray(both(base, of_senders(listing, {leader.sender})))
        for row, own in self.active_name.items():
            mask[row] = own == name and listing.senders[listing.sender[row]] == wanted
        apart = Group(next_hops=group.next_hops, code=group.code, sender=wanted, senders=1, stuck=group.stuck)
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

    def _hops(self, listing: Listing, groups: dict[Name, Group], hop_of: HopOf) -> None:
        """Ask some rows of each group for their hop."""
        for row in range(0, len(listing), max(1, len(listing) // _SAMPLE)):
            if row not in self.active_name:
                hop = hop_of(QueueId(listing.ids[row].decode("ascii")))
                if hop is not None:
                    groups[self.cell_name[listing.cell[row]]].hops[hop] += 1


def _raw_names(listing: Listing) -> list[Name]:
    """Return what each cell waits for, before small next hops are gathered. Equal names are one object."""
    reasons = [normalise(text) for text in listing.reasons]
    sites = [site(reason.next_hop) for reason in reasons]
    same: dict[tuple[Foreign, bytes], Name] = {}
    names: list[Name] = []
    for cell in listing.cells:
        reason, next_hop = reasons[cell.reason].text, sites[cell.reason] or listing.domains[cell.domain]
        if not reason:
            queue = QUEUES[cell.queue]
            reason = _WITHOUT_REASON.get(queue, NO_REASON)
            next_hop = b"" if queue in (Queue.INCOMING, Queue.MAILDROP) else next_hop
        name = same.get((reason, next_hop))
        if name is None:
            name = same[reason, next_hop] = Name(reason, next_hop)
        names.append(name)
    return names


def _began(at: float, arrival: int, hop: Hop | None, first: bool) -> float:
    """Since when a message seen active for the first time is active, as far as its arrival proves it.

    Nobody watched before the first listing. Mail that waits for the filter, or is too young for a second attempt,
    is active since it arrived; older mail may just be tried again.
    """
    same = hop is Hop.FILTER or at - arrival < RETRY
    return float(arrival) if first and same else at


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


def of_senders(listing: Listing, senders: set[bytes]) -> Mask:
    """Return which rows are from one of these; `<>` is the null sender."""
    wanted = {b"" if sender == b"<>" else sender for sender in senders}
    return spread(bytes(sender in wanted for sender in listing.senders), listing.sender)
