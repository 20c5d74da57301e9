"""The yardstick: the smallest Textual application, with a key that changes a line."""

from __future__ import annotations

from textual.app import App, ComposeResult
from textual.events import Key
from textual.widgets import Static


class Hello(App[None]):
    """Says hello, and counts keys."""

    keys = 0

    def compose(self) -> ComposeResult:
        """One line."""
        yield Static("hello", id="line")

    def on_key(self, event: Key) -> None:
        """Change it."""
        self.keys += 1
        self.query_one("#line", Static).update(f"pressed {event.key} {self.keys} ▸")


if __name__ == "__main__":
    Hello().run(mouse=False)
