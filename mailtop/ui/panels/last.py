"""Last success per hop: traffic without a success is the alarm that no threshold misses."""

from __future__ import annotations

from collections.abc import Mapping

from mailtop.model.snapshot import Health, HopState, Page
from mailtop.model.topology import Hop
from mailtop.ui.figures import NONE, SIGNS, whole
from mailtop.ui.ink import Line, Span
from mailtop.ui.view import Panel, Row, Scene

WORDS = {
    Hop.IN: "accepted",
    Hop.FILTER: "filtered",
    Hop.MAILBOX: "mailbox",
    Hop.REMOTE: "remote",
    Hop.ARCHIVE: "archived",
    Hop.SEARCH: "searchable",
}


def rows(scene: Scene, pages: Mapping[str, Page], cells: int) -> list[Row]:  # noqa: ARG001 - a panel's shape
    """One line: each hop with the age of its last success."""
    pieces: list[Span] = [(" last ok ", "head")]
    for hop in scene.snapshot.hops:
        pieces += _success(hop, tight=cells < 100)
    return [Row(tuple(pieces))] if scene.snapshot.hops else []


def _success(hop: HopState, tight: bool) -> Line:
    reading = hop.last_success
    name = (f" {hop.hop.value} " if tight else f"   {WORDS[hop.hop]} ", "dim")
    if reading.value is None:
        denied = reading.health is Health.DENIED
        return (name, (SIGNS[Health.DENIED], "denied") if denied else (NONE, "faint"))
    words = whole(reading.value)
    if reading.health is Health.OK:
        return (name, (words, "dim" if reading.stale else "text"))
    return (name, (f"{SIGNS[reading.health]} {words}", reading.health.value))


LAST = Panel("last", screen="overview", order=0, rows=rows, least=1, gives=0)
