"""The help of a screen, derived from its keys and the commands."""

from __future__ import annotations

from collections.abc import Sequence

from mailtop.ui.commands import Command
from mailtop.ui.ink import Line, text
from mailtop.ui.keys import FRAME, Bound, spelled


def help_lines(title: str, table: Sequence[Bound], commands: Sequence[Command]) -> list[Line]:
    """The help of a screen, derived from its keys: first what is its own, then what is the same everywhere."""
    frame = {bound.id for bound in FRAME}
    everywhere = [bound for bound in table if bound.id in frame or bound.id.startswith("screen.")]
    own = [bound for bound in table if bound not in everywhere]
    lines: list[Line] = [text(title, "title"), *map(_help_line, own), (), text("Everywhere", "title")]
    lines += [_help_line(bound) for bound in everywhere]
    lines += [(), text("Commands", "title")]
    for command in commands:
        lines.append((("  ", "text"), (f"{f':{command.name} {command.takes}':<19}", "key"), (command.help, "text")))
    return lines


def _help_line(bound: Bound) -> Line:
    keys = " ".join(spelled(key) for key in (bound.key, *bound.also))
    return (
        ("  ", "text"),
        (f"{keys:<11}", "key"),
        (bound.help, "dim" if bound.help.startswith("comes later") else "text"),
    )
