"""A sheet that only shows: a row in full, the keys, a command's answer."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from msgspec import Struct
from msgspec.structs import fields

from mailtop.model.snapshot import Health, Reading
from mailtop.model.text import Foreign, shown
from mailtop.ui.figures import NONE, SIGNS
from mailtop.ui.ink import Line, folded, plain, text
from mailtop.ui.messages import CloseSheet, Copy
from mailtop.ui.view import Post, Scene, Size


class Words:
    """Lines under a title, scrolled where they are too many."""

    place: ClassVar[str] = "words"
    useless: ClassVar[frozenset[str]] = frozenset()

    def __init__(self, title: str, lines: Sequence[Line], wide: int = 76, post: Post | None = None) -> None:
        self.title = title
        self.wide = wide
        self._lines = lines
        self._top = 0
        self._rows = 1
        self.post: Post = post or (lambda _: None)

    @classmethod
    def of_pairs(cls, title: str, pairs: Sequence[tuple[str, str]]) -> Words:
        """Labels and what they stand for; a long text goes on under itself."""
        left = max((len(label) for label, _ in pairs), default=0)
        lines: list[Line] = []
        for label, words in pairs:
            for number, part in enumerate(folded(words, 72 - left)):
                lines.append(((f"{label if not number else '':<{left}}  ", "head"), *text(part)))
        return cls(title, lines)

    @classmethod
    def of_item(cls, item: object, title: str) -> Words:
        """Any noun, field by field."""
        if not isinstance(item, Struct):
            return cls.of_pairs("Row", [("", title)])
        pairs = [(field.name.replace("_", " "), _value(getattr(item, field.name))) for field in fields(item)]
        return cls.of_pairs(str(getattr(item, "name", "") or getattr(item, "target", "") or "Row"), pairs)

    def draw(self, scene: Scene, size: Size) -> list[Line]:  # noqa: ARG002 - a sheet's shape
        """The lines that fit, from where it was scrolled to."""
        self._rows = size.rows
        self._top = max(0, min(self._top, len(self._lines) - size.rows))
        return list(self._lines[self._top : self._top + size.rows])

    def typed(self, key: str, character: str | None) -> bool:  # noqa: ARG002 - a sheet's shape
        """Nothing is typed here."""
        return False

    def close(self) -> None:
        """Away."""
        self.post(CloseSheet())

    def down(self) -> None:
        """One line on."""
        self._top = min(self._top + 1, max(0, len(self._lines) - self._rows))

    def up(self) -> None:
        """One line back."""
        self._top = max(0, self._top - 1)

    def copy(self) -> None:
        """All of it."""
        self.post(Copy("\n".join(plain(line).rstrip() for line in self._lines), "what is shown"))


def _value(value: object) -> str:
    match value:
        case Reading():
            number = NONE if value.value is None else f"{value.value:g}"
            return " ".join(filter(None, (number, SIGNS[value.health], "stale" if value.stale else "", value.note)))
        case bytes():
            return shown(Foreign(value))
        case Health():
            return f"{SIGNS[value]} {value.value}"
        case float():
            return f"{value:g}"
        case tuple():
            return ", ".join(_value(part) for part in value) or NONE
        case Struct():
            return " ".join(_value(getattr(value, field.name)) for field in fields(value))
        case None | "":
            return NONE
        case _:
            return str(value)
