"""Overview: is it us, which hop, since when. The panels of this screen, one under another."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache

from mailtop.model.errors import MailtopError
from mailtop.model.plugin import plugins
from mailtop.model.snapshot import Alert, Cause, Health, HopState, Page, PageAsk
from mailtop.ui.choosing import Chosen
from mailtop.ui.ink import BLANK, Line, beside, plain, text
from mailtop.ui.keys import LIST, Bound
from mailtop.ui.loglines import log_filter
from mailtop.ui.meaning import cause_words
from mailtop.ui.messages import AskLine, GoTo, Say, WriteOut
from mailtop.ui.prompt import Prompt
from mailtop.ui.view import Panel, Post, Row, Scene, Screen, Size

KEYS = (
    *LIST,
    Bound("overview.into", "enter", "into", "what is under the cursor, on the screen that shows it", "into"),
    Bound("overview.panel", "tab", "panel", "to the next panel", "panel"),
    Bound("overview.describe", "d", "describe", "all about this row", "describe"),
    Bound("overview.zoom", "z", "zoom", "this panel alone, and back", "zoom"),
    Bound("overview.filter", "/", "filter", "only rows that match (/! not, /~ fuzzy)", "ask_filter"),
    Bound("overview.copy", "y", "", "copy this row (OSC 52)", "copy"),
    Bound("overview.output", "o", "", "write the screen to a file", "output"),
)

_LEADING = PageAsk("causes", limit=12)


class Overview(Chosen):
    """The panels, a cursor that belongs to the operator, and a filter."""

    name = "overview"

    def __init__(self, post: Post) -> None:
        super().__init__(post)
        self._pages: dict[str, Page] = {}
        self._zoomed = ""

    def draw(self, scene: Scene, size: Size) -> list[Line]:
        """All panels, the longer ones cut where room is short."""
        self._height = size.rows
        blocks = [(panel, self._filtered(panel.rows(scene, self._pages, size.cells))) for panel in _panels()]
        if self._zoomed:
            blocks = [(panel, rows) for panel, rows in blocks if panel.name == self._zoomed]
        self._rows = [(panel.name, row) for panel, rows in blocks for row in rows if row.key is not None]
        self._settle()
        if self._zoomed:
            return self._scrolled([row for _, rows in blocks for row in rows], size)
        return self._stacked(_shared_out(blocks, size), size)

    def wants(self, scene: Scene) -> Sequence[PageAsk]:
        """The leading causes, when they changed."""
        page = self._pages.get("causes")
        version = scene.snapshot.versions.get("causes", 0)
        return () if page is not None and page.version >= version else (_LEADING,)

    def take(self, page: Page) -> None:
        """The leading causes."""
        self._pages[page.ask.kind] = page

    def fail(self, ask: PageAsk, error: MailtopError) -> None:  # noqa: ARG002 - a screen's shape
        """No causes: the panel stays as it was, and the reason is said."""
        self._post(Say(str(error), Health.WARN))

    def back(self) -> bool:
        """Unzoom, drop the filter, put the cursor away."""
        if self._zoomed:
            self._zoomed = ""
        elif self._where:
            self._where = ""
        elif self._cursor is not None:
            self._cursor = None
        else:
            return False
        return True

    def narrow(self, ask: PageAsk, label: str) -> None:
        """Overview shows everything; there is nothing to narrow."""

    def log_filter(self) -> str:
        """The log of the row's host or service."""
        return log_filter(self._item())

    def panel(self) -> None:
        """The first row of the next panel."""
        here = self._cursor[0] if self._cursor else ""
        names = list(dict.fromkeys(name for name, _ in self._rows))
        if names:
            following = names[(names.index(here) + 1) % len(names)] if here in names else names[0]
            self._go(next(index for index, (name, _) in enumerate(self._rows) if name == following))

    def into(self) -> None:
        """Where the row under the cursor leads."""
        match self._item():
            case Cause() as cause:
                ask = PageAsk("messages", target=cause.target, cause=cause.id)
                self._post(GoTo("queue", ask, cause_words(cause)))
            case HopState():
                self._post(GoTo("queue"))
            case Alert(see=see) if see:
                self._post(GoTo(see))
            case None:
                pass
            case _:
                self.describe()

    def zoom(self) -> None:
        """This panel alone; without a cursor, the first one that has rows to choose."""
        if not self._cursor and self._rows:
            self._go(0)
        if self._cursor:
            self._zoomed = "" if self._zoomed else self._cursor[0]

    def output(self) -> None:
        """The screen's text, to a file."""
        lines = [plain(row.line) for _, row in self._rows]
        self._post(
            AskLine(
                Prompt("write to ", lambda path: self._post(WriteOut(path, lines=lines)), start="mailtop-overview.txt")
            )
        )

    def _stacked(self, blocks: list[tuple[Panel, list[Row]]], size: Size) -> list[Line]:
        lines: list[Line] = []
        for panel, rows in blocks:
            if lines and rows and not panel.close:
                lines.append(BLANK)
            lines += [self._drawn(panel.name, row, size.cells) for row in rows]
        if self._where:
            lines.append(((" /", "key"), (self._where, "title"), ("   esc shows all", "dim")))
        return lines[: size.rows]

    def _scrolled(self, rows: list[Row], size: Size) -> list[Line]:
        heads = [row for row in rows if row.key is None]
        return [*(row.line for row in heads), *self._window(self._rows, size.rows - len(heads) - 1, size.cells)]


def _shared_out(blocks: list[tuple[Panel, list[Row]]], size: Size) -> list[tuple[Panel, list[Row]]]:
    """Take rows, one at a time, from the panels that give most, until all fit; a cut is said."""
    sizes = {panel.name: len(rows) for panel, rows in blocks}
    spaces = sum(bool(rows) and not panel.close for panel, rows in blocks) - 1
    for _ in range(max(0, sum(sizes.values()) + spaces - size.rows)):
        givers = [panel for panel, _ in blocks if sizes[panel.name] > max(panel.least, 1)]
        if not givers:
            break
        giver = max(givers, key=lambda panel: (panel.gives, sizes[panel.name] - panel.least))
        sizes[giver.name] -= 1
    return [(panel, _cut(rows, sizes[panel.name], size.cells)) for panel, rows in blocks]


def _cut(rows: list[Row], room: int, cells: int) -> list[Row]:
    """So many rows; the last one says at its end how many more there are."""
    if len(rows) <= room or not room:
        return rows
    last = rows[room - 1]
    more = text(f"  +{len(rows) - room} more ", "dim")
    return [*rows[: room - 1], last._replace(line=beside(last.line, more, cells))]


@cache
def _panels() -> tuple[Panel, ...]:
    found = [panel for panel in plugins("mailtop.ui.panels", Panel) if panel.screen == "overview"]
    return tuple(sorted(found, key=lambda panel: panel.order))


SCREEN = Screen("1", "overview", "Overview", KEYS, Overview, "the way of a mail, hop by hop")
