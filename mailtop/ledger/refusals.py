"""Refused mail and failed logins: by code, by reason, by client."""

from __future__ import annotations

import re
from collections import Counter

from msgspec import Struct

from mailtop.ledger.top import Top
from mailtop.model.text import Foreign
from mailtop.parse.batch import Batch, Reject, SaslFailure

_DETAIL = re.compile(rb"; (?:https?|see|Client host).*|, \[.*|, (?:please|see) .*|\[[^\]]*\]|https?://\S*")
_MOST = 2_000
_MINUTES = 61
OTHER = b"other"


class Refused(Struct, frozen=True):
    """Refusals for one reason: `code` 0 where Postfix gives none; `reason` without addresses."""

    code: int
    dsn: str
    reason: Foreign
    count: int


class Refusals:
    """Totals since the book was opened, and what was most in the last hour.

    `minutes`: refusals by minute since the epoch; `passing`: those of them that are our own trouble (451, 4.3.x).
    """

    def __init__(self, ignored: frozenset[bytes]) -> None:
        self._ignored = ignored
        self._reasons: Top[tuple[int, bytes, bytes]] = Top((0, b"", OTHER))
        self._clients: Top[bytes] = Top(OTHER)
        self._failing: Top[bytes] = Top(OTHER)
        self._guessed: Top[bytes] = Top(OTHER)
        self._at = 0.0
        self.minutes: Counter[int] = Counter()
        self.passing: Counter[int] = Counter()
        self._reduced: dict[bytes, bytes] = {}
        self.codes: Counter[int] = Counter()
        self.sasl_failures = 0

    def feed(self, batch: Batch) -> None:
        """Enter one batch."""
        self._at = max(self._at, batch.last)
        if batch.rejects:
            self._rejects(batch.rejects)
        if batch.sasl_failures:
            self._logins(batch.sasl_failures)

    def reasons(self, most: int = 20) -> list[Refused]:
        """Return the most frequent reasons."""
        return [
            Refused(code, dsn.decode("ascii", "replace"), Foreign(reason), count)
            for (code, dsn, reason), count in self._reasons.sums(self._at).most_common(most)
        ]

    def clients(self, most: int = 20) -> list[tuple[Foreign, int]]:
        """Return the addresses that were refused most."""
        return [(Foreign(client), count) for client, count in self._clients.sums(self._at).most_common(most)]

    def failing(self, most: int = 20) -> list[tuple[Foreign, int]]:
        """Return the addresses with the most failed logins."""
        return [(Foreign(client), count) for client, count in self._failing.sums(self._at).most_common(most)]

    def guessed(self, most: int = 20) -> list[tuple[Foreign, int]]:
        """Return the users that logins failed for most, where Postfix names them."""
        return [(Foreign(user), count) for user, count in self._guessed.sums(self._at).most_common(most)]

    def _rejects(self, rows: list[Reject]) -> None:
        ignored, like = self._ignored, self._like
        codes: list[int] = []
        clients: list[bytes] = []
        reasons: list[tuple[int, bytes, bytes]] = []
        minutes: list[int] = []
        for at, _, _, _, client, code, dsn, reason, _, _ in rows:
            address = _address(client)
            if address not in ignored:
                codes.append(code)
                minutes.append(int(at) // 60)
                if code == 451 or dsn[:4] == b"4.3.":
                    self.passing[int(at) // 60] += 1
                clients.append(address)
                reasons.append((code, dsn, like(reason)))
        self.codes.update(codes)
        self._clients.add(self._at, clients)
        self._reasons.add(self._at, reasons)
        self.minutes.update(minutes)
        if len(self.minutes) > 2 * _MINUTES:
            oldest = int(self._at) // 60 - _MINUTES
            self.minutes = Counter({minute: n for minute, n in self.minutes.items() if minute >= oldest})
            self.passing = Counter({minute: n for minute, n in self.passing.items() if minute >= oldest})

    def _like(self, reason: bytes) -> bytes:
        if reason[:1] == b"<":
            reason = reason.partition(b">: ")[2] or reason
        before, bracket, after = reason.partition(b"[")
        if bracket:  # an address, which would make every reason its own
            reason = before + after.partition(b"]")[2]
        like = self._reduced.get(reason)
        if like is None:
            if len(self._reduced) >= _MOST:
                self._reduced.clear()
            like = self._reduced[reason] = _DETAIL.sub(b"", reason)[:120].strip()
        return like

    def _logins(self, rows: list[SaslFailure]) -> None:
        counted = [row for row in rows if _address(row.client) not in self._ignored]
        self.sasl_failures += len(counted)
        self._failing.add(self._at, [_address(row.client) for row in counted])
        self._guessed.add(self._at, [row.user for row in counted if row.user])


def _address(client: bytes) -> bytes:
    """Return the address in `name[address]` or `[address]:port`."""
    return client.rpartition(b"[")[2].partition(b"]")[0]
