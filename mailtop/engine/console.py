"""The port through which a face talks to the engine, in this process or across a pipe."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Protocol

from mailtop.model.operation import Approval, Preview, Receipt, Selection
from mailtop.model.snapshot import Page, PageAsk, Series, Snapshot
from mailtop.model.survey import Survey


class Console(Protocol):
    """What a face can ask of the engine. Every call raises from the tree in `model.errors`."""

    def snapshots(self) -> AsyncIterator[Snapshot]:
        """Yield the newest snapshot whenever there is one; a slow face misses old ones, never delays the engine."""

    async def page(self, ask: PageAsk) -> Page:
        """Return one window on the causes, the shape or the messages."""

    async def series(self, keys: tuple[str, ...], seconds: float) -> tuple[Series, ...]:
        """Return the last `seconds` of each series; a key is `target:name{label=value}`."""

    async def plan(self, action: str, selection: Selection) -> tuple[Preview, ...]:
        """Freeze the selection and plan the action, one plan a target. Nothing has run."""

    async def approve(self, approval: Approval) -> Receipt:
        """Carry out one plan through the only door. Refused in OBSERVE unless it is a dry run."""

    async def undo(self, receipt: str) -> tuple[Preview, ...]:
        """Plan what takes one receipt back: only what that act changed."""

    async def unlock(self, seconds: float) -> None:
        """Leave OBSERVE for so long (0 locks at once). Refused when read-only."""

    async def refresh(self, target: str = "", what: str = "") -> None:
        """Ask now instead of at the next interval; `what` = `listing` for a full listing whatever it costs."""

    async def stop_listing(self, target: str = "") -> None:
        """End the full listings that run, here and on the host; what was listed before stays."""

    async def interval(self, seconds: float) -> None:
        """Set the pace of snapshots and probes: 1.0 is the probes' own."""

    async def pause(self, paused: bool) -> None:
        """Freeze what is shown; nothing is lost meanwhile."""

    async def step(self, by: int) -> None:
        """Pause a replay, and go so many frames (seconds with news) on, or back where negative.

        A snapshot comes when it is there. Raises UsageError at either end, and where nothing is replayed.
        """

    async def survey(self) -> tuple[Survey, ...]:
        """Look around every host: versions, and what may be read and done there. Nothing is changed."""

    async def answer(self, question: str, text: str | None) -> None:
        """Answer a Question of the engine; None refuses. UsageError where it is asked no longer."""

    async def close(self) -> None:
        """End the engine, and wait until it has ended."""
