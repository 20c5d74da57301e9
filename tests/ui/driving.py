"""Driving the dashboard as an operator does: keys in, text out, and waiting for conditions only."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Any

from mailtop.model.snapshot import Snapshot
from mailtop.ui.app import MailtopApp
from tests.ui.sites import blocks, causes, entries, flow, hold_preview, log_lines, noted, receipt, shapes
from tests.ui.still import ACTS, StillConsole

PATIENCE = 10.0


class Driver:
    """An app, its console and its clock."""

    def __init__(self, app: MailtopApp, console: StillConsole, pilot: Any, clock: list[float]) -> None:
        self.app = app
        self.console = console
        self.pilot = pilot
        self._clock = clock

    @property
    def text(self) -> str:
        """The screen as text."""
        return self.app.drawn

    def line(self, part: str) -> str:
        """The one line that holds `part`."""
        return next(line for line in self.text.splitlines() if part in line)

    async def press(self, *keys: str) -> None:
        """Press keys, and let everything they caused happen."""
        for key in keys:
            await self.pilot.press(key)
            await self.pilot.pause()

    async def type(self, words: str) -> None:
        """Type words."""
        await self.press(*words)

    async def shows(self, part: str) -> None:
        """Wait until the screen shows `part`."""
        await self.until(lambda: part in self.text, part)

    async def until(self, condition: Callable[[], bool], what: str = "") -> None:
        """Wait for a condition."""
        try:
            async with asyncio.timeout(PATIENCE):
                while not condition():
                    await self.pilot.pause()
                    await asyncio.sleep(0)
        except TimeoutError:
            raise AssertionError(f"never came: {what}\n{self.text}") from None

    def later(self, seconds: float) -> None:
        """Let time pass on the clock that the preview reads."""
        self._clock[0] += seconds


@asynccontextmanager
async def driven(snapshot: Snapshot | None, size: tuple[int, int] = (80, 24), **options: Any) -> AsyncIterator[Driver]:
    """Run the dashboard on a still console."""
    rows: dict[str, Sequence[Any]] = {
        "causes": causes(),
        "shape": shapes(),
        "messages": entries(),
        "board": blocks(),
        "alerts": noted(snapshot),
        "flow": (flow(),),
    }
    console = StillConsole(snapshot, rows)
    for target, lines, at in log_lines():
        console.ring.add(target, lines, at)
    console.previews = (hold_preview(),)
    console.receipt = receipt()
    clock = [100.0]
    options.setdefault("actions", ACTS)
    app = MailtopApp(console, operator="ann", monotonic=lambda: clock[0], **options)
    async with app.run_test(size=size) as pilot:
        driver = Driver(app, console, pilot, clock)
        if snapshot is not None:
            await driver.shows("last ok")
        yield driver
