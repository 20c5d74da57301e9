"""Refused mail and failed logins: by code, by reason, by client."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable
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

    def _rejects(self, rows: Iterable[Reject]) -> None:
        for row in rows:
            address = _address(row.client)
            if address in self._ignored:
                continue
            self.codes[row.code] += 1
            reason = self._like(row.reason)
            _add(self._reasons, (row.code, row.dsn, reason), (0, b"", OTHER))
            _add(self._clients, address, OTHER)

    def _like(self, reason: bytes) -> bytes:
        if reason[:1] == b"<":
            reason = reason.partition(b">: ")[2] or reason
        like = self._reduced.get(reason)
        if like is None:
            if len(self._reduced) >= _MOST:
                self._reduced.clear()
            like = self._reduced[reason] = _DETAIL.sub(b"", reason)[:120].strip()
        return like

    def _logins(self, rows: Iterable[SaslFailure]) -> None:
        for row in rows:
            address = _address(row.client)
            if address not in self._ignored:
                self.sasl_failures += 1
                _add(self._failing, address, OTHER)


def _address(client: bytes) -> bytes:
    """Return the address in `name[address]` or `[address]:port`."""
    return client.rpartition(b"[")[2].partition(b"]")[0]


def _add(counter: Counter[_Key], key: _Key, other: _Key) -> None:
    if key not in counter and len(counter) >= _MOST:
        key = other
    counter[key] += 1
