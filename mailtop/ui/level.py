"""One step of narrowing in the queue: what is asked for, and the rows that came."""

from __future__ import annotations

from functools import cache
from typing import Any

from mailtop.model.plugin import plugins
from mailtop.model.snapshot import Page, PageAsk
from mailtop.ui.figures import count
from mailtop.ui.rows import Rows
from mailtop.ui.view import Listing


class Level:
    """What is asked for and what came. `cause`: in a few words, the cause that the ask narrows to, where it does."""

    def __init__(self, ask: PageAsk, label: str = "", cause: str = "") -> None:
        self.ask = ask
        self.label = label
        self.cause = cause
        self.listing = _listings()[ask.kind]
        self.rows: Rows[Any] = Rows(self.listing.identity)
        self.page: Page | None = None
        self.error = ""

    @property
    def noun(self) -> str:
        """What one row is."""
        return {"causes": "cause", "shape": "domain", "messages": "message"}[self.ask.kind]

    @property
    def unknown(self) -> str:
        """Why rows are missing, empty where none are."""
        return self.page.unknown if self.page is not None else ""

    @property
    def chosen(self) -> str:
        """What an act would hit, in a few words: `all 398 messages that match`, `3 marked`, `this message`."""
        if self.rows.everything:
            that = " that match" if self.ask.where or self.ask.cause or self.ask.domain is not None else ""
            return f"all {plural(self.rows.total, self.noun)}{that}"
        return f"{count(len(self.rows.marks))} marked" if self.rows.marks else f"this {self.noun}"


def plural(number: int, noun: str) -> str:
    """Return a count with its noun.

    >>> plural(1, "cause"), plural(398, "message")
    ('1 cause', '398 messages')
    """
    return f"{count(number)} {noun}{'' if number == 1 else 's'}"


@cache
def _listings() -> dict[str, Listing]:
    return {listing.kind: listing for listing in plugins("mailtop.ui.panels", Listing)}
