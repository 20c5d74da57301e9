"""Columns that find their place: which ones fit, how wide each is, always the same for the same width."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Generic, NamedTuple, TypeVar

from mailtop.ui.ink import Line, fit, text

Item = TypeVar("Item")


class Column(NamedTuple, Generic[Item]):
    """One column. `least` and `most`: its cells; `most` above `least` lets it take what is left over.

    `rank` 0 is always there, the others come in that order as long as there is room. `sort`: the column's name for
    a PageAsk, empty where the engine cannot sort by it. `gap`: spaces before it.
    `want`: cells it should have before a column of some rank comes.
    """

    title: str
    least: int
    cell: Callable[[Item], Line]
    most: int = 0
    right: bool = False
    rank: int = 0
    sort: str = ""
    gap: int = 2
    want: int = 0


class Layout(Generic[Item]):
    """Some columns, laid out for one width."""

    def __init__(self, columns: Sequence[Column[Item]], cells: int) -> None:
        self.columns: list[Column[Item]] = []
        left = cells + 2 - sum(max(0, column.want - column.least) for column in columns if not column.rank)
        chosen: set[int] = set()
        for index in sorted(range(len(columns)), key=lambda i: columns[i].rank):
            if not columns[index].rank or left >= columns[index].least + columns[index].gap:
                chosen.add(index)
                left -= columns[index].least + columns[index].gap
        self.columns = [column for index, column in enumerate(columns) if index in chosen]
        self.sizes = [column.least for column in self.columns]
        self._spread(max(0, cells - sum(self.sizes) - sum(column.gap for column in self.columns[1:])))

    def _spread(self, left: int) -> None:
        """Share what is left over among the columns that can grow, each by how much it could."""
        room = [max(0, column.most - column.least) for column in self.columns]
        total = sum(room)
        if not total:
            return
        given = [min(more, more * left // total) for more in room]
        for index in sorted(range(len(room)), key=lambda i: -room[i]):  # the rest of the division
            given[index] += min(room[index] - given[index], max(0, left - sum(given)))
        self.sizes = [size + more for size, more in zip(self.sizes, given, strict=True)]

    def head(self, sort: str = "") -> Line:
        """Return the titles; the column sorted by carries an arrow."""
        titles = [self._title(column, sort) for column in self.columns]
        return self._joined([text(title, "head") for title in titles])

    def row(self, item: Item) -> Line:
        """Return one item's line."""
        return self._joined([column.cell(item) for column in self.columns])

    def _joined(self, cells: list[Line]) -> Line:
        pieces: list[tuple[str, str]] = []
        for column, size, cell in zip(self.columns, self.sizes, cells, strict=True):
            if pieces:
                pieces.append((" " * column.gap, "text"))
            pieces += fit(cell, size, column.right)
        return tuple(pieces)

    @staticmethod
    def _title(column: Column[Item], sort: str) -> str:
        if not column.sort or sort.lstrip("-") != column.sort:
            return column.title
        return f"{column.title} {'↓' if sort.startswith('-') else '↑'}"
