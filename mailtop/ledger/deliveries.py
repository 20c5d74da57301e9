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
from mailtop.ledger.hops import ARCHIVE, FILTER, HOPS, Hops
from mailtop.ledger.ids import Ids
from mailtop.ledger.reasons import Group, Reasons
from mailtop.ledger.stages import Stages
from mailtop.parse.batch import Delivery

_WORDS = {
    b"deferred": DEFERRED,
    b"bounced": BOUNCED,
    b"expired": EXPIRED,
    b"force-expired": EXPIRED,
    b"SOFTBOUNCE": SOFTBOUNCE,
}
_WIDTH = len(STATUSES)
_RETRY = 200.0  # seconds; Postfix never retries sooner (`minimal_backoff_time` 300), so younger is a first attempt


class Deliveries:
    """Enters deliveries into the book.

    `attempts` and `messages` count by `hop * len(STATUSES) + status`: an attempt for each recipient, a message once.
    Times by hop, seconds since the epoch, 0.0 for never: `last_success`, `last_failure` (deferred, or bounced),
    `failing_since` (the first failure after the last success).
    """

    def __init__(self, ids: Ids, hops: Hops, acceptance: Acceptance, reasons: Reasons) -> None:
        self._ids = ids
        self._hops = hops
        self._acceptance = acceptance
        self._reasons = reasons
        self.stages = Stages(len(HOPS))
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
            if (not waiting or recipient not in waiting) and (entry.origin or _seconds(delay) < _RETRY):
                if at >= end:
                    fresh, end = stages.turn(at), stages.end
                fresh[hop].append(delays)
            key = hop * _WIDTH + status
            attempts[key] += 1
            if not entry.marks >> key & 1:
                entry.marks |= 1 << key
                messages[key] += 1
            if status == SENT:
                if at > success[hop]:
                    success[hop] = at
                entry.done += 1
                if waiting:
                    waiting.discard(recipient)
            else:
                self._unsent(entry, row)
        stages.trim()

    def leave(self, entry: Entry, at: float) -> None:
        """An id, or its former life, waits for no reason any more."""
        if entry.cause is not None:
            self._reasons.go(entry.cause, at)
            entry.cause = None

    def _unsent(self, entry: Entry, row: Delivery) -> None:
        """Enter an attempt that did not deliver: it waits, or it is over."""
        at, recipient, hop, status = row[0], row[2], entry.hop, entry.status
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
