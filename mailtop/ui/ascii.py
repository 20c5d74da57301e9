"""`--ascii`: one filter over the drawn lines. Every sign has a twin of the same width."""

from __future__ import annotations

from rich.cells import cell_len

_TWINS = {
    "●": "o", "▲": "!", "✖": "X", "⊘": "#", "—": "-", "–": "-", "−": "-", "±": "~", "…": "~", "·": ".", "×": "x",
    "→": ">", "←": "<", "↑": "^", "↓": "v", "›": ">", "▸": ">", "▹": "}", "▶": ">", "‖": "=", "✓": "*", "▏": "_",
    "╭": "+", "╮": "+", "╰": "+", "╯": "+", "─": "-", "│": "|", "▰": "#", "▱": ".", "•": "*", "½": "h",
    "▁": "_", "▂": ".", "▃": ":", "▄": "-", "▅": "=", "▆": "+", "▇": "*", "█": "#",
}  # fmt: skip
_TABLE = str.maketrans(_TWINS)


def ascii_only(words: str) -> str:
    """Return `words` in ASCII, as wide as before; what has no twin becomes `?` for each of its cells.

    >>> ascii_only("● 日本 …")
    'o ???? ~'
    """
    if words.isascii():
        return words
    twins = words.translate(_TABLE)
    if twins.isascii():
        return twins
    return "".join(sign if sign.isascii() else "?" * cell_len(sign) for sign in twins)
