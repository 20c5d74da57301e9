"""The screens that come later: reachable, and honest about it."""

from __future__ import annotations

from collections.abc import Sequence

from mailtop.model.errors import MailtopError
from mailtop.model.snapshot import Page, PageAsk
from mailtop.ui.ink import BLANK, Line, text
from mailtop.ui.view import Post, Scene, Screen, Size


class Later:
    """One quiet line."""

    def __init__(self, name: str, words: str) -> None:
        self.name = name
        self._words = words

    def draw(self, scene: Scene, size: Size) -> list[Line]:  # noqa: ARG002 - a screen's shape
        """The line."""
        return [BLANK, text(f" comes later: {self._words}", "dim")]

    def wants(self, scene: Scene) -> Sequence[PageAsk]:  # noqa: ARG002 - a screen's shape
        """Nothing."""
        return ()

    def take(self, page: Page) -> None:
        """Nothing was asked for."""

    def fail(self, ask: PageAsk, error: MailtopError) -> None:
        """Nothing was asked for."""

    def back(self) -> bool:
        """Already at the root."""
        return False

    def narrow(self, ask: PageAsk, label: str) -> None:
        """There is nothing to narrow."""

    def log_filter(self) -> str:
        """All logs."""
        return ""


def _later(key: str, name: str, words: str) -> Screen:
    title = name.capitalize()

    def make(post: Post) -> Later:  # noqa: ARG001 - a screen's shape
        return Later(name, f"{title}, {words}")

    return Screen(key, name, title, (), make, f"comes later: {words}")


ALERTS = _later("0", "alerts", "firing, pending, recent; acknowledge and silence")
