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
        ignored, like = self._ignored, self._like
        codes: list[int] = []
        clients: list[bytes] = []
        reasons: list[tuple[int, bytes, bytes]] = []
        for _, _, _, _, client, code, dsn, reason, _, _ in rows:
            address = _address(client)
            if address not in ignored:
                codes.append(code)
                clients.append(address)
                reasons.append((code, dsn, like(reason)))
        self.codes.update(codes)
        _add(self._clients, clients, OTHER)
        _add(self._reasons, reasons, (0, b"", OTHER))

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
