"""How long something may still take. Waits are measured here, never dated: `engine.clock` alone knows the time."""

from __future__ import annotations

from collections.abc import Callable
from time import monotonic as monotonic  # noqa: TID251 - measures waits and `took`; dates nothing

Monotonic = Callable[[], float]


class Deadline:
    """So many seconds from now on, by a clock that never jumps."""

    def __init__(self, seconds: float, clock: Monotonic = monotonic) -> None:
        self._clock = clock
        self._start = clock()
        self._seconds = seconds

    def left(self) -> float:
        """Seconds that remain, 0.0 when it has passed."""
        return max(0.0, self._seconds - self.took())

    def took(self) -> float:
        """Seconds since the start."""
        return self._clock() - self._start
