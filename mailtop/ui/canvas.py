"""The one widget: lines in, and of those only what differs goes to the terminal."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from rich.cells import cell_len
from rich.segment import Segment
from textual.geometry import Region
from textual.strip import Strip
from textual.widget import Widget

from mailtop.ui.ascii import ascii_only
from mailtop.ui.ink import BLANK, Line, clip, fit, plain
from mailtop.ui.theme import Styles

_REMEMBERED = 512  # strips: a screen full of lines, and those that come back when the cursor moves


class Canvas(Widget):
    """Draws by Textual's line API. `show` compares with what is on the screen and refreshes only changed lines."""

    def __init__(self, styles: Styles, ascii: bool, resized: Callable[[], object]) -> None:  # noqa: A002 - the option
        super().__init__()
        self._resized = resized
        self._ink = styles
        self._ascii = ascii
        self._lines: list[Line] = []
        self._strips: dict[tuple[Line, int], Strip] = {}

    def show(self, lines: Sequence[Line]) -> None:
        """Draw these lines from the top; draws nothing where nothing changed."""
        cells, before = self.size.width, self._lines
        after = list(lines[: self.size.height])
        after += [BLANK] * (self.size.height - len(after))
        self._lines = after
        if len(before) != len(after):
            self.refresh()
            return
        changed = [y for y, line in enumerate(after) if line != before[y]]
        if changed:
            self.refresh(*(Region(0, y, cells, 1) for y in changed))

    def on_resize(self) -> None:
        """The terminal has another size: arrange anew."""
        self._resized()

    def restyle(self, styles: Styles) -> None:
        """Draw everything anew in other styles."""
        self._ink = styles
        self._strips.clear()
        self.refresh()

    def render_line(self, y: int) -> Strip:
        """One line of the screen, for Textual."""
        cells = self.size.width
        line = self._lines[y] if y < len(self._lines) else BLANK
        strip = self._strips.get((line, cells))
        if strip is None:
            if len(self._strips) > _REMEMBERED:
                self._strips.clear()
            strip = self._strips[line, cells] = self._strip(line, cells)
        return strip

    def words(self) -> str:
        """Return what is drawn as text, a line a row, without spaces at the ends."""
        drawn = (plain(clip(line, self.size.width)) for line in self._lines)
        return "\n".join((ascii_only(words) if self._ascii else words).rstrip() for words in drawn)

    def _strip(self, line: Line, cells: int) -> Strip:
        last = line[-1][1].split("+")[-1] if line and "+" in line[-1][1] else "text"
        segments: list[Segment] = []
        for words, role in _joined(fit(line, cells, role=last)):
            drawn = ascii_only(words) if self._ascii else words
            segments.append(Segment(drawn, self._ink[role]))
        return Strip(segments, sum(cell_len(segment.text) for segment in segments))


def _joined(line: Line) -> list[tuple[str, str]]:
    """Neighbours of one role, and spaces whatever theirs is, become one piece: fewer escapes on the wire."""
    pieces: list[tuple[str, str]] = []
    for words, role in line:
        if pieces and (pieces[-1][1] == role or (words.isspace() and _ground(role) == _ground(pieces[-1][1]))):
            pieces[-1] = (pieces[-1][0] + words, pieces[-1][1])
        else:
            pieces.append((words, role))
    return pieces


def _ground(role: str) -> str:
    return "+".join(
        part for part in role.split("+") if part in ("bar", "cursor", "sheet", "field") or part[:5] == "site:"
    )
