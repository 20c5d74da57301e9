"""A recording drives the collectors, on a clock that it moves itself; and goes to any moment that it is asked for."""

from __future__ import annotations

import asyncio
from bisect import bisect_left, bisect_right
from collections.abc import Awaitable, Callable
from pathlib import Path

from mailtop.engine.clock import DrivenClock, within
from mailtop.model.errors import UsageError
from mailtop.transport.recording import Recording
from mailtop.transport.replay import Due, Player

STEP = 0.1  # seconds between two moves of the recording's clock
PIECE = 1.0  # seconds of the recording: a way is gone in such pieces, so that logs are read at about their own time

Run = Callable[[Due], Awaitable[None]]
"""Carries out a probe that is due."""


class Playing:
    """Plays one recording at `speed`; `rewind` begins anew. `to`: the moment it goes to, None where it just plays."""

    def __init__(self, path: Path, speed: float) -> None:
        """Read the recording; raises UsageError where it is none."""
        self._recording = Recording.read(path)
        self.player = Player(self._recording)
        self.clock = DrivenClock(self.player.position)
        self.speed = speed
        self.paused = False
        self.to: float | None = None
        self._asked = asyncio.Event()

    def rewind(self) -> None:
        """Go back to the beginning. Sources of before are of no use any more."""
        self.player = Player(self._recording)
        self.clock.move(self.player.position)

    @property
    def played(self) -> tuple[float, float]:
        """How many seconds have been played, of how many."""
        started, end = self._recording.header.started, self.player.end
        return min(self.player.position, end) - started, end - started

    def step(self, by: int) -> None:
        """Pause, and go so many frames on (negative: back); raises UsageError where there are not so many."""
        frames = self.player.frames
        at = self.player.position if self.to is None else self.to
        frame = (bisect_right(frames, at) - 1 if by > 0 else bisect_left(frames, at)) + by
        if not 0 <= frame < len(frames):
            raise UsageError("step", f"this is the {'end' if by > 0 else 'beginning'} of the recording", "p plays on")
        self.paused, self.to = True, frames[frame]
        self._asked.set()

    async def play(self, run: Run, moved: Callable[[], Awaitable[None]], arrived: Callable[[], None]) -> None:
        """Play in real time until the end, or until it has to begin anew to go back.

        `run` carries out each probe that is due. On the way to a moment that was asked for, `moved` is called after
        each piece, and `arrived` at the end.
        """
        while self.to is not None or self.paused or self.player.position < self.player.end:
            if self.to is None:
                if not await within(self._asked, STEP) and not self.paused:
                    await self.move(STEP * self.speed, run)
            elif self.to < self.player.position:
                return
            elif self.to > self.player.position:
                await self.move(min(PIECE, self.to - self.player.position), run)
                await moved()
            else:
                self.to = None
                self._asked.clear()
                arrived()

    async def move(self, seconds: float, run: Run) -> None:
        """Move on by so many seconds of the recording."""
        to = self.player.position + seconds
        due = self.player.advance(to)
        self.clock.move(to)
        for one in due:
            await run(one)
