"""A screen of rows that are all at hand: a cursor that belongs to the operator, a filter, and what both lead to."""

from __future__ import annotations

from collections.abc import Hashable, Sequence

from mailtop.model.errors import MailtopError
from mailtop.model.snapshot import Health, Page, PageAsk
from mailtop.ui.filtering import matches
from mailtop.ui.ink import BLANK, Line, fit, plain, text, under
from mailtop.ui.messages import AskLine, Copy, OpenSheet, Say, WriteOut
from mailtop.ui.prompt import Prompt
from mailtop.ui.sheets.words import Words
from mailtop.ui.view import Post, Row


class Chosen:
    """The cursor stays with its row when rows move. A screen fills `_rows` (part, row) as it draws."""

    def __init__(self, post: Post) -> None:
        self._post = post
        self._cursor: tuple[str, Hashable] | None = None
        self._at = 0
        self._where = ""
        self._top = 0
        self._rows: list[tuple[str, Row]] = []
        self._height = 20

    def down(self) -> None:
        """Next row."""
        self._go(self._at + 1 if self._cursor else 0)

    def up(self) -> None:
        """Row before."""
        self._go(self._at - 1 if self._cursor else len(self._rows) - 1)

    def page_down(self) -> None:
        """Half a screen on."""
        self._go(self._at + self._height // 2)

    def page_up(self) -> None:
        """Half a screen back."""
        self._go(self._at - self._height // 2)

    def first(self) -> None:
        """First row."""
        self._go(0)

    def last(self) -> None:
        """Last row."""
        self._go(len(self._rows) - 1)

    def describe(self) -> None:
        """The row in full."""
        row = self._row()
        if row is not None:
            self._post(OpenSheet(Words.of_item(row.item, plain(row.line).strip())))

    def ask_filter(self) -> None:
        """Type a filter."""
        self._post(AskLine(Prompt("/", self._filter, start=self._where)))

    def copy(self) -> None:
        """The row's text."""
        row = self._row()
        if row is not None:
            self._post(Copy(plain(row.line).strip(), "the row"))

    def _filter(self, where: str) -> None:
        self._where = where.strip()

    def _filtered(self, rows: list[Row]) -> list[Row]:
        if not self._where:
            return rows
        return [row for row in rows if row.key is None or matches(self._where, plain(row.line))]

    def _row(self) -> Row | None:
        return self._rows[self._at][1] if self._cursor and self._at < len(self._rows) else None

    def _item(self) -> object:
        row = self._row()
        return row.item if row else None

    def _go(self, index: int) -> None:
        if self._rows:
            self._at = max(0, min(index, len(self._rows) - 1))
            name, row = self._rows[self._at]
            self._cursor = (name, row.key)

    def _settle(self) -> None:
        """The cursor's row may have moved; if it is gone, the row now in its place is next."""
        if self._cursor is None:
            return
        places = {(name, row.key): index for index, (name, row) in enumerate(self._rows)}
        if self._cursor in places:
            self._at = places[self._cursor]
        elif self._rows:
            self._go(self._at)
        else:
            self._cursor = None

    def _drawn(self, name: str, row: Row, cells: int) -> Line:
        if row.key is None or self._cursor != (name, row.key):
            return row.line
        return under(fit((("▸", "accent"), *_behind_the_cursor(row.line)), cells), "cursor")

    def _window(self, rows: Sequence[tuple[str, Row]], room: int, cells: int) -> list[Line]:
        """As many rows as there is room for, with the cursor's among them; `rows` may hold headings too."""
        room = max(1, room)
        at = next((i for i, (name, row) in enumerate(rows) if self._cursor == (name, row.key)), self._top)
        self._top = max(0, min(self._top, at, len(rows) - room) if at < self._top else self._top)
        self._top = max(self._top, at - room + 1)
        return [self._drawn(name, row, cells) for name, row in rows[self._top : self._top + room]]


class Paged(Chosen):
    """One page that fills a screen: what was last seen of it stays when it cannot be asked, and the reason is said."""

    name = ""

    def __init__(self, post: Post) -> None:
        super().__init__(post)
        self._page: Page | None = None
        self._error = ""
        self._lines: list[Line] = []

    def take(self, page: Page) -> None:
        """The page as it is now."""
        self._page, self._error = page, ""

    def fail(self, ask: PageAsk, error: MailtopError) -> None:  # noqa: ARG002 - a screen's shape
        """What was shown stays, and the reason is said."""
        self._error = str(error)
        self._post(Say(str(error), Health.WARN))

    def back(self) -> bool:
        """Drop the filter, put the cursor away."""
        if self._where:
            self._where = ""
        elif self._cursor is not None:
            self._cursor, self._top = None, 0
        else:
            return False
        return True

    def narrow(self, ask: PageAsk, label: str) -> None:  # noqa: ARG002 - a screen's shape
        """Only what another screen leads to."""
        self._where = ask.where

    def output(self) -> None:
        """The screen's text, to a file."""
        lines = [plain(line) for line in self._lines]
        start = f"mailtop-{self.name}.txt"
        self._post(AskLine(Prompt("write to ", lambda path: self._post(WriteOut(path, lines=lines)), start=start)))

    def _nothing(self) -> list[Line]:
        """Why there is no page to draw."""
        why = self._error or (self._page.unknown if self._page is not None else "") or "asking …"
        return [BLANK, text(f" {why}", "dim")]

    def _foot(self) -> list[Line]:
        """What the rows are filtered by."""
        return [((" /", "key"), (self._where, "title"), ("   esc shows all", "dim"))] if self._where else []


def _behind_the_cursor(line: Line) -> Line:
    words, role = line[0] if line else (" ", "text")
    return ((words[1:], role), *line[1:]) if words[1:] else line[1:]
