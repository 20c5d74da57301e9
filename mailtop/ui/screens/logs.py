"""Logs: all hosts and daemons merged by time, live. Moving up leaves the newest lines; `G` goes on with them."""

from __future__ import annotations

from collections.abc import Sequence

from mailtop.model.errors import MailtopError
from mailtop.model.log import LogLine, LogPage, LogWindow, Place
from mailtop.model.snapshot import Health, Page, PageAsk
from mailtop.model.text import Foreign, shown
from mailtop.ui.figures import SIGNS, count
from mailtop.ui.ink import BLANK, Line, beside, text, under
from mailtop.ui.keys import LIST, Bound
from mailtop.ui.loglines import Drawing, about, words
from mailtop.ui.messages import AskLine, Copy, OpenSheet, Say, WriteOut
from mailtop.ui.prompt import Prompt
from mailtop.ui.sheets.words import Words
from mailtop.ui.view import Post, Scene, Screen, Size

KEYS = (
    *LIST,
    Bound("logs.search", "/", "search", "search in the lines; empty: no more", "ask_search"),
    Bound("logs.next", "n", "next", "next line that matches the search", "search_next"),
    Bound("logs.previous", "N", "", "the one before", "search_previous"),
    Bound("logs.error", "e", "error", "next error or warning", "error_next"),
    Bound("logs.error_before", "E", "", "the one before", "error_previous"),
    Bound("logs.filter", "f", "filter", "only host: daemon: level: id: or words (! not, ~ fuzzy)", "ask_filter"),
    Bound("logs.describe", "d", "describe", "the whole line", "describe", ("enter",)),
    Bound("logs.copy", "y", "", "copy the line (OSC 52)", "copy"),
    Bound("logs.output", "o", "", "write all lines that match the filter to a file", "output"),
)

SPARE = 2  # screens of lines that are fetched on either side of the cursor


class Logs:
    """Keeps where the operator looks: at the newest lines, or at a line that stays where it is."""

    name = "logs"

    def __init__(self, post: Post) -> None:
        self._post = post
        self._where = ""
        self._find = ""
        self._page: LogPage | None = None
        self._asked: PageAsk | None = None  # what the page answers, or will
        self._version = self._newest = -1  # of what is shown, and of what there is
        self._cursor: Place | None = None  # None: the newest line, whichever that is
        self._top: Place | None = None  # the line at the top of the screen, while it does not follow
        self._error = ""
        self._height = 20

    @property
    def _following(self) -> bool:
        return self._cursor is None

    @property
    def _lines(self) -> Sequence[LogLine]:
        return self._page.lines if self._page is not None else ()

    @property
    def _seeking(self) -> bool:
        return self._asked is not None and self._asked.window is not None and self._asked.window.seek != 0

    def draw(self, scene: Scene, size: Size) -> list[Line]:
        """A head that says what is shown, then the lines; the newest at the bottom."""
        self._height = max(1, size.rows - 2)
        drawing = Drawing(scene, self._find, size.cells)
        if self._error or not self._lines:
            return [self._head(scene, size.cells), BLANK, self._nothing()]
        at = self._at()
        window = self._window(at)
        rows = [self._row(drawing, index, index == at, size.cells) for index in window]
        return [self._head(scene, size.cells), drawing.titles(), *rows]

    def wants(self, scene: Scene) -> Sequence[PageAsk]:
        """The newest lines whenever there are newer ones; else a window around the cursor once its edge is near."""
        self._newest = version = scene.snapshot.versions.get("logs", 0)
        if self._asked is not None and self._seeking:
            return (self._asked,)
        spare = SPARE * self._height
        if self._following:
            ask = PageAsk("logs", where=self._where, window=LogWindow(back=spare))
            fresh = self._asked == ask and self._page is not None and self._version >= version
            self._asked = ask
            return () if fresh else (ask,)
        if self._page is not None and not self._near_an_edge():
            return ()
        self._asked = PageAsk("logs", where=self._where, window=LogWindow(self._cursor, back=spare, ahead=spare))
        return (self._asked,)

    def take(self, page: Page) -> None:
        """Lines, if they are still the ones that were asked for last."""
        if page.log is None or page.ask != self._asked:
            return
        self._error = page.unknown
        sought = page.ask.window is not None and page.ask.window.seek
        if sought and page.log.found is None:
            self._asked = None
            what = f"no line with {self._find}" if page.ask.window and page.ask.window.find else "no error or warning"
            self._post(Say(f"{what} {'after' if sought > 0 else 'before'} this one", Health.WARN))
            return
        self._page, self._version = page.log, page.version
        if sought:
            self._cursor, self._top, self._asked = page.log.found, None, None

    def fail(self, ask: PageAsk, error: MailtopError) -> None:
        """No lines: the reason stands in their place."""
        if ask != self._asked:
            return
        if ask.window is not None and ask.window.seek and self._lines:  # what is shown is still true
            self._asked = None
            self._post(Say(str(error), Health.WARN))
            return
        self._error = str(error)

    def back(self) -> bool:
        """One thing less: the search, the filter, the place; then the newest lines again."""
        if self._seeking:
            self._asked = None
        elif self._find:
            self._find = ""
        elif self._where:
            self._narrow("")
        elif not self._following:
            self.last()
        else:
            return False
        return True

    def narrow(self, ask: PageAsk, label: str) -> None:  # noqa: ARG002 - a screen's shape
        """The log of what another screen shows."""
        self._narrow(ask.where)

    def log_filter(self) -> str:
        """As it is."""
        return self._where

    # moving

    def down(self) -> None:
        """Next line; behind the newest one the screen follows again."""
        self._move(1)

    def up(self) -> None:
        """Line before; the screen stands still from here on."""
        self._move(-1)

    def page_down(self) -> None:
        """A screen on."""
        self._move(self._height)

    def page_up(self) -> None:
        """A screen back."""
        self._move(-self._height)

    def first(self) -> None:
        """The oldest line that is kept."""
        if self._page is not None:
            self._cursor, self._top, self._page, self._asked = (self._page.since, 0), None, None, None

    def last(self) -> None:
        """The newest line, and those that come."""
        self._cursor, self._top, self._page, self._asked = None, None, None, None

    # searching

    def ask_search(self) -> None:
        """Type what to look for."""
        self._post(AskLine(Prompt("/", self._search, start=self._find)))

    def search_next(self) -> None:
        """The next line that matches."""
        self._search_on(1)

    def search_previous(self) -> None:
        """The one before."""
        self._search_on(-1)

    def error_next(self) -> None:
        """The next error or warning."""
        self._seek(1, "")

    def error_previous(self) -> None:
        """The one before."""
        self._seek(-1, "")

    def ask_filter(self) -> None:
        """Type a filter."""
        self._post(AskLine(Prompt("filter ", self._narrow, start=self._where)))

    # taking away

    def describe(self) -> None:
        """The whole line."""
        line = self._current()
        if line is not None:
            self._post(OpenSheet(Words.of_pairs("Line", about(line))))

    def copy(self) -> None:
        """The line's words."""
        line = self._current()
        if line is not None:
            self._post(Copy(words(line), "the line"))

    def output(self) -> None:
        """All lines that match, to a file."""
        ask = PageAsk("logs", where=self._where)
        self._post(AskLine(Prompt("write to ", lambda path: self._post(WriteOut(path, ask)), start="mailtop-logs.tsv")))

    # inside

    def _narrow(self, where: str) -> None:
        self._where, self._error = where.strip(), ""
        self.last()

    def _search(self, find: str) -> None:
        self._find = find.strip()
        if self._find:  # what was said last is looked for first, the line under the cursor included
            self._seek(-1, self._find, itself=True)

    def _search_on(self, way: int) -> None:
        if self._find:
            self._seek(way, self._find)
        else:
            self._post(Say("nothing is searched for; / starts a search"))

    def _seek(self, way: int, find: str, itself: bool = False) -> None:
        line, spare = self._current(), SPARE * self._height
        anchor = (line.at, line.number + itself) if line else None
        window = LogWindow(anchor, back=spare, ahead=spare, seek=way, find=find)
        self._asked = PageAsk("logs", where=self._where, window=window)

    def _current(self) -> LogLine | None:
        return self._lines[self._at()] if self._lines else None

    def _at(self) -> int:
        """The cursor's line: its own, or the first behind its place where it is kept no more."""
        if self._cursor is None:
            return len(self._lines) - 1
        places = [line.place for line in self._lines]
        return min(sum(place < self._cursor for place in places), len(places) - 1)

    def _move(self, steps: int) -> None:
        if not self._lines:
            return
        self._asked = None if self._seeking else self._asked  # who moves on does not wait for what was sought
        at = self._at() + steps
        last = len(self._lines) - 1
        if self._following and steps > 0:
            return
        if at > last and self._page is not None and not self._page.more_after and not self._stale:
            self.last()
            return
        self._cursor = self._lines[max(0, min(at, last))].place

    def _window(self, at: int) -> range:
        """The visible lines: the last ones, or as few steps from where they stood as keep the cursor on the screen."""
        size = len(self._lines)
        if self._following:
            return range(max(0, size - self._height), size)
        places = [line.place for line in self._lines]
        top = at - self._height // 2 if self._top is None else sum(place < self._top for place in places)
        top = max(0, min(max(min(top, at), at - self._height + 1), size - self._height))
        self._top = places[top]
        return range(top, min(top + self._height, size))

    def _near_an_edge(self) -> bool:
        assert self._page is not None  # noqa: S101 - told to mypy: asked only then
        at, size = self._at(), len(self._lines)
        if self._stale and at == size - 1:
            return True
        return (at < self._height and self._page.more_before) or (size - at <= self._height and self._page.more_after)

    @property
    def _stale(self) -> bool:
        """Have lines come since, of which the next one may be?"""
        return self._version < self._newest

    def _row(self, drawing: Drawing, index: int, current: bool, cells: int) -> Line:
        line = drawing.line(self._lines[index])
        if not current or self._following:
            return ((" ", "text"), *line)
        return under(beside((("▸", "accent"), *line), (), cells), "cursor")

    def _head(self, scene: Scene, cells: int) -> Line:
        logs = scene.snapshot.logs
        live = "live" if self._following else "standing; G follows"
        left: Line = (
            (" logs ", "title"),
            (f"{count(len(logs))} followed  ", "dim"),
            (live, "accent" if self._following else "warn"),
        )
        if self._page is not None:
            left += ((f"  {count(self._page.held)} lines kept", "dim"),)
            if self._page.dropped:
                left += ((f", {count(self._page.dropped)} older ones are not", "dim"),)
        right: Line = ()
        if self._where:
            right += (("  f ", "key"), (_typed(self._where), "title"))
        if self._find:
            right += (("  /", "key"), (_typed(self._find), "title"))
        return beside(left, (*right, (" ", "text")), cells)

    def _nothing(self) -> Line:
        if self._error:
            return ((f"  {SIGNS[Health.UNKNOWN]} ", "unknown"), (self._error, "text"))
        if self._page is None:
            return text("  asking …", "dim")
        return text("  no line matches the filter" if self._where else "  no line yet", "dim")


def _typed(typed: str) -> str:
    """What the operator typed, as it may be drawn."""
    return shown(Foreign(typed.encode("utf-8", "surrogateescape")), 40)


SCREEN = Screen("9", "logs", "Logs", KEYS, Logs, "all logs merged by time, live and searchable")
