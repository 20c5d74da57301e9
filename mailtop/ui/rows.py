"""A list too long to hold: pages as they come, and a cursor that stays with its row when rows move."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from typing import Generic, TypeVar

Item = TypeVar("Item")

PAGE = 200
_KEPT = 8  # pages


class Rows(Generic[Item]):
    """Rows by index, loaded page by page.

    The cursor has an index (`at`) and an identity (`key`). When its row moves the cursor moves with it; when its row
    is gone the cursor is `astray`: it stands where it stood, and points at nothing until the operator moves it.
    """

    def __init__(self, identity: Callable[[Item], Hashable]) -> None:
        self.total = 0
        self.known = False  # has any page come?
        self.top = 0
        self.at = 0
        self.key: Hashable = None
        self.astray = False
        self.marks: dict[Hashable, Item] = {}
        self.everything = False
        self.anchor: int | None = None
        self._identity = identity
        self._pages: dict[int, tuple[int, Sequence[Item]]] = {}  # offset → version, items

    def item(self, index: int) -> Item | None:
        """The row at an index, None where it is not loaded."""
        page = self._pages.get(index - index % PAGE)
        at = index % PAGE
        return page[1][at] if page and at < len(page[1]) else None

    @property
    def current(self) -> Item | None:
        """The row under the cursor, None when astray or not loaded."""
        return None if self.astray else self.item(self.at)

    def take(self, offset: int, items: Sequence[Item], total: int, version: int) -> None:
        """Receive a page; `offset` is a multiple of PAGE."""
        self.known = True
        self.total = total
        self._pages[offset] = (version, items)
        if self.marks:  # what is marked is what the screen shows of it now
            self.marks.update((key, item) for item in items if (key := self._identity(item)) in self.marks)
        for stale in sorted(self._pages, key=lambda start: abs(start - self.at))[_KEPT:]:
            del self._pages[stale]
        self._follow(offset, items, version)

    def lacking(self, height: int, version: int) -> list[int]:
        """The offsets of visible pages that are missing or older than `version`."""
        stop = max(1, min(self.top + height, self.total)) if self.known else 1
        first = self.top - self.top % PAGE
        return [start for start in range(first, stop, PAGE) if self._pages.get(start, (-1, ()))[0] < version]

    def move(self, steps: int) -> None:
        """Move the cursor by rows."""
        self.go(self.at + steps)

    def go(self, index: int) -> None:
        """Put the cursor on a row."""
        self.at = max(0, min(index, self.total - 1))
        item = self.item(self.at)
        self.key = None if item is None else self._identity(item)
        self.astray = False

    def window(self, height: int) -> range:
        """The visible indices, with the cursor among them."""
        if self.at < self.top:
            self.top = self.at
        elif self.at >= self.top + height:
            self.top = self.at - height + 1
        self.top = max(0, min(self.top, self.total - height))
        return range(self.top, min(self.top + height, self.total))

    def mark(self) -> None:
        """Mark or unmark the row under the cursor, or end a range: all rows from its start are marked."""
        if self.anchor is not None:
            self._mark_range(self.anchor)
            return
        item = self.current
        if item is None:
            return
        if self.marks.pop(self._identity(item), None) is None:
            self.marks[self._identity(item)] = item
        self.everything = False

    def range(self) -> bool:
        """Start a range at the cursor, or end it; false when some of its rows are not loaded."""
        if self.anchor is None:
            self.anchor = self.at
            return True
        return self._mark_range(self.anchor)

    def unmark(self) -> None:
        """Drop all marks."""
        self.marks.clear()
        self.everything = False
        self.anchor = None

    def marked(self, index: int) -> bool:
        """Is the row at an index marked, or in the range being marked?"""
        if self.everything:
            return True
        if self.anchor is not None and min(self.anchor, self.at) <= index <= max(self.anchor, self.at):
            return True
        item = self.item(index)
        return item is not None and self._identity(item) in self.marks

    def _mark_range(self, anchor: int) -> bool:
        items = [self.item(index) for index in range(min(anchor, self.at), max(anchor, self.at) + 1)]
        loaded = [item for item in items if item is not None]
        if len(loaded) < len(items):
            return False
        self.anchor = None
        self.everything = False
        self.marks.update((self._identity(item), item) for item in loaded)
        return True

    def _follow(self, offset: int, items: Sequence[Item], version: int) -> None:
        if not self.total:
            self.at, self.key, self.astray = 0, None, False
        elif self.key is None:
            self.at = min(self.at, self.total - 1)
            item = self.item(self.at)
            self.key = None if item is None else self._identity(item)
        else:
            found = next((index for index, item in enumerate(items) if self._identity(item) == self.key), None)
            if found is not None:
                self.top += offset + found - self.at
                self.at, self.astray = offset + found, False
            elif offset <= self.at < offset + PAGE or self.at >= self.total:
                self.astray = not self._elsewhere(version)
                self.at = min(self.at, self.total - 1)

    def _elsewhere(self, version: int) -> bool:
        """Is the cursor's row on another page that is as new?"""
        return any(
            self._identity(item) == self.key
            for held, items in self._pages.values()
            if held == version
            for item in items
        )
