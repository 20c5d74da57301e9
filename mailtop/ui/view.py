"""What the frame gives to a screen, a panel, a sheet; and what each of them is."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping, Sequence
from typing import Any, NamedTuple, Protocol

from textual.message import Message

from mailtop.model.errors import MailtopError
from mailtop.model.operation import Danger
from mailtop.model.snapshot import Health, Link, Page, PageAsk, Reading, Snapshot
from mailtop.model.topology import Hop
from mailtop.ui.ink import Line
from mailtop.ui.keys import Bound
from mailtop.ui.table import Column

Post = Callable[[Message], object]


_BLIND = (Health.UNKNOWN, Health.DENIED)


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
    """All there is to draw from. `rates`: mail/s of the last minutes by hop. `acts` is empty when read-only.

    `late`: seconds since the snapshot came, 0.0 while that is as it should be; then all readings are stale.
    `paused`: seconds since what is shown was frozen, None while it is not.
    """

    snapshot: Snapshot
    rates: Mapping[Hop, Sequence[float | None]] = {}
    acts: tuple[Act, ...] = ()
    operate: bool = False
    read_only: bool = False
    late: float = 0.0
    paused: float | None = None

    @property
    def now(self) -> float:
        """The time there: every age on the screen counts from it."""
        return self.snapshot.at + self.late

    @property
    def known(self) -> bool:
        """Are all hosts up, and every log and queue known? Only then is it good news that nothing is wrong."""
        snapshot = self.snapshot
        logs = [log.health for log in snapshot.logs]
        counts = [reading for queue in snapshot.queues for _, reading in queue.counts]
        return (
            not self.late
            and bool(snapshot.hosts and logs and counts)
            and all(host.link is Link.UP for host in snapshot.hosts)
            and not any(health in _BLIND for health in logs)
            and all(map(_is_known, counts))
            and all(queue.counts for queue in snapshot.queues)
        )

    @property
    def why_read_only(self) -> str:
        """Why acts are off for good."""
        if self.snapshot.replay:
            return "read-only: replay; acts are off, for what is shown is past"
        return "read-only: acts are off, and cannot be unlocked"

    def sure(self, health: Health) -> Health:
        """A health as it is now: what was ok when the engine fell silent is unknown."""
        return Health.UNKNOWN if self.late and health is Health.OK else health


def _is_known(reading: Reading) -> bool:
    return reading.value is not None and not reading.stale and reading.health not in _BLIND


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

    def log_filter(self) -> str:
        """Return the filter for the log of what is under the cursor, empty for all logs."""


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
    @property
    def useless(self) -> frozenset[str]:
        """Ids of its keys that would lead to nothing now: they are not offered."""

    def draw(self, scene: Scene, size: Size) -> list[Line]:
        """Return its lines, at most `size.rows` of `size.cells`."""

    def typed(self, key: str, character: str | None) -> bool:
        """Take a key before the keymap does; true when it was taken."""
