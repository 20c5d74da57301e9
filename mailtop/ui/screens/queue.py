"""Queue: causes first, then shape, then messages. Enter narrows, esc widens, tab changes the way of looking."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from msgspec.structs import replace

from mailtop.model.destination import Destination
from mailtop.model.errors import MailtopError, Refused
from mailtop.model.mail import QueueEntry
from mailtop.model.snapshot import Cause, Health, Page, PageAsk, Shape
from mailtop.model.text import shown
from mailtop.ui import destinations, trail
from mailtop.ui.figures import count
from mailtop.ui.ink import BLANK, Line, cut
from mailtop.ui.keys import LIST, Bound
from mailtop.ui.level import Level
from mailtop.ui.loglines import log_filter
from mailtop.ui.meaning import Meant, cause_words, meant
from mailtop.ui.messages import AskLine, Copy, OpenSheet, PlanAct, Say, WriteOut
from mailtop.ui.prompt import Prompt
from mailtop.ui.rows import PAGE
from mailtop.ui.sheets.choice import Choice, Option
from mailtop.ui.sheets.words import Words
from mailtop.ui.totals import totals
from mailtop.ui.view import Act, Post, Scene, Screen, Size

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

_DANGER = {"sends": "warn", "destructive": "crit"}


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
        foot = [] if self._zoomed else trail.footer(level, scene, size.cells)
        self._height = max(1, size.rows - len(head) - len(foot) - 2)
        rows = trail.table(level, scene, self._height, size.cells)
        rows += [BLANK] * (self._height + 1 - len(rows))
        return [*head, trail.crumbs(self._trail, size.cells), *rows, *foot][: size.rows]

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
            self._trail.append(Level(replace(ask, limit=PAGE), label, label if ask.cause else ""))

    def log_filter(self) -> str:
        """The log of the message, of the domain, or of the cause's next hop."""
        return log_filter(self._level.rows.current)

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
                label = cause_words(cause)
                self._push(PageAsk("shape", target=cause.target, cause=cause.id), label, label)
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
        rows.anchor = None
        if rows.everything and not self._meant():
            rows.everything = False

    def unmark(self) -> None:
        """Drop all marks."""
        self._level.rows.unmark()

    # acting

    def acts(self) -> None:
        """The menu, derived from the actions there are."""
        found = self._meant()
        if found and self._scene is not None:
            options = [_option(act) for act in self._scene.acts if act.scope is QueueEntry]
            where = self._destination()
            if where is not None:
                options += [_option(act, where.domain) for act in destinations.offered(self._scene, where)]
            foot = "" if self._scene.operate else "OBSERVE: previews and dry runs only; :operate unlocks"
            title = f"Acts on {self._level.chosen}"

            def chosen(key: str) -> None:
                if where is not None and key.startswith("destination."):
                    destinations.ask(key, where, self._post)
                else:
                    self._post(PlanAct(key, found))

            self._post(OpenSheet(Choice(title, options, chosen, self._post, foot)))

    def _destination(self) -> Destination | None:
        """The recipient domain under the cursor, where nothing is marked: an act on one is not for many."""
        rows = self._level.rows
        if rows.everything or rows.marks:
            return None
        return destinations.destination_of(rows.current, self._level.ask.target)

    def short(self, action: str) -> None:
        """A short way into one act, in OPERATE."""
        if self._scene is None or not self._scene.operate:
            self._post(Say("OBSERVE: `:operate` unlocks", Health.WARN))
            return
        found = self._meant()
        if found:
            self._post(PlanAct(action, found))

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

    def _meant(self) -> list[Meant]:
        """What an act would hit; nothing, and said why, where the screen does not show what that is."""
        try:
            found = meant(self._level)
        except Refused as refusal:
            self._post(Say(str(refusal), Health.WARN))
            return []
        if not found:
            self._current()
        return found

    def _push(self, ask: PageAsk, label: str, cause: str = "") -> None:
        self._trail.append(Level(ask, label, cause or self._level.cause))

    def _replace(self, ask: PageAsk) -> None:
        self._trail[-1] = Level(ask, self._level.label, self._level.cause)

    def _filter(self, where: str) -> None:
        self._replace(replace(self._level.ask, where=where.strip()))

    def _sort(self, column: str) -> None:
        if column and column == self._level.ask.sort:
            column = column.removeprefix("-") if column.startswith("-") else f"-{column}"
        self._replace(replace(self._level.ask, sort=column))


_NOT_LOADED = "some rows of this range are not loaded; scroll through them, or * selects all that match"


def _option(act: Act, domain: str = "") -> Option:
    undo = f", undone by {act.undo.rpartition('.')[2]}" if act.undo else ", no undo"
    danger = act.danger.value
    label = f"{act.label} {cut(domain, 24)}" if domain else act.label
    return Option(label, act.key, danger + undo, act.letter, _DANGER.get(danger, "dim"))


SCREEN = Screen("2", "queue", "Queue", KEYS, Queue, "causes first, then shape, then messages")
