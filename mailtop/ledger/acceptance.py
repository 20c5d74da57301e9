"""What counts as accepted mail: not what the filter hands back, not what is requeued, not our own probes.

A re-injection looks like any other mail until the log links it: by `orig_queue_id=`, or by the filter's answer
`queued as ID`, which is logged after the new id's first lines. So mail from where the filter may be (its known
addresses, this host, private networks) waits for that proof, half a minute at most; all other is counted at once.
"""

from __future__ import annotations

from mailtop.ledger.entry import IGNORED, REINJECTED, REQUEUED, SMTPD, SUSPECT, UNKNOWN
from mailtop.ledger.ids import Ids
from mailtop.ledger.top import Top

_PATIENCE = 30.0
_LEARNING = 600.0  # seconds in which a filter that is there will show itself
_PRIVATE = (b"127.", b"10.", b"192.168.", b"::1", b"fc", b"fd", b"fe80:", *(b"172.%d." % n for n in range(16, 32)))
_BEGINNINGS = frozenset(b"127 10. 192 172 ::1 fe8".split()) | {
    start + b"%c" % next_ for start in (b"fc", b"fd") for next_ in b"0123456789abcdef:"
}
_EXPECTED = 10_000
_SLOT, _SLOTS = 10, 6  # seconds, and how many of them make a rate
_KEPT = 366  # slots: a little more than an hour
_LIKELY = 5.0  # seconds without a proof, and it is no re-injection


class Acceptance:
    """Counts accepted messages. `filters`: addresses of the filter, growing as they are learned elsewhere."""

    def __init__(self, ids: Ids, filters: set[bytes], ignored: frozenset[bytes]) -> None:
        self._ids = ids
        self._filters = filters
        self._ignored = ignored
        self._pending: dict[bytes, tuple[float, bytes]] = {}
        self._unproven: dict[bytes, tuple[float, bytes]] = {}
        self._expected: dict[bytes, None] = {}
        self._began = 0.0
        self._clients: list[bytes] = []
        self._users: list[bytes] = []
        self.clients = Top(b"")
        self.users = Top(b"")
        self._logins: dict[int, int] = {}  # submitted by minute
        self._slots: dict[int, int] = {}  # accepted by ten seconds of the log: proof comes later than the mail
        self.accepted = 0
        self.submitted = 0
        self._last = 0.0

    def take(self, at: float, id_: bytes, client: bytes, user: bytes, original: bytes) -> int:
        """Take one smtpd line; the origin may be SUSPECT, and is then settled by one of the calls below."""
        if original or id_ in self._expected:
            self._expected.pop(id_, None)
            return REINJECTED
        address = client[client.rfind(b"[") + 1 : -1]
        if address in self._ignored:
            return IGNORED
        if user:
            self.submitted += 1
            self._users.append(user)
            self._logins[int(at) // 60] = self._logins.get(int(at) // 60, 0) + 1
        elif address in self._filters or (
            address[:3] in _BEGINNINGS and address.startswith(_PRIVATE) and self._may_filter(at)
        ):
            self._pending[id_] = (at, address)
            return SUSPECT
        self._clients.append(address)
        self.accept(at)
        return SMTPD

    def accept(self, at: float) -> None:
        """Count one."""
        self.accepted += 1
        slot = int(at) // _SLOT
        self._slots[slot] = self._slots.get(slot, 0) + 1
        if at > self._last:
            self._last = at

    def rate(self, now: float) -> float:
        """Return accepted messages a second over the minute before `now`, by the time that each was accepted.

        What waits for its proof counts here after a few seconds: re-injections are proven in less.
        """
        first = int(now) // _SLOT - _SLOTS
        start = first * _SLOT
        proven = sum(count for slot, count in self._slots.items() if slot >= first) if self._last >= start else 0
        likely = sum(start <= at < now - _LIKELY for at, _ in self._pending.values())
        return (proven + likely) / (now - start)

    def minutes(self) -> tuple[dict[int, int], dict[int, int]]:
        """Return messages by minute since the epoch, of the last hour at least: accepted, and those with a login."""
        accepted: dict[int, int] = {}
        for slot, count in self._slots.items():
            accepted[slot * _SLOT // 60] = accepted.get(slot * _SLOT // 60, 0) + count
        return accepted, dict(self._logins)

    def last(self, now: float) -> float:
        """Return when the newest was accepted, 0.0 for none; what waits for its proof counts as it does in the rate."""
        return max((at for at, _ in self._pending.values() if self._last < at < now - _LIKELY), default=self._last)

    def is_mail(self, id_: bytes) -> None:
        """It went to the filter, so it did not come from there."""
        found = self._pending.pop(id_, None) or self._unproven.pop(id_, None)
        if found is not None:
            self._clients.append(found[1])
            self.accept(found[0])

    def is_again(self, id_: bytes, next_: bytes) -> None:
        """The log says that `next_` is `id_` once more: not accepted mail, and ignored where `id_` is."""
        before, after = self._ids.find(id_), self._ids.find(next_)
        if before is not None:
            before.next = next_
        self._pending.pop(next_, None)
        if after is None or after.origin == UNKNOWN:
            if len(self._expected) >= _EXPECTED:
                self._expected.clear()
            self._expected[next_] = None  # its own line may still come, where another process was quicker
        if after is not None:
            if before is not None and before.origin == IGNORED:
                after.origin = IGNORED
            elif after.origin != REQUEUED:
                after.origin = REINJECTED

    def passes_filter(self, client: bytes) -> bool:
        """Will fresh mail from that client go to a filter, as far as is proven?"""
        return bool(self._filters) and client[client.rfind(b"[") + 1 : -1] not in self._filters

    def settle(self, now: float) -> None:
        """Count what waited long enough; but not the filter's own mail, until that goes to the filter."""
        if len(self._slots) > 2 * _KEPT:
            first = int(self._last) // _SLOT - _KEPT
            self._slots = {slot: count for slot, count in self._slots.items() if slot >= first}
            self._logins = {minute: n for minute, n in self._logins.items() if minute * 60 >= first * _SLOT}
        if self._clients:
            self.clients.add(self._last, self._clients)
            self.users.add(self._last, self._users)
            self._clients.clear()
            self._users.clear()
        for id_, (at, address) in list(self._pending.items()):
            if now - at < _PATIENCE:
                break
            if address in self._filters:
                if len(self._unproven) >= _EXPECTED:
                    self._unproven.clear()
                self._unproven[id_] = self._pending.pop(id_)
            else:
                self.is_mail(id_)

    def _may_filter(self, at: float) -> bool:
        if not self._began:
            self._began = at
        return bool(self._filters) or at - self._began < _LEARNING
