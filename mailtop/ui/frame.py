"""The frame around every screen: top line, body, a line for what is said, and the key line; sheets laid over."""

from __future__ import annotations

from collections.abc import Sequence

from mailtop.model.snapshot import Health
from mailtop.ui.figures import SIGNS
from mailtop.ui.ink import BLANK, Line, Span, beside, cut, fit, folded, over, text, under, width
from mailtop.ui.keys import Bound, spelled
from mailtop.ui.prompt import Prompt
from mailtop.ui.top import top
from mailtop.ui.view import Scene, Screen, Sheet, Size, View

SMALLEST = Size(40, 10)
_FOOT = 3  # rows at the bottom where a screen tells about its cursor's row


def framed(
    scene: Scene | None,
    view: View,
    sheets: Sequence[Sheet],
    said: tuple[str, Health] | None,
    alarm: str,
    foot: Line,
    size: Size,
) -> list[Line]:
    """Return all lines of the terminal. What is said has a line of its own, so it never covers a row.

    An `alarm` stands under the top line for as long as there is one.
    """
    if size.cells < SMALLEST.cells or size.rows < SMALLEST.rows:
        return [text(f"{size.cells}×{size.rows} is too small; mailtop is complete at 80×24", "dim")]
    alarms = _alarmed(alarm, size.cells)
    room = Size(size.cells, size.rows - 3 - len(alarms))
    if scene is None:
        body: list[Line] = [BLANK, text(" waiting for the first reading …", "dim")]
        head: Line = under(fit(text(" mailtop", "title"), size.cells), "bar")
    else:
        body, head = view.draw(scene, room), top(scene, size.cells)
        for sheet in sheets:
            body = _laid_over(body, sheet, scene, room)
    body += [BLANK] * (room.rows - len(body))
    notice: Line = BLANK
    if said is not None:
        words, health = said
        notice = ((f" {SIGNS[health]} ", health.value), (cut(words, size.cells - 4), "title"))
    return [head, *alarms, *body[: room.rows], notice, foot]


def key_line(screens: Sequence[Screen], here: str, keys: Sequence[Bound], tail: Sequence[Bound], cells: int) -> Line:
    """The last line: the screens, what this place can do as far as there is room, and always help."""
    right = tuple(piece for bound in tail for piece in _hint(bound))
    hints = [_hint(bound) for bound in keys if bound.label]
    room = cells - width(right) - sum(map(width, hints)) - 3
    pieces: list[Span] = []
    for screen in screens:
        hint: Line = ((f" {screen.key} ", "key"), (f"{screen.title} ", "accent" if screen.name == here else "dim"))
        if screen.key not in "12" and width(pieces) + width(hint) > room:
            pieces.append((" … ", "dim"))
            break
        pieces += hint
    pieces.append((" " if pieces else "", "text"))
    for hint in hints:
        if width(pieces) + width(hint) > cells - width(right):
            break
        pieces += hint
    return under(beside(tuple(pieces), right, cells), "bar")


def prompt_line(prompt: Prompt, cells: int) -> Line:
    """The last line while something is typed: the words, and what they could become."""
    line = prompt.line()
    offers = [offer.strip() for offer in prompt.offers() if offer.strip() != prompt.words.strip()][:8]
    hint = text("   " + "  ".join(offers), "dim") if offers else BLANK
    return under(fit((*line, *hint), cells), "bar")


def _alarmed(alarm: str, cells: int) -> list[Line]:
    """Folded where it is too long: what to do stands at its end."""
    lead = f" {SIGNS[Health.CRIT]} "
    parts = folded(alarm, cells - len(lead) - 1) if alarm else []
    return [text(f"{lead if not number else '   '}{part}", "crit") for number, part in enumerate(parts[:3])]


def _hint(bound: Bound) -> Line:
    return ((f" {spelled(bound.key)} ", "key"), (f"{bound.label} ", "dim"))


def _laid_over(body: list[Line], sheet: Sheet, scene: Scene, room: Size) -> list[Line]:
    """The sheet in a thin border, up from the bottom, so that what it speaks of stays in sight above it."""
    wide = sheet.wide if room.cells > 100 else room.cells  # no slivers of the screen beside it
    lines = sheet.draw(scene, Size(wide - 4, room.rows - 2))
    tall = len(lines) + 2
    start = max(0, room.rows - tall - (_FOOT if tall + _FOOT <= room.rows else 0))
    column = (room.cells - wide) // 2
    margin = 1 if column else 0
    body = body + [BLANK] * (room.rows - len(body))
    title = cut(sheet.title, wide - 6)
    boxed: list[Line] = [(("╭─ ", "faint"), (title, "title"), (f" {'─' * (wide - 5 - width(text(title)))}╮", "faint"))]
    boxed += [(("│ ", "faint"), *fit(line, wide - 4), (" │", "faint")) for line in lines]
    boxed.append(((f"╰{'─' * (wide - 2)}╯", "faint"),))
    for number, line in enumerate(boxed):
        y = start + number
        lined: Line = ((" " * margin, "text"), *under(line, "sheet"), (" " * margin, "text"))
        body[y] = over(body[y], column - margin, lined, room.cells)
    return body
