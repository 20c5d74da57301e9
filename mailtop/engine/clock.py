"""The only place that reads time, and the only place that waits for it."""

from __future__ import annotations

import asyncio
import time
from typing import Protocol

BEAT = 1.0  # seconds between two moments at which waits end together
LONG = 5.0  # seconds; a wait that is no shorter is not counted in tenths


class Clock(Protocol):
    """Time as the engine sees it."""

    def now(self) -> float:
        """Seconds since the epoch: what is written beside every number."""

    def monotonic(self) -> float:
        """Seconds that never jump: for intervals and deadlines."""

    async def sleep(self, seconds: float) -> None:
        """Wait so long by this clock."""


class SystemClock:
    """The machine's own time."""

    def now(self) -> float:
        """Seconds since the epoch."""
        return time.time()

    def monotonic(self) -> float:
        """Seconds since some start."""
        return time.monotonic()

    async def sleep(self, seconds: float) -> None:
        """Wait."""
        await asyncio.sleep(seconds)


class DrivenClock:
    """Time that moves only when somebody moves it: a recording's, or a test's."""

    def __init__(self, at: float = 0.0) -> None:
        self._at = at
        self._moved = asyncio.Event()

    def now(self) -> float:
        """Seconds since the epoch, as far as this clock has been moved."""
        return self._at

    def monotonic(self) -> float:
        """The same seconds: a driven clock never jumps on its own."""
        return self._at

    def move(self, at: float) -> None:
        """Set the time, forwards or (a recording that starts again) backwards, and wake who waits."""
        self._at = at
        moved, self._moved = self._moved, asyncio.Event()
        moved.set()

    async def sleep(self, seconds: float) -> None:
        """Wait until the clock has been moved that far, or back."""
        start, due = self._at, self._at + seconds
        while start <= self._at < due:
            await self._moved.wait()


async def within(event: asyncio.Event, seconds: float, after_beat: float = 0.0) -> bool:
    """Wait for an event, at most so many real seconds; did it happen?

    Waits of whole seconds, and all long ones, end on a common beat, or so much after it: see `due`.
    `asyncio.wait_for` may lose a cancellation that comes as the event does (Python 3.11), and a task with it.
    """
    try:
        async with asyncio.timeout_at(due(asyncio.get_running_loop().time(), seconds, after_beat)):
            await event.wait()
    except TimeoutError:
        return False
    return True


def due(now: float, seconds: float, after_beat: float = 0.0) -> float:
    """When a wait ends that begins now. Whole seconds, and all from `LONG` on, are rounded to a full second.

    To wake costs more than what most wakings do: a hundred tasks that wake together cost hardly more than one.

    >>> due(100.3, 10.0), due(100.3, 7.4), due(100.3, 1.0, after_beat=0.1), due(100.3, 1.25)
    (110.0, 108.0, 101.1, 101.55)
    """
    if seconds < LONG and not (seconds >= BEAT and float(seconds).is_integer()):
        return now + seconds
    return round((now + seconds - after_beat) / BEAT) * BEAT + after_beat
