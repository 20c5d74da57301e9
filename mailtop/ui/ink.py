"""Lines as a panel writes them: plain text with roles, measured in cells.

A role names what a piece of text is (`crit`, `dim`, `title`), never its colour; `+` joins roles: `crit+cursor`.
Nothing here is markup: text goes to the terminal as it stands, and a stranger's text only through `shown`.
"""

from __future__ import annotations

from collections.abc import Iterable

from rich.cells import cell_len, set_cell_size

Span = tuple[str, str]
Line = tuple[Span, ...]

BLANK: Line = ()
ELLIPSIS = "…"


def text(words: str, role: str = "text") -> Line:
    """Return a line of one piece."""
    return ((words, role),) if words else ()


def width(line: Iterable[Span]) -> int:
    """Return how many cells a line takes.

    >>> width((("日本", "text"), ("!", "crit")))
    5
    """
    return sum([len(words) if words.isascii() else cell_len(words) for words, _ in line])


def plain(line: Iterable[Span]) -> str:
    """Return a line's words without their roles."""
    return "".join(words for words, _ in line)


def cut(words: str, cells: int) -> str:
    """Return `words`, at most so many cells wide; a cut is marked.

    >>> cut("outlook.test", 8)
    'outlook…'
    """
    if cell_len(words) <= cells:
        return words
    return set_cell_size(words, cells - 1).rstrip() + ELLIPSIS if cells > 0 else ""


def folded(words: str, cells: int) -> list[str]:
    """Return `words` in parts of so many characters, broken at spaces where that is possible.

    >>> folded("engine ended: start mailtop again", 20)
    ['engine ended: start', 'mailtop again']
    """
    parts: list[str] = []
    while len(words) > cells > 0:
        at = words.rfind(" ", 0, cells + 1)
        at = at if at > cells // 2 else cells
        parts.append(words[:at])
        words = words[at:].lstrip()
    return [*parts, words]


def clip(line: Iterable[Span], cells: int) -> Line:
    """Return a line, at most so many cells wide; a cut is marked."""
    kept: list[Span] = []
    left = cells
    for words, role in line:
        size = cell_len(words)
        if size > left:
            if left > 0:
                kept.append((cut(words, left), role))
            elif kept:
                last, last_role = kept[-1]
                kept[-1] = (cut(last + ELLIPSIS * 2, cell_len(last)), last_role)
            break
        kept.append((words, role))
        left -= size
    return tuple(kept)


def fit(line: Line, cells: int, right: bool = False, role: str = "text") -> Line:
    """Return a line exactly so many cells wide: cut, or filled with spaces at its end (`right`: at its start)."""
    line = clip(line, cells)
    missing = cells - width(line)
    if missing <= 0:
        return line
    space = (" " * missing, role)
    return (space, *line) if right else (*line, space)


def under(line: Line, role: str) -> Line:
    """Return a line with one more role under all its pieces: `under(line, "cursor")`."""
    return tuple((words, f"{own}+{role}") for words, own in line)


def beside(left: Line, right: Line, cells: int, role: str = "text") -> Line:
    """Return two lines on one: `right` is kept whole, at the right edge, and `left` gives way."""
    right = clip(right, cells)
    return fit(left, cells - width(right), role=role) + right


def over(base: Line, column: int, top: Line, cells: int) -> Line:
    """Return `base` (so many cells wide) with `top` laid over it from a column on."""
    base = fit(base, cells)
    end = column + width(top)
    return _slice(base, 0, column) + top + _slice(base, end, cells)


def _slice(line: Line, start: int, stop: int) -> Line:
    """Return the cells from `start` up to `stop`; half a wide character becomes a space."""
    pieces: list[Span] = []
    at = 0
    for words, role in line:
        size = cell_len(words)
        if at + size > start and at < stop:
            if at >= start and at + size <= stop:
                pieces.append((words, role))
            else:
                pieces.append((_cells(words, max(0, start - at), min(size, stop - at)), role))
        at += size
    return tuple(pieces)


def _cells(words: str, start: int, stop: int) -> str:
    if words.isascii():
        return words[start:stop]
    kept: list[str] = []
    at = 0
    for character in words:
        size = cell_len(character)
        if at >= start and at + size <= stop:
            kept.append(character)
        elif at + size > start and at < stop:
            kept.append(" ")
        at += size
    return set_cell_size("".join(kept), stop - start)
