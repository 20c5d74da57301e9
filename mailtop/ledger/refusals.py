"""Refused mail and failed logins: by code, by reason, by client."""

from __future__ import annotations

import re
from collections import Counter
from typing import TypeVar

from msgspec import Struct

from mailtop.model.text import Foreign
from mailtop.parse.batch import Batch, Reject, SaslFailure

_DETAIL = re.compile(rb"; (?:https?|see|Client host).*|, \[.*|, (?:please|see) .*|\[[^\]]*\]|https?://\S*")
_MOST = 2_000
OTHER = b"other"
_Key = TypeVar("_Key")


class Refused(Struct, frozen=True):
    """Refusals for one reason: `code` 0 where Postfix gives none; `reason` without addresses."""

    code: int
    dsn: str
    reason: Foreign
    count: int


class Refusals:
    """Totals since the book was opened. Bounded: what comes after 2,000 reasons or clients counts under `other`."""

    def __init__(self, ignored: frozenset[bytes]) -> None:
        self._ignored = ignored
        self._reasons: Counter[tuple[int, bytes, bytes]] = Counter()
        self._clients: Counter[bytes] = Counter()
        self._failing: Counter[bytes] = Counter()
        self._reduced: dict[bytes, bytes] = {}
        self.codes: Counter[int] = Counter()
        self.sasl_failures = 0

    def feed(self, batch: Batch) -> None:
        """Enter one batch."""
        if batch.rejects:
            self._rejects(batch.rejects)
        if batch.sasl_failures:
            self._logins(batch.sasl_failures)

    def reasons(self, most: int = 20) -> list[Refused]:
        """Return the most frequent reasons."""
        return [
            Refused(code, dsn.decode("ascii", "replace"), Foreign(reason), count)
            for (code, dsn, reason), count in self._reasons.most_common(most)
        ]

    def clients(self, most: int = 20) -> list[tuple[Foreign, int]]:
        """Return the addresses that were refused most."""
        return [(Foreign(client), count) for client, count in self._clients.most_common(most)]

    def failing(self, most: int = 20) -> list[tuple[Foreign, int]]:
        """Return the addresses with the most failed logins."""
        return [(Foreign(client), count) for client, count in self._failing.most_common(most)]

    def _rejects(self, rows: list[Reject]) -> None:
        addresses = [_address(row.client) for row in rows]
        if not self._ignored.isdisjoint(addresses):
            kept = [pair for pair in zip(rows, addresses, strict=True) if pair[1] not in self._ignored]
            rows, addresses = [row for row, _ in kept], [address for _, address in kept]
        self.codes.update([row.code for row in rows])
        _add(self._clients, addresses, OTHER)
        _add(self._reasons, [(row.code, row.dsn, self._like(row.reason)) for row in rows], (0, b"", OTHER))

    def _like(self, reason: bytes) -> bytes:
        if reason[:1] == b"<":
            reason = reason.partition(b">: ")[2] or reason
        if b"[" in reason:  # an address, which would make every reason its own
            before, _, after = reason.partition(b"[")
            reason = before + after.partition(b"]")[2]
        like = self._reduced.get(reason)
        if like is None:
            if len(self._reduced) >= _MOST:
                self._reduced.clear()
            like = self._reduced[reason] = _DETAIL.sub(b"", reason)[:120].strip()
        return like

    def _logins(self, rows: list[SaslFailure]) -> None:
        addresses = [address for row in rows if (address := _address(row.client)) not in self._ignored]
        self.sasl_failures += len(addresses)
        _add(self._failing, addresses, OTHER)


def _address(client: bytes) -> bytes:
    """Return the address in `name[address]` or `[address]:port`."""
    return client.rpartition(b"[")[2].partition(b"]")[0]


def _add(counter: Counter[_Key], keys: list[_Key], other: _Key) -> None:
    if len(counter) + len(keys) > _MOST:
        keys = [key if key in counter else other for key in keys]
    counter.update(keys)
