"""Queue: causes first, then shape, then messages. Enter narrows, esc widens, tab changes the way of looking."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import Any

from msgspec.structs import replace

from mailtop.model.errors import MailtopError
from mailtop.model.mail import QueueEntry
from mailtop.model.operation import Selection
from mailtop.model.plugin import plugins
from mailtop.model.snapshot import Cause, Health, Page, PageAsk, Shape
from mailtop.model.text import shown
from mailtop.ui.figures import SIGNS, count
from mailtop.ui.ink import BLANK, Line, Span, beside, cut, fit, text, under
from mailtop.ui.keys import LIST, Bound
from mailtop.ui.messages import AskLine, Copy, OpenSheet, PlanAct, Say, WriteOut
from mailtop.ui.prompt import Prompt
from mailtop.ui.rows import PAGE, Rows
from mailtop.ui.sheets.choice import Choice, Option
from mailtop.ui.sheets.words import Words
from mailtop.ui.table import Layout
from mailtop.ui.totals import totals
from mailtop.ui.view import Act, Listing, Post, Scene, Screen, Size

KEYS = (
    *LIST,
    Bound("queue.narrow", "enter", "narrow", "narrow to the row: cause, then shape, then messages", "narrower"),
    Bound("queue.acts", "a", "acts", "the acts for this selection, with their danger", "acts", act=True),
    Bound("queue.mark", "space", "mark", "mark this row; ends a range", "mark"),
    Bound("queue.filter", "/", "filter", "only what matches (`sender:ann`, words, /! not, /~ fuzzy)", "ask_filter"),
    Bound("queue.look", "tab", "shape", "the same mail as shape, or as messages", "look"),
    Bound("queue.sort", "s", "sort", "choose the order; the same again turns it round", "sort"),
    Bound("queue.describe", "d", "describe", "all about this row", "describe"),
    Bound("queue.range", "v", "", "start a range, move, and mark it by v again", "range"),
    Bound("queue.all", "*", "", "select all that match the filter", "all"),
    Bound("queue.unmark", "u", "", "unmark all", "unmark"),
    Bound("queue.zoom", "z", "", "the list alone, and back", "zoom"),
    Bound("queue.copy", "y", "", "copy ids or the reason (OSC 52)", "copy"),
    Bound("queue.output", "o", "", "write all rows that match to a file", "output"),
)

_RESTS = {"log": "from the log", "sample": "a sample"}
_DANGER = {"sends": "warn", "destructive": "crit"}


class Level:
    """One step of narrowing: what is asked for, and the rows that came."""

    def __init__(self, ask: PageAsk, label: str = "") -> None:
        self.ask = ask
        self.label = label
        self.listing = _listings()[ask.kind]
        self.rows: Rows[Any] = Rows(self.listing.identity)
        self.page: Page | None = None
        self.error = ""


class Queue:
    """A trail of levels; the last one is drawn."""

    name = "queue"

    def __init__(self, post: Post) -> None:
        self._post = post
        self._trail = [Level(PageAsk("causes"))]
        self._height = 10
        self._zoomed = False
        self._scene: Scene | None = None

    @property
    def _level(self) -> Level:
        return self._trail[-1]

    def draw(self, scene: Scene, size: Size) -> list[Line]:
        """Totals and their age, the trail, the rows, and the cursor's row in full."""
        self._scene = scene
        level = self._level
        head = [] if self._zoomed else [*totals(scene, size.cells), BLANK]
        foot = [] if self._zoomed else self._footer(scene, size)
        layout: Layout[Any] = Layout(level.listing.columns(scene.now), size.cells - 3)
        titles: Line = (("  ", "text"), *layout.head(level.ask.sort))
        self._height = max(1, size.rows - len(head) - len(foot) - 2)
        rows = self._rows(layout, size.cells)
        rows += [BLANK] * (self._height - len(rows))
        return [*head, self._crumbs(size.cells), titles, *rows, *foot][: size.rows]

    def wants(self, scene: Scene) -> Sequence[PageAsk]:
        """The visible windows, where they are missing or older than the snapshot says."""
        level = self._level
        version = scene.snapshot.versions.get(level.ask.kind, 0)
        return [replace(level.ask, offset=at, limit=PAGE) for at in level.rows.lacking(self._height, version)]

    def take(self, page: Page) -> None:
        """A window, if it is still the one asked for."""
        for level in self._trail:
            if replace(page.ask, offset=0, limit=PAGE) == level.ask:
                level.rows.take(page.ask.offset, page.causes or page.shapes or page.messages, page.total, page.version)
                level.page, level.error = page, ""

    def fail(self, ask: PageAsk, error: MailtopError) -> None:
        """No window: the reason stands where its rows would be."""
        for level in self._trail:
            if replace(ask, offset=0, limit=PAGE) == level.ask:
                level.error = str(error)

    def back(self) -> bool:
        """One thing less: the range, the marks, the filter, the narrowing."""
        level = self._level
        if level.rows.anchor is not None or level.rows.marks or level.rows.everything:
            level.rows.unmark()
        elif self._zoomed:
            self._zoomed = False
        elif level.ask.where and level.ask.where != (self._trail[-2].ask.where if len(self._trail) > 1 else ""):
            self._replace(replace(level.ask, where=self._trail[-2].ask.where if len(self._trail) > 1 else ""))
        elif len(self._trail) > 1:
            self._trail.pop()
        else:
            return False
        return True

    def narrow(self, ask: PageAsk, label: str) -> None:
        """What another screen leads to: causes, narrowed once."""
        self._trail = [Level(PageAsk("causes", where=ask.where if ask.kind == "causes" else ""))]
        if ask.kind != "causes":
            self._trail.append(Level(replace(ask, limit=PAGE), label))

    # moving

    def down(self) -> None:
        """Next row."""
        self._level.rows.move(1)

    def up(self) -> None:
        """Row before."""
        self._level.rows.move(-1)

    def page_down(self) -> None:
        """A screen on."""
        self._level.rows.move(self._height)

    def page_up(self) -> None:
        """A screen back."""
        self._level.rows.move(-self._height)

    def first(self) -> None:
        """First row."""
        self._level.rows.go(0)

    def last(self) -> None:
        """Last row."""
        self._level.rows.go(self._level.rows.total - 1)

    # narrowing and looking

    def narrower(self) -> None:
        """One level down, to what is under the cursor; a message is described."""
        match self._current():
            case Cause() as cause:
                label = " ".join(filter(None, (cut(shown(cause.next_hop, 60), 24), cause.code))) or "no next hop"
                self._push(PageAsk("shape", target=cause.target, cause=cause.id, where=""), label)
            case Shape() as shape:
                ask = replace(self._level.ask, kind="messages", domain=shape.domain, sort="", offset=0)
                self._push(ask, shown(shape.domain, 40))
            case QueueEntry():
                self.describe()

    def look(self) -> None:
        """The same mail by shape, or message by message."""
        level = self._level
        if level.ask.kind == "causes":
            self._push(PageAsk("shape", where=level.ask.where), "all")
        else:
            kind = "messages" if level.ask.kind == "shape" else "shape"
            self._replace(replace(level.ask, kind=kind, domain=None if kind == "shape" else level.ask.domain, sort=""))

    def zoom(self) -> None:
        """The list alone."""
        self._zoomed = not self._zoomed

    def ask_filter(self) -> None:
        """Type a filter."""
        self._post(AskLine(Prompt("/", self._filter, start=self._level.ask.where)))

    def sort(self) -> None:
        """Choose a column."""
        now = self._scene.now if self._scene else 0.0
        columns = [column for column in self._level.listing.columns(now) if column.sort]
        options = [Option("as ranked", "", letter="0")]
        options += [
            Option(c.title, f"-{c.sort}" if c.right else c.sort, letter=str(n)) for n, c in enumerate(columns, 1)
        ]
        self._post(OpenSheet(Choice("Sort by", options, self._sort, self._post, "the same again turns it round")))

    def describe(self) -> None:
        """The row in full."""
        item = self._current()
        if item is not None and self._scene is not None:
            pairs = self._level.listing.detail(item, self._scene.now)
            self._post(OpenSheet(Words.of_pairs(self._level.listing.title.removesuffix("s").capitalize(), pairs)))

    # marking

    def mark(self) -> None:
        """Mark, and on to the next row."""
        rows = self._level.rows
        ranging = rows.anchor is not None
        rows.mark()
        if rows.anchor is not None:
            self._post(Say(_NOT_LOADED, Health.WARN))
        elif not ranging:
            rows.move(1)

    def range(self) -> None:
        """Start a range, or end it."""
        if not self._level.rows.range():
            self._post(Say(_NOT_LOADED, Health.WARN))

    def all(self) -> None:
        """All that match: frozen to ids by the plan."""
        rows = self._level.rows
        rows.everything = not rows.everything
        rows.marks.clear()

    def unmark(self) -> None:
        """Drop all marks."""
        self._level.rows.unmark()

    # acting

    def acts(self) -> None:
        """The menu, derived from the actions there are."""
        if self._scene is None or self._scene.read_only:
            self._post(Say("read-only: acts are off, and cannot be unlocked"))
            return
        selections = self._selections()
        if selections:
            options = [_option(act) for act in self._scene.acts if act.scope is QueueEntry]
            foot = "" if self._scene.operate else "OBSERVE: previews and dry runs only; :operate unlocks"
            title = f"Acts on {self._selected()}"
            self._post(
                OpenSheet(Choice(title, options, lambda key: self._post(PlanAct(key, selections)), self._post, foot))
            )

    def short(self, action: str) -> None:
        """A short way into one act, in OPERATE."""
        if self._scene is None or self._scene.read_only:
            return
        if not self._scene.operate:
            self._post(Say("OBSERVE: `:operate` unlocks", Health.WARN))
            return
        selections = self._selections()
        if selections:
            self._post(PlanAct(action, selections))

    # taking away

    def copy(self) -> None:
        """The marked rows' words, else the cursor's."""
        rows = self._level.rows
        items = list(rows.marks.values()) or [item for item in (self._current(),) if item is not None]
        if items:
            what = f"{count(len(items))} rows" if len(items) > 1 else self._level.listing.title.removesuffix("s")
            self._post(Copy("\n".join(self._level.listing.words(item) for item in items), what))

    def output(self) -> None:
        """All that match, to a file."""
        ask, kind = self._level.ask, self._level.ask.kind
        self._post(
            AskLine(Prompt("write to ", lambda path: self._post(WriteOut(path, ask)), start=f"mailtop-{kind}.tsv"))
        )

    def _current(self) -> Any:
        rows = self._level.rows
        if rows.astray:
            self._post(Say("the row under the cursor has left; move to choose another", Health.WARN))
        return rows.current

    def _selections(self) -> list[Selection]:
        """What an act would hit: the marks, all that match, or the row under the cursor."""
        level = self._level
        ask, rows = level.ask, level.rows
        if rows.everything:
            if ask.kind == "causes":
                every = [rows.item(index) for index in range(rows.total)]
                return [Selection(cause=i.id, target=i.target) for i in every if isinstance(i, Cause)]
            narrowed = ask.where.strip() or ask.cause or ask.domain is not None
            return [_of_page(ask, everything=not narrowed)]
        items = list(level.rows.marks.values()) or [item for item in (self._current(),) if item is not None]
        keys = tuple(item.key for item in items if isinstance(item, QueueEntry))
        if keys:
            return [Selection(keys=keys)]
        found = [Selection(cause=item.id, target=item.target) for item in items if isinstance(item, Cause)]
        return found + [_of_page(replace(ask, domain=item.domain)) for item in items if isinstance(item, Shape)]

    def _selected(self) -> str:
        rows = self._level.rows
        if rows.everything:
            return f"all {count(rows.total)} that match"
        if rows.marks:
            return f"{count(len(rows.marks))} marked"
        return {"causes": "this cause", "shape": "this domain", "messages": "this message"}[self._level.ask.kind]

    def _push(self, ask: PageAsk, label: str) -> None:
        self._trail.append(Level(ask, label))

    def _replace(self, ask: PageAsk) -> None:
        self._trail[-1] = Level(ask, self._level.label)

    def _filter(self, where: str) -> None:
        self._replace(replace(self._level.ask, where=where.strip()))

    def _sort(self, column: str) -> None:
        if column and column == self._level.ask.sort:
            column = column.removeprefix("-") if column.startswith("-") else f"-{column}"
        self._replace(replace(self._level.ask, sort=column))

    # drawing

    def _crumbs(self, cells: int) -> Line:
        pieces: list[Span] = [(" ", "text")]
        for index, level in enumerate(self._trail):
            last = index == len(self._trail) - 1
            if level.label:
                pieces += [(" › ", "faint"), (level.label, "dim")]
            pieces += [(" › " if pieces[1:] else "", "faint"), (level.listing.title, "title" if last else "dim")]
        rows = self._level.rows
        if rows.known:
            pieces.append((f" {count(rows.total)}", "text"))
        page = self._level.page
        if page is not None and page.known in _RESTS:
            pieces.append((f"  {_RESTS[page.known]}", "warn" if page.known == "sample" else "dim"))
        return beside(tuple(pieces), self._state(), cells)

    def _state(self) -> Line:
        level = self._level
        pieces: list[Span] = []
        if level.ask.where:
            pieces += [("  /", "key"), (level.ask.where, "title")]
        if level.rows.anchor is not None:
            pieces.append(("  range …", "mark"))
        if level.rows.everything or level.rows.marks:
            pieces.append((f"  {self._selected()}", "mark"))
        return (*pieces, (" ", "text"))

    def _rows(self, layout: Layout[Any], cells: int) -> list[Line]:
        level = self._level
        rows = level.rows
        if level.error:
            return [BLANK, ((f"  {SIGNS[Health.UNKNOWN]} ", "unknown"), (level.error, "text"))]
        if not rows.known:
            return [BLANK, text("  asking …", "dim")]
        if not rows.total:
            words = level.listing.empty if not level.ask.where else f"nothing matches /{level.ask.where}"
            return [BLANK, ((f"  {SIGNS[Health.OK]} " if not level.ask.where else "  ", "ok"), (words, "dim"))]
        return [self._row(layout, index, cells) for index in rows.window(self._height)]

    def _row(self, layout: Layout[Any], index: int, cells: int) -> Line:
        rows = self._level.rows
        item = rows.item(index)
        marked = rows.marked(index)
        at = index == rows.at
        lead = ("▹" if rows.astray else "▸") if at else " "
        line: Line = ((lead, "accent"), ("•" if marked else " ", "mark"))
        line += layout.row(item) if item is not None else text("…", "faint")
        if marked:
            line = tuple((words, "mark" if role in ("text", "title", "dim") else role) for words, role in line)
        return under(fit(line, cells), "cursor") if at else line

    def _footer(self, scene: Scene, size: Size) -> list[Line]:
        rows = self._level.rows
        if rows.astray:
            lines: Sequence[Line] = [text("the row under the cursor has left; move to choose another", "warn"), BLANK]
        else:
            item = rows.current
            lines = self._level.listing.footer(item, scene.now) if item is not None else [BLANK, BLANK]
        return [BLANK, *(fit((("  ", "text"), *line), size.cells) for line in lines)]


_NOT_LOADED = "some rows of this range are not loaded; scroll through them, or * selects all that match"


def _of_page(ask: PageAsk, everything: bool = False) -> Selection:
    """All that a page holds, by what it was asked by: never words made of a stranger's text."""
    return Selection(where=ask.where, cause=ask.cause, target=ask.target, domain=ask.domain, everything=everything)


def _option(act: Act) -> Option:
    undo = f", undone by {act.undo.rpartition('.')[2]}" if act.undo else ", no undo"
    danger = act.danger.value
    return Option(act.label, act.key, danger + undo, act.letter, _DANGER.get(danger, "dim"))


@cache
def _listings() -> dict[str, Listing]:
    return {listing.kind: listing for listing in plugins("mailtop.ui.panels", Listing)}


SCREEN = Screen("2", "queue", "Queue", KEYS, Queue, "causes first, then shape, then messages")
