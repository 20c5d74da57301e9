"""Attempts and what came of them: counts by hop and status, and who waits, or bounced, for which reason."""

from __future__ import annotations

from mailtop.ledger.acceptance import Acceptance
from mailtop.ledger.entry import (
    BOUNCED,
    DEFERRED,
    DISCARDED,
    EXPIRED,
    FORWARDED,
    IGNORED,
    OTHER,
    SENT,
    SMTPD,
    SOFTBOUNCE,
    STATUSES,
    SUSPECT,
    Entry,
)
from mailtop.ledger.hops import ARCHIVE, FILTER, HOPS, MAILBOX, REMOTE, Hops
from mailtop.ledger.ids import Ids
from mailtop.ledger.minutes import Minutes
from mailtop.ledger.reasons import Group, Reasons
from mailtop.ledger.stages import Stages
from mailtop.ledger.top import Top
from mailtop.metrics.lately import Lately
from mailtop.parse.batch import Delivery

_WORDS = {
    b"deferred": DEFERRED,
    b"bounced": BOUNCED,
    b"expired": EXPIRED,
    b"force-expired": EXPIRED,
    b"SOFTBOUNCE": SOFTBOUNCE,
}
_WIDTH = len(STATUSES)
_HOPS = len(HOPS)
_ALL = (1 << _WIDTH) - 1
_FAILED = 1 << DEFERRED | 1 << SOFTBOUNCE | 1 << BOUNCED
_MAIL = _ALL << MAILBOX * _WIDTH | _ALL << REMOTE * _WIDTH
_DOMAINS = 10_000
_RETRY = 200.0  # seconds; Postfix never retries sooner (`minimal_backoff_time` 300), so younger is a first attempt


class Deliveries:
    """Enters deliveries into the book.

    `attempts` and `messages` count by `hop * len(STATUSES) + status`: an attempt for each recipient, a message once.
    Times by hop, seconds since the epoch, 0.0 for never: `last_success`, `last_failure` (deferred, or bounced),
    `failing_since` (the first failure after the last success).

    By hop, messages once: `tried`, and those of them that `failed` (deferred, or bounced) at any time. `encrypted`:
    recipients that the REMOTE hop took, and those that it took with TLS. `destinations`: recipients of the REMOTE hop
    by status and domain, each once; `last_taken`: when one was last taken. `stages`: first attempts by hop, then
    the other attempts by hop.
    """

    def __init__(self, ids: Ids, hops: Hops, acceptance: Acceptance, reasons: Reasons) -> None:
        self._ids = ids
        self._hops = hops
        self._acceptance = acceptance
        self._reasons = reasons
        self.stages = Stages(2 * len(HOPS))
        self.minutes = Minutes()
        self.tried = [0] * len(HOPS)
        self.failed = [0] * len(HOPS)
        self.encrypted = [0, 0]
        self.senders = Top(b"other")
        self.destinations = [Top(b"other") for _ in STATUSES]
        self.last_taken: dict[bytes, float] = {}
        self.loops: Lately[str] = Lately(3600.0, 60.0)
        self._tls_relays: set[bytes] = set()
        self.attempts = [0] * (len(HOPS) * _WIDTH)
        self.messages = [0] * (len(HOPS) * _WIDTH)
        self.last_success = [0.0] * len(HOPS)
        self.last_failure = [0.0] * len(HOPS)
        self.failing_since = [0.0] * len(HOPS)

    def feed(self, rows: list[Delivery]) -> None:
        """Enter attempts, in the order of time."""
        get, hops, stages = self._ids.get, self._hops, self.stages
        known, archive, fresh, end = hops.known, hops.archive, stages.fresh, stages.end
        attempts, messages, success = self.attempts, self.messages, self.last_success
        tried, failed, relays, taken = self.tried, self.failed, self._tls_relays, self.last_taken
        far: list[list[bytes]] = [[] for _ in STATUSES]
        senders: list[bytes] = []
        secure = 0
        for row in rows:
            at, id_, recipient, _, relay, delay, delays, _, word, reason, program = row
            entry = get(id_)
            if entry is None:
                entry = self._ids.late(id_, at)
            if entry.last is not None and entry.last == row:
                continue  # a line seen twice
            try:
                hop = known[program][relay]
            except KeyError:
                hop = hops.of(program, relay, reason)
            if hop != FILTER and recipient.endswith(archive):
                hop = ARCHIVE
            if word != b"sent":
                status = _WORDS.get(word, OTHER)
            elif hop == FILTER:
                status = self._filtered(id_, entry, reason)
            elif reason[:13] == b"forwarded as ":
                status = FORWARDED
            else:
                status = DISCARDED if program[-7:] == b"discard" else SENT
            waiting = entry.waiting
            entry.last, entry.hop, entry.status = row, hop, status
            if entry.origin == IGNORED:
                continue
            if at >= end:
                fresh, end = stages.turn(at), stages.end
                self.minutes.turn(at, self.totals())
            first = not waiting or recipient not in waiting
            fresh[hop if first and (entry.origin or _seconds(delay) < _RETRY) else hop + _HOPS].append(delays)
            key = hop * _WIDTH + status
            attempts[key] += 1
            if not entry.marks >> key & 1:
                before = entry.marks >> hop * _WIDTH & _ALL
                if not before:
                    tried[hop] += 1
                    if entry.busy and hop in (MAILBOX, REMOTE) and not entry.marks & _MAIL:
                        senders.append(entry.sender)
                if 1 << status & _FAILED and not before & _FAILED:
                    failed[hop] += 1
                entry.marks |= 1 << key
                messages[key] += 1
            if hop == REMOTE and (first or status in (SENT, BOUNCED)):
                domain = recipient[recipient.rfind(b"@") + 1 :].lower()
                far[status].append(domain)
                if status == SENT:
                    taken[domain] = at
                    secure += relay in relays
            if status == SENT:
                if at > success[hop]:
                    success[hop] = at
                entry.done += 1
                if waiting:
                    waiting.discard(recipient)
            else:
                self._unsent(entry, row)
        stages.trim()
        if senders:
            self.senders.add(rows[-1][0], senders)
        for top, domains in zip(self.destinations, far, strict=True):
            if domains:
                top.add(rows[-1][0], domains)
        self.encrypted[0] += len(far[SENT])
        self.encrypted[1] += secure
        if len(taken) > _DOMAINS:
            for domain in sorted(taken, key=taken.__getitem__)[: _DOMAINS // 2]:
                del taken[domain]

    def totals(self) -> tuple[int, ...]:
        """What `minutes` tells the rise of: `messages`, `tried`, `failed`, `encrypted`."""
        return (*self.messages, *self.tried, *self.failed, *self.encrypted)

    def encrypts(self, relays: set[bytes]) -> None:
        """Learn to whom TLS was established; a relay that speaks it once is taken to speak it."""
        if len(self._tls_relays) > _DOMAINS:
            self._tls_relays.clear()
        self._tls_relays |= relays

    @property
    def tells_tls(self) -> bool:
        """Does this Postfix log with whom it speaks TLS (`smtp_tls_loglevel` 1)?"""
        return bool(self._tls_relays)

    def leave(self, entry: Entry, at: float) -> None:
        """An id, or its former life, waits for no reason any more."""
        if entry.cause is not None:
            self._reasons.go(entry.cause, at)
            entry.cause = None

    def _unsent(self, entry: Entry, row: Delivery) -> None:
        """Enter an attempt that did not deliver: it waits, or it is over."""
        at, recipient, hop, status = row[0], row[2], entry.hop, entry.status
        if row[7] == b"5.4.6" or row[9].find(b"loops back to ") >= 0:
            self.loops.add(at, "loop")
        if status in (DEFERRED, SOFTBOUNCE, BOUNCED):
            if at > self.last_failure[hop]:
                self.last_failure[hop] = at
            if self.failing_since[hop] <= self.last_success[hop]:
                self.failing_since[hop] = at
        if status in (DEFERRED, SOFTBOUNCE):
            if entry.waiting is None:
                entry.waiting = set()
            entry.waiting.add(recipient)
            group = self._group(False, entry, row)
            if entry.cause is not group:
                self.leave(entry, at)
                entry.cause = group
                self._reasons.come(group, at)
            return
        entry.done += 1
        if entry.waiting:
            entry.waiting.discard(recipient)
        if status == BOUNCED:
            group = self._group(True, entry, row)
            if entry.bounced is not group:
                entry.bounced = group
                self._reasons.come(group, at)

    def _group(self, bounced: bool, entry: Entry, row: Delivery) -> Group:
        at, _, recipient, _, relay, _, _, dsn, _, reason, _ = row
        next_hop = self._hops.next_hop(entry.hop, relay, recipient, reason)
        return self._reasons.group(bounced, at, HOPS[entry.hop], dsn, reason, next_hop, entry.sender)

    def _filtered(self, id_: bytes, entry: Entry, reason: bytes) -> int:
        if entry.origin == SUSPECT:
            entry.origin = SMTPD
            self._acceptance.is_mail(id_)
        _, queued, next_ = reason.rpartition(b"queued as ")
        if queued:
            next_ = next_.rstrip(b")").partition(b" ")[0]
            if next_ != entry.next and next_.isalnum() and 6 <= len(next_) <= 32:
                entry.next = next_
                self._acceptance.is_again(id_, next_)
        elif reason.find(b"discarded, id=") >= 0:
            return DISCARDED
        return SENT


def _seconds(delay: bytes) -> float:
    try:
        return float(delay)
    except ValueError:
        return float("inf")
