"""Messages of a listing that were chosen for an act, a million of them or one.

Nobody writes to a listing once it is read, so that its row numbers freeze what was chosen: 4 bytes a message instead of
300. A noun of a message is made when one is asked for, and kept by nobody.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import compress, repeat
from operator import itemgetter
from typing import Any, overload

from mailtop.model.operation import Item
from mailtop.parse.postqueue import QUEUES, Listing

FEW = 10_000
"""So few are kept as nouns: their rows would keep the whole listing."""


class Chosen(Sequence[Item]):
    """The messages of some rows of one listing. `rows`: ascending, each once."""

    def __init__(self, listing: Listing, rows: Sequence[int]) -> None:
        self._listing = listing
        self._rows = rows

    def __len__(self) -> int:
        return len(self._rows)

    @overload
    def __getitem__(self, index: int) -> Item: ...

    @overload
    def __getitem__(self, index: slice) -> tuple[Item, ...]: ...

    def __getitem__(self, index: int | slice) -> Item | tuple[Item, ...]:
        if isinstance(index, slice):
            return tuple(self._item(row) for row in self._rows[index])
        return self._item(self._rows[index])

    def __iter__(self) -> Iterator[Item]:
        """Each message, under a microsecond: whole columns are walked side by side."""
        listing = self._listing
        queues = [QUEUES[cell.queue].value for cell in listing.cells]
        return map(
            Item,
            map(bytes.decode, self._of(listing.ids)),
            map(listing.senders.__getitem__, self._of(listing.sender)),
            map(float, self._of(listing.arrival)),
            self._of(listing.size),
            map(queues.__getitem__, self._of(listing.cell)),
            map(itemgetter(0), map(bytes.partition, self._of(listing.recipients), repeat(b"\0"))),
        )

    def _of(self, column: Iterable[Any]) -> Iterator[Any]:
        """The chosen rows of a column."""
        if len(self._rows) == len(self._listing):
            return iter(column)
        mask = bytearray(len(self._listing))
        for row in self._rows:
            mask[row] = 1
        return compress(column, mask)

    def _item(self, row: int) -> Item:
        entry = self._listing.entry(row, "")
        return Item(entry.key.id, entry.sender, entry.arrival, entry.size, entry.queue.value, entry.recipient)


def items(listing: Listing, rows: Sequence[int]) -> Sequence[Item]:
    """Freeze rows of a listing to what their ids mean now."""
    chosen = Chosen(listing, rows)
    return chosen[:] if len(rows) <= FEW else chosen
