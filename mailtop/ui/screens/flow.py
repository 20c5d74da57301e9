"""Flow: how much mail goes where, how long it takes, and who is behind it. Enter leads to its queue or its log."""

from __future__ import annotations

import re
from collections.abc import Sequence

from mailtop.model.flow import Flow as Told
from mailtop.model.flow import Ranked
from mailtop.model.snapshot import Page, PageAsk
from mailtop.model.text import shown
from mailtop.ui.choosing import Paged
from mailtop.ui.ink import BLANK, Line, fit, text
from mailtop.ui.keys import LIST, Bound
from mailtop.ui.messages import GoTo, OpenSheet
from mailtop.ui.panels.flow import TITLES, about, delays, judged, shares, streams, table
from mailtop.ui.sheets.words import Words
from mailtop.ui.view import Post, Row, Scene, Screen, Size

KEYS = (
    *LIST,
    Bound("flow.into", "enter", "into", "the queue of this destination or sender, else its log", "into"),
    Bound("flow.table", "tab", "table", "the next table first", "table"),
    Bound("flow.describe", "d", "describe", "all about this row", "describe"),
    Bound("flow.filter", "/", "filter", "only rows that match (/! not, /~ fuzzy)", "ask_filter"),
    Bound("flow.zoom", "z", "zoom", "the tables alone, and back", "zoom"),
    Bound("flow.copy", "y", "", "copy this row (OSC 52)", "copy"),
    Bound("flow.output", "o", "", "write the screen to a file", "output"),
)

_PLAIN = re.compile(r"[\w@.+=-]+")
_WIDE, _LEAST = 150, 4  # cells from which on delays stand beside; rows of a table before the next one begins


class Flow(Paged):
    """Keeps the last page; what it lacks it says."""

    name = "flow"

    def __init__(self, post: Post) -> None:
        super().__init__(post)
        self._first = 0
        self._zoomed = False
        self._now = 0.0

    def draw(self, scene: Scene, size: Size) -> list[Line]:
        """Streams, delays and shares, then as many tables as there is room for."""
        self._height, self._now = size.rows, scene.now
        page = self._page
        if page is None or page.flow is None or not page.flow.streams:
            return self._nothing()
        head = [] if self._zoomed else self._head(page, page.flow, size)
        foot = self._foot()
        rows = self._filtered(self._tables(page.flow, size.cells, size.rows - len(head) - len(foot)))
        self._rows = [("", row) for row in rows if row.key is not None]
        self._settle()
        body = self._window([("", row) for row in rows], size.rows - len(head) - len(foot), size.cells)
        self._lines = [*head, *(row.line for row in rows)]
        return [*head, *body, *foot][: size.rows]

    def _head(self, page: Page, flow: Told, size: Size) -> list[Line]:
        lines = [text(f" {page.unknown}", "warn")] if page.unknown else []
        lines += judged(page.blocks)[: max(2, size.rows // 8)]
        left = streams(flow, min(size.cells, 80))
        right = delays(flow, min(size.cells, 90))
        if size.cells >= _WIDE:
            right += [BLANK] * (len(left) - len(right))
            left += [BLANK] * (len(right) - len(left))
            lines += [(*fit(one, 82), *other) for one, other in zip(left, right, strict=True)]
            return [*lines, shares(flow), BLANK]
        if size.rows >= 30:
            return [*lines, *left, BLANK, *right, shares(flow), BLANK]
        return [*lines, *left[:-2], *right[: max(2, size.rows - len(left) - len(lines) - 5)], shares(flow)]

    def _tables(self, flow: Told, cells: int, room: int) -> list[Row]:
        """All rows of the first table, and the others behind it; each one's share of the room where it is scarce."""
        by: dict[str, list[Ranked]] = {}
        for one in flow.ranks:
            by.setdefault(one.table, []).append(one)
        names = [name for name in TITLES if name in by]
        if not names:
            return [Row(text(" no mail in the last hour", "dim"))]
        start = self._first % len(names)
        names = [*names[start:], *names[:start]]
        fitting = max(1, min(len(names), room // (_LEAST + 2)))
        most = 50 if self._where or self._zoomed else max(_LEAST, room // fitting - 2)
        rows: list[Row] = []
        for name in names:
            head, lines = table(name, by[name][:most], self._now, cells)
            if rows:
                rows.append(Row(BLANK))
            rows.append(Row(head))
            items = by[name][:most]
            rows += [Row(line, (name, item.name), item) for line, item in zip(lines, items, strict=True)]
        return rows

    def wants(self, scene: Scene) -> Sequence[PageAsk]:
        """All of it, whenever the books have moved on."""
        version = scene.snapshot.versions.get("flow", 0)
        page = self._page
        return () if page is not None and page.version >= version else (PageAsk("flow"),)

    def back(self) -> bool:
        """Unzoom, drop the filter, put the cursor away."""
        if self._zoomed:
            self._zoomed = False
            return True
        return super().back()

    def log_filter(self) -> str:
        """The log of what is under the cursor, where its name is plain."""
        item = self._item()
        return _word(item) if isinstance(item, Ranked) else ""

    def into(self) -> None:
        """A destination's or a sender's mail in the queue; of all others, the log."""
        item = self._item()
        if not isinstance(item, Ranked):
            return
        name = _word(item)
        field = {"destinations": "domain", "senders": "sender"}.get(item.table)
        if field and (name or item.name == b"<>"):
            self._post(GoTo("queue", PageAsk("messages", where=f"{field}:{name or '<>'}"), shown(item.name, 40)))
        elif name:
            self._post(GoTo("logs", PageAsk("logs", where=name), name))
        else:
            self.describe()

    def table(self) -> None:
        """The next table comes first."""
        self._first += 1
        self._cursor, self._top = None, 0

    def zoom(self) -> None:
        """The tables alone."""
        self._zoomed = not self._zoomed

    def describe(self) -> None:
        """The row in full."""
        item = self._item()
        if isinstance(item, Ranked):
            self._post(OpenSheet(Words.of_pairs("Flow", about(item, self._now))))


def _word(item: Ranked) -> str:
    """A name as it may stand in a filter; a stranger's words only where they are plain."""
    words = shown(item.name, 200)
    if item.table in ("reasons", "postscreen", "warnings"):
        return {"postscreen": "daemon:postscreen", "reasons": "reject:", "warnings": "level:warning"}[item.table]
    return words if _PLAIN.fullmatch(words) or re.fullmatch(r"[0-9a-f:.]+", words) else ""


SCREEN = Screen("3", "flow", "Flow", KEYS, Flow, "mail in and out, delays, TLS, top senders and destinations")
