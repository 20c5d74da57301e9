"""A screen of what probes measure: service by service its figures and tables, each with its health and its age."""

from __future__ import annotations

from collections.abc import Hashable, Sequence

from mailtop.model.board import Block, Figure, Table
from mailtop.model.snapshot import Health, PageAsk
from mailtop.model.text import shown
from mailtop.ui.choosing import Paged
from mailtop.ui.figures import NONE, SIGNS, count, rate, sign, size, span, whole
from mailtop.ui.ink import BLANK, Line, Span, beside, cut, fit, text, width
from mailtop.ui.keys import LIST, Bound
from mailtop.ui.messages import OpenSheet
from mailtop.ui.sheets.words import Words
from mailtop.ui.view import Post, Row, Scene, Screen, Size

_CELL = 25  # cells of one figure with its label, at least
_TOLD = 60.0  # seconds: an age from which on it is said though nothing is late


def board(key: str, name: str, title: str, summary: str) -> Screen:
    """Return the screen that shows all blocks of the boards of that name."""
    return Screen(key, name, title, _keys(name), lambda post: BoardView(post, name), summary)


def _keys(name: str) -> tuple[Bound, ...]:
    return (
        *LIST,
        Bound(f"{name}.describe", "d", "describe", "all about this row", "describe", ("enter",)),
        Bound(f"{name}.filter", "/", "filter", "only rows that match (/! not, /~ fuzzy)", "ask_filter"),
        Bound(f"{name}.copy", "y", "", "copy this row (OSC 52)", "copy"),
        Bound(f"{name}.output", "o", "", "write the screen to a file", "output"),
    )


class BoardView(Paged):
    """Keeps the last page; what it lacks it says."""

    def __init__(self, post: Post, name: str) -> None:
        super().__init__(post)
        self.name = name

    def draw(self, scene: Scene, size: Size) -> list[Line]:
        """Block under block, scrolled so that the cursor is among them."""
        self._height = size.rows
        page = self._page
        if page is None or not page.blocks:
            return self._nothing()
        rows = [(self.name, row) for row in self._filtered(_rows(page.blocks, scene, size.cells))]
        self._rows = [(name, row) for name, row in rows if row.key is not None]
        self._settle()
        self._lines = [row.line for _, row in rows]
        foot = self._foot()
        return [*self._window(rows, size.rows - len(foot), size.cells), *foot]

    def wants(self, scene: Scene) -> Sequence[PageAsk]:
        """The blocks, whenever something was measured; now and then because they grow old."""
        version = scene.snapshot.versions.get("board", 0)
        page = self._page
        fresh = page is not None and page.version >= version and scene.snapshot.at - page.at < _TOLD / 12
        return () if fresh else (PageAsk("board", where=self.name),)

    def log_filter(self) -> str:
        """The log of the service under the cursor."""
        item = self._item()
        if not isinstance(item, Block):
            return ""
        host, _, container = item.target.partition("/")
        return f"host:{host} daemon:{container}" if container else f"host:{host}"

    def describe(self) -> None:
        """The row in full: a service's figures one by one, or a table's row by its columns."""
        row = self._row()
        if row is None:
            return
        if isinstance(row.item, Block):
            self._post(OpenSheet(Words.of_pairs(f"{row.item.target} {row.item.title}", _pairs(row.item))))
        elif isinstance(row.item, tuple):
            self._post(OpenSheet(Words.of_pairs("Row", row.item)))


def _rows(blocks: Sequence[Block], scene: Scene, cells: int) -> list[Row]:
    rows: list[Row] = []
    before: Block | None = None
    for block in blocks:
        again = before is not None and bool(block.note) and block.note == before.note
        if before is not None and not (again and not block.at):
            rows.append(Row(BLANK))
        rows.append(Row(_head(block, before, again, scene, cells), (block.target, block.probe), block))
        before = block
        rows += [Row(line) for line in _flow([*_words(block), *map(figure_line, block.figures)], cells)]
        for table in block.tables:
            rows += _table(block, table, cells)
    return rows


def _head(block: Block, before: Block | None, again: bool, scene: Scene, cells: int) -> Line:
    """`again`: its note is the one before's too, and is said once."""
    health = scene.sure(block.health)
    name: Span = (block.target, "title" if before is None or block.target != before.target else "dim")
    left: Line = ((" ", "text"), *sign(health), (" ", "text"), name, (f"  {block.title}", "head"))
    age = scene.now - block.at
    if block.note:
        since = f"  {whole(age)} old" if block.at else ""
        note = "" if again else f"  {block.note}"
        return (*left, *text(note, "dim" if health is Health.OK else health.value), *text(since, "dim"))
    return beside(left, text(f"{whole(age)} ago " if age >= _TOLD else "", "dim"), cells)


def _pairs(block: Block) -> list[tuple[str, str]]:
    figures = [(" ".join(filter(None, (one.label, one.of))), _said(one)) for one in block.figures]
    return [("state", f"{block.health.value}{f': {block.note}' if block.note else ''}"), *block.words, *figures]


def _said(figure: Figure) -> str:
    reading = figure.reading
    if reading.value is None:
        return f"{NONE} {reading.note}"
    health = "" if reading.health is Health.OK else f"   {SIGNS[reading.health]} {reading.health.value}"
    return f"{figure_words(figure)}{health}"


def _words(block: Block) -> list[Line]:
    """Facts; of `dovecot_version` the service is said already."""
    named = [(name.partition("_")[2].replace("_", " ") or name, value) for name, value in block.words]
    return [((f"{name} ", "dim"), (value, "dim" if block.stale else "text")) for name, value in named]


def figure_line(figure: Figure) -> Line:
    """`queue 3`, `▲ /var 93 %`: what is wrong has its sign; what is old is dim."""
    reading = figure.reading
    label: Span = (" ".join(filter(None, (figure.label, figure.of))) + " ", "dim")
    if reading.value is None:
        return (label, (SIGNS[Health.DENIED], "denied") if reading.health is Health.DENIED else (NONE, "faint"))
    words = figure_words(figure)
    if reading.health is Health.OK or reading.health is Health.UNKNOWN:
        return (label, (words, "dim" if reading.stale or reading.health is Health.UNKNOWN else "text"))
    role = reading.health.value
    return (label, (f"{SIGNS[reading.health]} ", role), (words, "dim" if reading.stale else role))


def figure_words(figure: Figure) -> str:
    """Return a figure's value with its unit: `93 %`, `1.2 GB`, `11 m`, `0`."""
    value, unit = figure.reading.value or 0.0, figure.unit
    if unit in ("B", "s"):
        return size(value) if unit == "B" else span(value)
    if unit == "B/s":
        return f"{size(value)}/s"
    if unit.endswith("/s"):
        return f"{rate(value)} {unit}"
    number = count(value) if value == int(value) or abs(value) >= 100 else f"{value:.1f}"
    return f"{number} {unit}".strip()


def _flow(cells_of: Sequence[Line], cells: int) -> list[Line]:
    """Figures side by side, in columns of equal width; a long one takes two."""
    columns = max(1, (cells - 3) // _CELL)
    wide = (cells - 3) // columns
    lines: list[Line] = []
    current: list[Span] = []
    used = 0
    for one in cells_of:
        needs = min(columns, -(-(width(one) + 2) // wide))
        if used and used + needs > columns:
            lines.append((("   ", "text"), *current))
            current, used = [], 0
        current += fit(one, needs * wide)
        used += needs
    return [*lines, (("   ", "text"), *current)] if current else lines


def _table(block: Block, table: Table, cells: int) -> list[Row]:
    titles = [title.lstrip(">") for title in table.columns]
    right = [title.startswith(">") for title in table.columns]
    texts = [[shown(cell, 200) for cell in line.cells] for line in table.lines]
    sizes = [
        max([width(text(title)), *(width(text(row[index])) for row in texts)]) for index, title in enumerate(titles)
    ]
    _narrow(sizes, cells - 5 - 2 * len(sizes))
    more = f"  {table.total - len(table.lines)} more" if table.total > len(table.lines) else ""
    head = _columns(titles, sizes, right, "head")
    if not texts:
        return [Row(((f"   {table.title or 'rows'} ", "dim"), ("none", "dim" if block.stale else "text")))]
    rows = [Row(((f"   {table.title}", "title"), (more, "dim")))] if table.title else []
    rows.append(Row((("     ", "text"), *head)))
    for line, row in zip(table.lines, texts, strict=True):
        role = "text" if line.health is Health.OK else "dim" if line.health is Health.UNKNOWN else line.health.value
        lead = SIGNS[line.health] if line.health in (Health.WARN, Health.CRIT) else " "
        key: Hashable = (block.target, block.probe, table.title, *row[:2])
        item = tuple(zip(titles, row, strict=False))
        rows.append(Row(((f"   {lead} ", role), *_columns(row, sizes, right, role)), key, item))
    return rows


def _narrow(sizes: list[int], room: int) -> None:
    """Take cells from the widest column until all fit."""
    while sum(sizes) > room and max(sizes) > 6:
        sizes[sizes.index(max(sizes))] -= 1


def _columns(row: Sequence[str], sizes: Sequence[int], right: Sequence[bool], role: str) -> Line:
    pieces: list[Span] = []
    for words, wide, to_right in zip(row, sizes, right, strict=False):
        pieces += [*fit(text(cut(words, wide), role), wide, to_right), ("  ", "text")]
    return tuple(pieces)
