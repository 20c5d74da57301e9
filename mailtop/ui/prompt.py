"""One line of typing: for `:` commands, `/` filters, answers and file names. Pure; it draws itself and never waits."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from mailtop.ui.ink import Line


class Prompt:
    """An editor of one line. `done` is called with the text on enter; `complete` offers what could come next."""

    def __init__(
        self,
        label: str,
        done: Callable[[str], object],
        complete: Callable[[str], Sequence[str]] | None = None,
        start: str = "",
        secret: bool = False,
        history: list[str] | None = None,
    ) -> None:
        self.label = label
        self.done = done
        self.words = start
        self.at = len(start)
        self._complete = complete
        self._secret = secret
        self._history = history if history is not None else []
        self._back = len(self._history)

    def offers(self) -> Sequence[str]:
        """What the words so far could become."""
        return self._complete(self.words) if self._complete else ()

    def press(self, key: str, character: str | None) -> bool:
        """Take one key; false when the prompt is to be closed."""
        handler = _EDITS.get(key)
        if key == "enter":
            if self.words and not self._secret and self.words not in self._history[-1:]:
                self._history.append(self.words)
            self.done(self.words)
            return False
        if key in ("escape", "ctrl+c") or (key == "backspace" and not self.words):
            return False
        if handler is not None:
            handler(self)
        elif character and character.isprintable():
            self.insert(character)
        return True

    def insert(self, words: str) -> None:
        """Type or paste at the cursor; line ends and control characters are left out."""
        words = "".join(character for character in words if character.isprintable())
        self.words = self.words[: self.at] + words + self.words[self.at :]
        self.at += len(words)

    def line(self) -> Line:
        """The prompt as drawn, with its cursor."""
        words = "•" * len(self.words) if self._secret else self.words
        before, under, after = words[: self.at], words[self.at : self.at + 1] or " ", words[self.at + 1 :]
        return ((f" {self.label}", "key"), (before, "title"), (under, "title+cursor"), (after, "title"))

    def backspace(self) -> None:
        """Take the character before the cursor away."""
        self.words = self.words[: max(0, self.at - 1)] + self.words[self.at :]
        self.at = max(0, self.at - 1)

    def delete(self) -> None:
        """Take the one under it away."""
        self.words = self.words[: self.at] + self.words[self.at + 1 :]

    def word_back(self) -> None:
        """Take the word before it away."""
        kept = self.words[: self.at].rstrip()
        kept = kept[: kept.rfind(" ") + 1]
        self.words, self.at = kept + self.words[self.at :], len(kept)

    def clear(self) -> None:
        """Take everything before it away."""
        self.words, self.at = self.words[self.at :], 0

    def left(self) -> None:
        """One back."""
        self.at = max(0, self.at - 1)

    def right(self) -> None:
        """One on."""
        self.at = min(len(self.words), self.at + 1)

    def home(self) -> None:
        """To the start."""
        self.at = 0

    def end(self) -> None:
        """To the end."""
        self.at = len(self.words)

    def tab(self) -> None:
        """As far as all offers agree."""
        offers = self.offers()
        if not offers:
            return
        shared = offers[0]
        while not all(offer.startswith(shared) for offer in offers):
            shared = shared[:-1]
        if len(shared) >= len(self.words):
            self.words = shared
            self.at = len(shared)

    def older(self) -> None:
        """What was typed before."""
        self._recall(-1)

    def newer(self) -> None:
        """And after that."""
        self._recall(1)

    def _recall(self, step: int) -> None:
        self._back = max(0, min(len(self._history), self._back + step))
        self.words = self._history[self._back] if self._back < len(self._history) else ""
        self.at = len(self.words)


_EDITS: dict[str, Callable[[Prompt], None]] = {
    "backspace": Prompt.backspace,
    "delete": Prompt.delete,
    "ctrl+w": Prompt.word_back,
    "ctrl+u": Prompt.clear,
    "left": Prompt.left,
    "right": Prompt.right,
    "home": Prompt.home,
    "end": Prompt.end,
    "tab": Prompt.tab,
    "up": Prompt.older,
    "down": Prompt.newer,
}
