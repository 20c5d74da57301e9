"""The queue ids in the book: those that live, and for a while those that ended."""

from __future__ import annotations

from collections.abc import ItemsView, Iterator

from mailtop.ledger.entry import UNKNOWN, Entry
from mailtop.parse.batch import Removed

_ENDED = 5_000
_SECONDS = 300.0


class Ids:
    """Entries by id, in order of their first line; bounded by number and age.

    Ended ids are kept in two halves, the older of which is dropped when the younger is full or five minutes old:
    so no single end costs a search for the oldest.
    """

    def __init__(self, max_live: int, max_age: float) -> None:
        self._max_live = max_live
        self._max_age = max_age
        self._live: dict[bytes, Entry] = {}
        self._young: dict[bytes, Entry] = {}
        self._old: dict[bytes, Entry] = {}
        self._turned = 0.0
        self.evicted = 0
        self.get = self._live.get
        self.begin = self._live.__setitem__  # for an id that `find` did not find

    def __len__(self) -> int:
        return len(self._live)

    def __iter__(self) -> Iterator[bytes]:
        return iter(self._live)

    def items(self) -> ItemsView[bytes, Entry]:
        """Return the living ids with their entries."""
        return self._live.items()

    def open(self, id_: bytes, entry: Entry) -> Entry:
        """Begin an id; whatever had it before is over."""
        self._live.pop(id_, None)  # it goes to the end of the order
        self._live[id_] = entry
        return entry

    def late(self, id_: bytes, at: float) -> Entry:
        """Return the entry of an id that a line names and that does not live: an ended one, or a new unknown one."""
        return self._young.get(id_) or self._old.get(id_) or self.open(id_, Entry(at, UNKNOWN))

    def find(self, id_: bytes) -> Entry | None:
        """Return an id's entry, living or ended."""
        entry = self.get(id_)
        return entry if entry is not None else self._young.get(id_) or self._old.get(id_)

    def end_all(self, rows: list[Removed]) -> list[tuple[float, Entry]]:
        """End ids; return those of them that lived and waited for something."""
        pop, young = self._live.pop, self._young
        waited: list[tuple[float, Entry]] = []
        for at, id_ in rows:
            entry = pop(id_, None)
            if entry is not None:
                entry.ended = at
                young[id_] = entry
                if entry.cause is not None:
                    waited.append((at, entry))
        if rows and (rows[-1][0] - self._turned > _SECONDS or len(young) >= _ENDED):
            self._old, self._young, self._turned = young, {}, rows[-1][0]
        return waited

    def ended(self, id_: bytes) -> float | None:
        """Return when an id ended; None where it lives, or is not known any more."""
        entry = self.find(id_)
        return entry.ended if entry is not None and entry.ended else None

    def sweep(self, now: float) -> None:
        """Forget what is too old or too much."""
        excess = len(self._live) - self._max_live
        drop: list[bytes] = []
        for id_, entry in self._live.items():
            if len(drop) < excess or now - max(entry.arrival, entry.busy) > self._max_age:
                drop.append(id_)
            elif now - entry.arrival <= self._max_age:
                break
        for id_ in drop:
            del self._live[id_]
        self.evicted += len(drop)
