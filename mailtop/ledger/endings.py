"""How ids ended otherwise than by delivery: requeued under another id, or given back to their sender at once."""

from __future__ import annotations

from typing import TypeVar

from mailtop.parse.batch import Expired, Pickup

MOST = 20_000  # of each kind
Value = TypeVar("Value")


class Endings:
    """The last of each kind, whether the book has known the ids or not. Bounded: the oldest are forgotten."""

    def __init__(self, most: int = MOST) -> None:
        self._most = most
        self._requeued: dict[bytes, tuple[float, bytes]] = {}
        self._returned: dict[bytes, float] = {}

    def feed(self, pickups: list[Pickup], expired: list[Expired]) -> None:
        """Enter what pickup took again, and what qmgr returned because somebody had told it to."""
        for row in pickups:
            if row.original:
                _put(self._requeued, row.original, (row.at, row.id), self._most)
        for gone in expired:
            _put(self._returned, gone.id, gone.at, self._most)

    def requeued(self, id_: bytes, after: float) -> str:
        """Return the id under which a message went on, at or after a time; empty where it did not."""
        at, new = self._requeued.get(id_, (0.0, b""))
        return new.decode("ascii") if new and at >= after // 1 else ""

    def returned(self, id_: bytes, after: float) -> bool:
        """Was it given back to its sender, without another try, at or after a time?"""
        at = self._returned.get(id_)
        return at is not None and at >= after // 1


def _put(kept: dict[bytes, Value], key: bytes, value: Value, most: int) -> None:
    kept.pop(key, None)
    kept[key] = value
    if len(kept) > most:
        del kept[next(iter(kept))]
