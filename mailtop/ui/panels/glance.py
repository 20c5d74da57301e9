"""What the services measure, in a line or two: a figure each, the worst of all targets or their sum."""

from __future__ import annotations

from collections.abc import Mapping

from msgspec.structs import replace

from mailtop.model.snapshot import Health, Page
from mailtop.ui.boards import figure_line
from mailtop.ui.ink import Line, Span, width
from mailtop.ui.view import Panel, Row, Scene

_WELL = (Health.OK, Health.UNKNOWN)


def rows(scene: Scene, pages: Mapping[str, Page], cells: int) -> list[Row]:  # noqa: ARG001 - a panel's shape
    """As many lines as it takes; figures are not torn apart. What is wrong comes first, and says where."""
    lines: list[Line] = []
    pieces: list[Span] = []
    for figure in sorted(scene.snapshot.glance, key=lambda figure: figure.reading.health in _WELL):
        words = figure_line(replace(figure, of="") if figure.reading.health in _WELL else figure)
        if pieces and width(pieces) + 3 + width(words) > cells:
            lines.append(tuple(pieces))
            pieces = []
        pieces += [("   ", "text"), *words]
    return [Row(line, ("glance", number)) for number, line in enumerate([*lines, tuple(pieces)]) if line]


GLANCE = Panel("glance", screen="overview", order=3, rows=rows, least=1, gives=3, close=True)
