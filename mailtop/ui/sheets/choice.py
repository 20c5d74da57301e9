"""A sheet to choose from: the acts for a selection, a sort order, a command, what to undo."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, ClassVar, NamedTuple

from mailtop.ui.ink import Line, fit, text, under
from mailtop.ui.keys import SHEET, Bound
from mailtop.ui.messages import CloseSheet
from mailtop.ui.view import Post, Scene, Size

KEYS = (
    *(bound for bound in SHEET if bound.id != "sheet.copy"),
    Bound("choice.choose", "enter", "choose", "choose this", "choose"),
)


class Option(NamedTuple):
    """One line to choose. `letter` chooses it at once; `hint` says more, `role` how grave it is."""

    label: str
    value: Any
    hint: str = ""
    letter: str = ""
    role: str = "dim"


class Choice:
    """Options under a title; `chosen` gets the value of one, and the sheet goes."""

    place: ClassVar[str] = "choice"
    useless: ClassVar[frozenset[str]] = frozenset()

    def __init__(
        self, title: str, options: Sequence[Option], chosen: Callable[[Any], object], post: Post, foot: str = ""
    ) -> None:
        self.title = title
        self.wide = max(44, min(76, 12 + max((len(o.label) + len(o.hint) for o in options), default=0)))
        self._options = options
        self._chosen = chosen
        self._post = post
        self._foot = foot
        self._at = 0
        self._top = 0

    def draw(self, scene: Scene, size: Size) -> list[Line]:  # noqa: ARG002 - a sheet's shape
        """One line an option, the cursor's under a bar."""
        if not self._options:
            return [text("nothing to choose from", "dim")]
        room = max(1, size.rows - (2 if self._foot else 0))
        self._top = min(self._top, self._at) if self._at < self._top else max(self._top, self._at - room + 1)
        left = max(len(option.label) for option in self._options)
        lines: list[Line] = []
        for index, option in list(enumerate(self._options))[self._top : self._top + room]:
            line: Line = (
                (f"{option.letter or ' '} ", "key"),
                (f"{option.label:<{left}}", "text"),
                ("  ", "text"),
                (option.hint, option.role),
            )
            lines.append(under(fit(line, size.cells), "cursor") if index == self._at else line)
        return [*lines, (), text(self._foot, "dim")] if self._foot else lines

    def typed(self, key: str, character: str | None) -> bool:
        """A letter chooses at once."""
        for option in self._options:
            if option.letter and option.letter == (character or key):
                self._choose(option)
                return True
        return False

    def down(self) -> None:
        """Next option."""
        self._at = min(self._at + 1, max(0, len(self._options) - 1))

    def up(self) -> None:
        """Option before."""
        self._at = max(0, self._at - 1)

    def choose(self) -> None:
        """The one under the cursor."""
        if self._options:
            self._choose(self._options[self._at])

    def close(self) -> None:
        """Away, nothing chosen."""
        self._post(CloseSheet())

    def _choose(self, option: Option) -> None:
        self._post(CloseSheet())
        self._chosen(option.value)
