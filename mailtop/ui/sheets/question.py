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
    """One question. `done` is given what was typed, or None where it is refused; a question that is settled goes.

    One that its host asks no longer stays where it is being typed at, and takes what is typed until enter or escape:
    the rest of a password would be keys of the screen below, or part of the answer to another host.
    """

    place: ClassVar[str] = "question"
    wide: ClassVar[int] = 76
    useless: ClassVar[frozenset[str]] = frozenset()

    def __init__(self, question: Question, done: Callable[[str | None], object]) -> None:
        self.question = question
        self.title = f"{question.host} asks for a {question.kind.value}"
        self._done = done
        self._line = Prompt("", lambda _: None, secret=question.secret)
        self._settled = False
        self.lapsed = False
        """It is asked no longer, and waits for enter or escape."""

    def over(self) -> bool:
        """It is asked no longer: may the sheet go? Else it lapses."""
        self.lapsed = bool(self._line.words) and not self._settled
        if self.lapsed:
            self._line.words, self._line.at = "", 0
        return not self.lapsed

    def draw(self, scene: Scene, size: Size) -> list[Line]:  # noqa: ARG002 - a sheet's shape
        """The host's words, what is typed, what becomes of it."""
        words = [text(part) for part in folded(shown(self.question.words, 600), size.cells)][: max(1, size.rows - 5)]
        if self.lapsed:
            return [*words, BLANK, text(f"{self.question.host} asks no longer; enter or esc closes", "warn")][
                : size.rows
            ]
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
        if not self.lapsed and key not in ("up", "down", "tab") and (key != "backspace" or self._line.words):
            self._line.press(key, character)
        return True

    def pasted(self, words: str) -> None:
        """Take a paste in."""
        if not self.lapsed:
            self._line.insert(words)

    def answer(self) -> None:
        """Send it."""
        self._settle(self._line.words)

    def refuse(self) -> None:
        """Answer nothing."""
        self._settle(None)

    def _settle(self, words: str | None) -> None:
        lapsed, self.lapsed, self._settled = self.lapsed, False, True
        if not lapsed:
            self._done(words)
