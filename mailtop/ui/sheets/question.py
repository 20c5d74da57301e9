"""What a host asks a person: a passphrase, a password, a code; typed here, and nowhere kept on this side."""

from __future__ import annotations

from collections.abc import Callable
from typing import ClassVar

from mailtop.model.question import Kind, Question
from mailtop.model.text import shown
from mailtop.ui.ink import BLANK, Line, folded, text
from mailtop.ui.keys import Bound
from mailtop.ui.prompt import Prompt
from mailtop.ui.view import Scene, Size

KEYS = (
    Bound("question.answer", "enter", "answer", "send what is typed", "answer"),
    Bound("question.refuse", "escape", "refuse", "answer nothing: the host stays down", "refuse", ("ctrl+c",)),
)

_LATER = {
    Kind.PASSPHRASE: "remembered until mailtop ends; for longer: ssh-add it",
    Kind.PASSWORD: "remembered until mailtop ends, for the next connection",
    Kind.CODE: "good once: it is asked for at each connection",
}


class Sheet:
    """One question. `done` is given what was typed, or None where it is refused; a question that is settled goes."""

    place: ClassVar[str] = "question"
    wide: ClassVar[int] = 76
    useless: ClassVar[frozenset[str]] = frozenset()

    def __init__(self, question: Question, done: Callable[[str | None], object]) -> None:
        self.question = question
        self.title = f"{question.host} asks for a {question.kind.value}"
        self._done = done
        self._line = Prompt("", lambda _: None, secret=question.secret)

    def draw(self, scene: Scene, size: Size) -> list[Line]:  # noqa: ARG002 - a sheet's shape
        """The host's words, what is typed, what becomes of it."""
        words = [text(part) for part in folded(shown(self.question.words, 600), size.cells)][: max(1, size.rows - 5)]
        refused = f"esc refuses: {self.question.host} stays down until r asks again"
        return [
            *words,
            BLANK,
            (("▸", "key"), *self._line.line()),
            BLANK,
            text(_LATER[self.question.kind], "dim"),
            text(refused, "dim"),
        ][: size.rows]

    def typed(self, key: str, character: str | None) -> bool:
        """Everything but enter and escape is typed."""
        if key in ("enter", "escape", "ctrl+c"):
            return False
        if key not in ("up", "down", "tab") and (key != "backspace" or self._line.words):
            self._line.press(key, character)
        return True

    def pasted(self, words: str) -> None:
        """Take a paste in."""
        self._line.insert(words)

    def answer(self) -> None:
        """Send it."""
        self._done(self._line.words)

    def refuse(self) -> None:
        """Answer nothing."""
        self._done(None)
