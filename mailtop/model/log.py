"""Log lines as a face sees them: merged over hosts and daemons, by time."""

from __future__ import annotations

from enum import StrEnum

from msgspec import Struct

from mailtop.model.text import Foreign


class Level(StrEnum):
    """How bad a line says that it is."""

    ERROR = "error"
    WARNING = "warning"
    INFO = "info"


class LogLine(Struct, frozen=True):
    """One line. `at`: seconds since the epoch, by our clock. `number`: its place in the order of arrival, from 1.

    `program`: the daemon's own word for itself (`postfix/smtpd`), empty where a line names none. `text` is the line
    without its stamp and tag.
    """

    at: float
    number: int
    target: str
    program: Foreign
    level: Level
    text: Foreign

    @property
    def place(self) -> Place:
        """Where it stands among all lines."""
        return (self.at, self.number)


Place = tuple[float, int]
"""A line's time and number: the order in which lines are merged."""


class LogWindow(Struct, frozen=True):
    """Which lines of a log are wanted: up to `back` before `anchor` and `ahead` from it on. No anchor: the newest.

    `seek` 1 or -1: the window stands around the next line after the anchor, or before it, that matches `find`, or
    that is an error or a warning where `find` is empty.
    """

    anchor: Place | None = None
    back: int = 0
    ahead: int = 0
    seek: int = 0
    find: str = ""


class LogPage(Struct, frozen=True):
    """The lines of one window, in order. `held` lines are kept in all, the oldest from `since`; `dropped` are kept
    no more, for want of room. `more_before` and `more_after`: is there more that matches? `found`: the place that was
    sought, None where there is none.
    """

    lines: tuple[LogLine, ...]
    held: int
    since: float
    dropped: int = 0
    more_before: bool = False
    more_after: bool = False
    found: Place | None = None
