"""How the queue's trail of levels is drawn: the crumbs, the rows, and the cursor's row in full."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from mailtop.model.snapshot import Health
from mailtop.ui.figures import SIGNS, count
from mailtop.ui.ink import BLANK, Line, Span, beside, fit, text, under
from mailtop.ui.level import Level
from mailtop.ui.table import Layout
from mailtop.ui.view import Scene

_RESTS = {"log": "from the log", "sample": "a sample", "cut": "a listing that broke off"}


def crumbs(trail: Sequence[Level], cells: int) -> Line:
    """The way here, how many rows there are and what they rest on; and at the right what is chosen."""
    level = trail[-1]
    pieces: list[Span] = [(" ", "text")]
    for step in trail:
        if step.label:
            pieces += [(" › ", "faint"), (step.label, "dim")]
        pieces += [(" › " if pieces[1:] else "", "faint"), (step.listing.title, "title" if step is level else "dim")]
    if level.unknown:
        pieces.append((f" {SIGNS[Health.UNKNOWN]}", "unknown"))
    elif level.rows.known:
        pieces.append((f" {count(level.rows.total)}", "text"))
    if level.page is not None and level.page.known in _RESTS:
        known = level.page.known
        pieces.append((f"  {_RESTS[known]}", "dim" if known == "log" else "warn"))
    return beside(tuple(pieces), _state(level), cells)


def table(level: Level, scene: Scene, height: int, cells: int) -> list[Line]:
    """The titles, and so many rows; where there are none, why. Only what is known to be empty is called well."""
    layout: Layout[Any] = Layout(level.listing.columns(scene.now), cells - 3)
    titles: Line = (("  ", "text"), *layout.head(level.ask.sort))
    if not level.rows.known or not level.rows.total or level.error:
        return [titles, BLANK, _no_rows(level, scene)]
    missing = [_reason(Health.UNKNOWN, f"rows are missing: {level.unknown}")] if level.unknown else []
    window = level.rows.window(max(1, height - len(missing)))
    return [titles, *missing, *(_row(level, layout, at, cells) for at in window)]


def footer(level: Level, scene: Scene, cells: int) -> list[Line]:
    """The cursor's row in full."""
    lines: Sequence[Line] = [BLANK, BLANK]
    item = level.rows.current
    if level.rows.astray:
        lines = [text("the row under the cursor has left; move to choose another", "warn"), BLANK]
    elif item is not None and not level.error:
        lines = level.listing.footer(item, scene.now)
    return [BLANK, *(fit((("  ", "text"), *line), cells) for line in lines)]


def _reason(health: Health, words: str) -> Line:
    return ((f"  {SIGNS[health]} ", health.value), (words, "text"))


def _no_rows(level: Level, scene: Scene) -> Line:
    if level.error:
        return _reason(Health.UNKNOWN, level.error)
    if not level.rows.known:
        return text("  asking …", "dim")
    if level.unknown:
        return _reason(Health.UNKNOWN, f"not known: {level.unknown}")
    if level.ask.where:
        return text(f"  nothing matches /{level.ask.where}", "dim")
    if not scene.known:
        return _reason(Health.UNKNOWN, f"{level.listing.empty}, as far as is known")
    return ((f"  {SIGNS[Health.OK]} ", "ok"), (level.listing.empty, "dim"))


def _row(level: Level, layout: Layout[Any], index: int, cells: int) -> Line:
    found = level.rows
    item = found.item(index)
    marked = found.marked(index)
    at = index == found.at
    lead = ("▹" if found.astray else "▸") if at else " "
    line: Line = ((lead, "accent"), ("•" if marked else " ", "mark"))
    line += layout.row(item) if item is not None else text("…", "faint")
    if marked:
        line = tuple((words, "mark" if role in ("text", "title", "dim") else role) for words, role in line)
    return under(fit(line, cells), "cursor") if at else line


def _state(level: Level) -> Line:
    pieces: list[Span] = []
    if level.ask.where:
        pieces += [("  /", "key"), (level.ask.where, "title")]
    if level.rows.anchor is not None:
        pieces.append(("  range …", "mark"))
    if level.rows.everything or level.rows.marks:
        pieces.append((f"  {level.chosen}", "mark"))
    return (*pieces, (" ", "text"))
