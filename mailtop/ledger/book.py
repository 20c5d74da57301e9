"""The book of one Postfix: fed Batches, it keeps what each queue id is and what became of mail at each hop.

No I/O and no clock: times come from the lines, and `now` from whoever asks. What is counted as what:
an *accepted* message is one that smtpd or pickup took, without re-injections, requeues and probes; a *delivery* is
one attempt for one recipient at one hop; a *message* is counted once per hop and status, however often it is tried.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator

from mailtop.ledger.acceptance import Acceptance
from mailtop.ledger.deliveries import Deliveries
from mailtop.ledger.endings import Endings
from mailtop.ledger.entry import (
    LOCAL,
    NOTICE,
    REQUEUED,
    SMTPD,
    STATUSES,
    SUSPECT,
    UNKNOWN,
    Entry,
    LastDelivery,
    Shadow,
    shadow,
)
from mailtop.ledger.hops import FILTER, HOPS, HopRules, Hops
from mailtop.ledger.ids import Ids
from mailtop.ledger.minutes import Minutes
from mailtop.ledger.reasons import Reason, Reasons
from mailtop.ledger.refusals import Refusals
from mailtop.metrics.lately import Lately
from mailtop.model.mail import QueueId
from mailtop.model.text import Foreign
from mailtop.model.topology import Hop
from mailtop.parse.batch import Active, Batch, Client, Handled, Notice, Pickup, Removed

_SWEEP = 600.0
SCREENED = {
    b"PASS NEW": "passed, new",
    b"PASS OLD": "passed, known",
    b"WHITELIS": "allowed by list",
    b"ALLOWLIS": "allowed by list",
    b"BLACKLIS": "denied by list",
    b"DENYLIST": "denied by list",
    b"DNSBL ra": "on a DNSBL",
    b"PREGREET": "spoke too early",
    b"HANGUP a": "hung up",
}
"""What postscreen's lines begin with, by their first eight bytes (postscreen.c, 2.8 to 3.11)."""


class Ledger:
    """One MTA's book. Not thread-safe: it belongs to the engine's loop, or to one report.

    `ignore_clients`: addresses of probes and monitors, whose mail and refusals are not counted. `reduce` makes like
    reasons equal. Bounded: `max_live` ids (the oldest go first, counted in `evicted`), `max_age` seconds.
    """

    def __init__(
        self,
        rules: HopRules | None = None,
        ignore_clients: Iterable[str] = (),
        reduce: Callable[[bytes], bytes] = bytes,
        max_live: int = 500_000,
        max_age: float = 7 * 86_400.0,
    ) -> None:
        ignored = frozenset(address.encode() for address in ignore_clients)
        self._ids = Ids(max_live, max_age)
        self._hops = Hops(rules or HopRules())
        self._acceptance = Acceptance(self._ids, self._hops.addresses, ignored)
        self._reasons = Reasons(reduce)
        self.flow = self._attempts = Deliveries(self._ids, self._hops, self._acceptance, self._reasons)
        self._endings = Endings()
        self._swept = 0.0
        self.refusals = Refusals(ignored)
        self.attempts = self._attempts.attempts
        self.messages = self._attempts.messages
        self.last_success = self._attempts.last_success
        self.last_failure = self._attempts.last_failure
        self.failing_since = self._attempts.failing_since
        self.totals: Counter[str] = Counter()
        self.alarms: Counter[str] = Counter()
        self.sessions = Minutes()
        self.encrypted = [0] * 6
        self.lately: Lately[str] = Lately(3600.0, 60.0)
        self.screened: Lately[str] = Lately(3600.0, 60.0)
        self.first_at = 0.0
        self.last_at = 0.0

    def feed(self, batch: Batch) -> None:
        """Enter one batch; batches come in the order of the log."""
        self._clients(batch.clients)
        self._pickups(batch.pickups)
        self._active(batch.active)
        self._notices(batch.notices)
        if batch.tls_relays:
            self.flow.encrypts(batch.tls_relays)
        self.flow.feed(batch.deliveries)
        self._endings.feed(batch.pickups, batch.expired)
        self._handled(batch.handled)
        self._removed(batch.removed)
        self.refusals.feed(batch)
        self._count(batch)
        self.last_at = max(self.last_at, batch.last)
        self._acceptance.settle(self.last_at)
        if self.last_at - self._swept >= _SWEEP:
            self._swept = self.last_at
            self._ids.sweep(self.last_at)
            self._reasons.forget(self.last_at)

    # what others ask

    @property
    def accepted(self) -> int:
        """Messages accepted so far; one whose client may be the filter waits up to half a minute for its proof."""
        return self._acceptance.accepted

    @property
    def submitted(self) -> int:
        """Those of them that came with a SASL login."""
        return self._acceptance.submitted

    def accepted_rate(self, now: float) -> float:
        """Messages accepted a second in the last minute, by the log's own times."""
        return self._acceptance.rate(now)

    def last_accepted(self, now: float) -> float:
        """When the last one was accepted, 0.0 for none so far."""
        return self._acceptance.last(now)

    @property
    def live(self) -> int:
        """How many ids are in the queue, as far as the log says."""
        return len(self._ids)

    @property
    def evicted(self) -> int:
        """How many ids were forgotten for want of room or for age, not because the log ended them."""
        return self._ids.evicted

    @property
    def taken(self) -> Acceptance:
        """What was accepted, minute by minute, and from whom."""
        return self._acceptance

    def settle(self, now: float) -> None:
        """Decide what waited for proof; at the end of a log with `now` infinite."""
        self._acceptance.settle(now)

    @property
    def unnamed(self) -> int:
        """How many messages were deleted without a line that names them (`postsuper -d ALL`): ask the queue itself."""
        return max(0, self.totals["deleted"] - self.totals["named"])

    def forget(self, ids: Iterable[QueueId], at: float) -> None:
        """End ids that the queue itself no longer holds, as a listing proved; they are neither sent nor bounced."""
        for id_ in ids:
            self._end(id_.encode(), at)

    def ids(self) -> Iterator[QueueId]:
        """Yield the ids in the queue."""
        return (QueueId(id_.decode("ascii")) for id_ in self._ids)

    def entry(self, id_: QueueId) -> Shadow | None:
        """Return what the log knows of a queued message; None where it knows none by that id."""
        entry = self._ids.get(id_.encode())
        return None if entry is None else self._shadow(id_, entry)

    def shadows(self) -> Iterator[Shadow]:
        """Yield all queued messages as the log knows them."""
        return (self._shadow(QueueId(id_.decode("ascii")), entry) for id_, entry in self._ids.items())

    def hop_of(self, id_: QueueId) -> Hop | None:
        """Return the hop a message waits for; None where the log does not prove it."""
        entry = self._ids.get(id_.encode())
        return None if entry is None else self._hop(entry)

    def fate(self, id_: QueueId, after: float) -> LastDelivery | None:
        """Return the last attempt for an id at or after a time; stamps may have whole seconds, so does `after`."""
        entry = self._ids.find(id_.encode())
        if entry is None or entry.last is None or entry.last[0] < after // 1:
            return None
        at, _, recipient, _, relay, _, _, _, _, reason, _ = entry.last
        return LastDelivery(
            at, Foreign(recipient), HOPS[entry.hop], STATUSES[entry.status], Foreign(relay), Foreign(reason)
        )

    def removed(self, id_: QueueId, after: float) -> bool:
        """Did the id's life end at or after a time? Known for some minutes, or 5,000 further ends."""
        at = self._ids.ended(id_.encode())
        return at is not None and at >= after // 1

    def requeued(self, id_: QueueId, after: float) -> str:
        """Return the id under which `postsuper -r` had a message go on, at or after a time; empty where it had not."""
        return self._endings.requeued(id_.encode(), after)

    def returned(self, id_: QueueId, after: float) -> bool:
        """Did qmgr give a message back, as too old or because somebody said so, at or after a time?"""
        return self._endings.returned(id_.encode(), after)

    def next_id(self, id_: QueueId) -> QueueId | None:
        """Return the id under which the filter re-injected a message (or local forwarded it)."""
        entry = self._ids.find(id_.encode())
        return QueueId(entry.next.decode("ascii")) if entry and entry.next else None

    def bounces(self, since: float) -> list[Reason]:
        """Return bounced messages since then (an hour at most) by reason, next hop and sender."""
        return list(self._reasons.groups(True, since))

    def deferrals(self, since: float) -> list[Reason]:
        """Return deferred messages by reason, next hop and sender, with those that came and went since then."""
        return list(self._reasons.groups(False, since))

    def delays(self, now: float, *shares: float) -> dict[Hop, dict[str, tuple[float, ...]]]:
        """Return quantiles of first attempts' stages in the last ten minutes by hop, in seconds."""
        found = {hop: self._attempts.stages.quantiles(row, now, *shares) for row, hop in enumerate(HOPS)}
        return {hop: stages for hop, stages in found.items() if stages}

    # a queue id's life, in its order

    def _clients(self, rows: list[Client]) -> None:
        find, begin, take = self._ids.find, self._ids.begin, self._acceptance.take
        for at, id_, client, user, original, _ in rows:
            known = find(id_)
            if known is None:
                begin(id_, Entry(at, take(at, id_, client, user, original), client, user))
            elif known.arrival == at and known.origin:
                continue  # a line seen twice
            else:
                self._attempts.leave(known, at)
                self._ids.open(id_, Entry(at, take(at, id_, client, user, original), client, user))
            if original:
                self._acceptance.is_again(original, id_)

    def _pickups(self, rows: list[Pickup]) -> None:
        for row in rows:
            known = self._ids.find(row.id)
            if known is not None and known.arrival == row.at and known.origin:
                continue
            origin = REQUEUED if row.original else LOCAL
            self._ids.open(row.id, Entry(row.at, origin, sender=row.sender))
            if row.original:
                self._acceptance.is_again(row.original, row.id)
            else:
                self._acceptance.accept(row.at)

    def _active(self, rows: list[Active]) -> None:
        get = self._ids.get
        for at, id_, sender, size, recipients in rows:
            entry = get(id_)
            if entry is None:
                entry = self._ids.late(id_, at)
                if entry.last is not None:  # its end was seen already: a line seen twice
                    continue
            entry.sender = sender
            entry.size = size
            entry.busy = at
            if not entry.recipients:
                entry.recipients = recipients

    def _notices(self, rows: list[Notice]) -> None:
        for row in rows:
            entry = self._ids.get(row.new)
            if entry is None:
                self._ids.open(row.new, Entry(row.at, NOTICE))
            elif entry.origin == UNKNOWN:
                entry.origin = NOTICE

    def _handled(self, rows: list[Handled]) -> None:
        for row in rows:
            entry = self._ids.get(row.id)
            if row.what == "hold" and entry is None:
                entry = self._ids.late(row.id, row.at)
            if entry is not None and row.what in ("hold", "release"):
                entry.held = row.what == "hold"
            elif row.what in ("remove", "requeue"):
                self._end(row.id, row.at)

    def _removed(self, rows: list[Removed]) -> None:
        for at, entry in self._ids.end_all(rows):
            self._attempts.leave(entry, at)

    def _end(self, id_: bytes, at: float) -> None:
        self._removed([(at, id_)])

    def _count(self, batch: Batch) -> None:
        totals = self.totals
        totals["lines"] += batch.lines
        totals["foreign"] += batch.foreign
        totals["unreadable"] += batch.unreadable
        totals["connects"] += batch.connects
        totals["disconnects"] += batch.disconnects
        totals["tls"] += batch.tls
        totals["expired"] += len(batch.expired)
        totals["removed"] += len(batch.removed)
        totals["deleted"] += batch.deleted
        totals["named"] += sum(row.what == "remove" for row in batch.handled)
        for alarm in batch.alarms:
            self.alarms[alarm.kind] += 1
            self.lately.add(alarm.at, str(alarm.kind))
        if batch.sessions or batch.postscreen:
            self._sessions(batch)
        if not self.first_at:
            self.first_at = batch.last
        for master in batch.masters:
            totals[master.what] += 1

    def _sessions(self, batch: Batch) -> None:
        """`encrypted`: sessions with mail at port 25 with TLS, in clear, own; the same of submission."""
        at = max(self.last_at, batch.last)  # ends of sessions alone set no time
        self.sessions.turn(at, self.encrypted)
        for program, tls, clear, own in batch.sessions:
            start = 3 if b"submission" in program or b"smtps" in program else 0
            for place, number in enumerate((tls, clear, own), start):
                self.encrypted[place] += number
        for start_, count in batch.postscreen.items():
            if start_ in SCREENED:
                self.screened.add(at, SCREENED[start_], count)

    def _hop(self, entry: Entry) -> Hop | None:
        if entry.last is not None:
            return HOPS[entry.hop] if entry.waiting or entry.hop == FILTER else None
        fresh = entry.origin in (SMTPD, SUSPECT) and self._acceptance.passes_filter(entry.client)
        return Hop.FILTER if fresh else None

    def _shadow(self, id_: QueueId, entry: Entry) -> Shadow:
        return shadow(id_, entry, self._hop(entry))
