"""A recording drives the collectors, on a clock that it moves itself."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path

from mailtop.engine.clock import DrivenClock
from mailtop.transport.recording import Recording
from mailtop.transport.replay import Due, Player

STEP = 0.1  # seconds between two moves of the recording's clock


class Playing:
    """Plays one recording at `speed`; `rewind` begins anew."""

    def __init__(self, path: Path, speed: float) -> None:
        """Read the recording; raises UsageError where it is none."""
        self._recording = Recording.read(path)
        self.player = Player(self._recording)
        self.clock = DrivenClock(self.player.position)
        self.speed = speed
        self.paused = False

    def rewind(self) -> None:
        """Go back to the beginning. Sources of before are of no use any more."""
        self.player = Player(self._recording)
        self.clock.move(self.player.position)

    @property
    def ended(self) -> bool:
        """Has everything been played?"""
        return self.player.position >= self.player.end

    async def play(self, run: Callable[[Due], Awaitable[None]]) -> None:
        """Move on in real time until the end; `run` carries out each probe that is due."""
        while not self.ended:
            await asyncio.sleep(STEP)
            if not self.paused:
                await self.move(STEP * self.speed, run)

    async def move(self, seconds: float, run: Callable[[Due], Awaitable[None]]) -> None:
        """Move on by so many seconds of the recording."""
        to = self.player.position + seconds
        due = self.player.advance(to)
        self.clock.move(to)
        for one in due:
            await run(one)
