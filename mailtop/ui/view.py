"""What the frame gives to a screen, a panel, a sheet; and what each of them is."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping, Sequence
from typing import Any, NamedTuple, Protocol

from textual.message import Message

from mailtop.model.errors import MailtopError
from mailtop.model.operation import Danger
from mailtop.model.snapshot import Page, PageAsk, Snapshot
from mailtop.model.topology import Hop
from mailtop.ui.ink import Line
from mailtop.ui.keys import Bound
from mailtop.ui.table import Column

Post = Callable[[Message], object]


class Act(Protocol):
    """What a face needs of an action; `mailtop.action` holds them. `letter`: its short way, empty where it has none."""

    @property
    def key(self) -> str: ...
    @property
    def letter(self) -> str: ...
    @property
    def label(self) -> str: ...
    @property
    def danger(self) -> Danger: ...
    @property
    def undo(self) -> str: ...
    @property
    def scope(self) -> type: ...


class Scene(NamedTuple):
    """All there is to draw from. `rates`: mail/s of the last minutes by hop. `acts` is empty when read-only."""

    snapshot: Snapshot
    rates: Mapping[Hop, Sequence[float | None]] = {}
    acts: tuple[Act, ...] = ()
    operate: bool = False
    read_only: bool = False

    @property
    def now(self) -> float:
        """The snapshot's time: every age on the screen counts from it."""
        return self.snapshot.at


class Size(NamedTuple):
    """Cells and rows to draw in."""

    cells: int
    rows: int


class Row(NamedTuple):
    """One line of a panel. `key`: its identity, None for a heading; `item`: what it shows."""

    line: Line
    key: Hashable = None
    item: object = None


class Panel(NamedTuple):
    """A part of a screen. `rows` draws it; where room is short it keeps `least` rows, the highest `gives` first.

    `close`: no space before it.
    """

    name: str
    screen: str
    order: int
    rows: Callable[[Scene, Mapping[str, Page], int], list[Row]]
    least: int = 1
    close: bool = False
    gives: int = 0


class Listing(NamedTuple):
    """How one kind of page is shown. `columns` and `footer` take the time that ages count from.

    `words`: what `y` copies of a row. `detail`: label and text for `d`.
    """

    kind: str
    title: str
    columns: Callable[[float], Sequence[Column[Any]]]
    identity: Callable[[Any], Hashable]
    footer: Callable[[Any, float], Sequence[Line]]
    detail: Callable[[Any, float], Sequence[tuple[str, str]]]
    words: Callable[[Any], str]
    empty: str


class View(Protocol):
    """A screen: keeps what the operator chose (cursor, marks, filter, sort) and draws a scene with it."""

    name: str

    def draw(self, scene: Scene, size: Size) -> list[Line]:
        """Return the screen's lines, at most `size.rows`."""

    def wants(self, scene: Scene) -> Sequence[PageAsk]:
        """Return the windows that are missing or have changed."""

    def take(self, page: Page) -> None:
        """Receive a window."""

    def fail(self, ask: PageAsk, error: MailtopError) -> None:
        """Learn why there is no window."""

    def back(self) -> bool:
        """Widen, or drop the filter: what esc does; false at the root."""

    def narrow(self, ask: PageAsk, label: str) -> None:
        """Show what another screen leads to."""


class Screen(NamedTuple):
    """A screen's place: its key, its name for `:`, its keys, and how to make it."""

    key: str
    name: str
    title: str
    keys: tuple[Bound, ...]
    make: Callable[[Post], View]
    summary: str = ""


class Sheet(Protocol):
    """Something laid over a screen; the screen goes on behind it. `place` names its keys in the keymap."""

    @property
    def place(self) -> str: ...
    @property
    def title(self) -> str: ...
    @property
    def wide(self) -> int: ...

    def draw(self, scene: Scene, size: Size) -> list[Line]:
        """Return its lines, at most `size.rows` of `size.cells`."""

    def typed(self, key: str, character: str | None) -> bool:
        """Take a key before the keymap does; true when it was taken."""
