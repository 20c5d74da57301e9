"""How fast totals rise: over the last minute, whatever clocks do."""

from __future__ import annotations

from collections import deque

RATE = 60.0  # seconds over which rates are taken
JITTER = 5.0  # seconds; a time that goes back further is a clock that was set


class Rates:
    """Totals at moments of the last minute. Moments come in order; where a clock was set, they begin anew."""

    def __init__(self) -> None:
        self._moments: deque[tuple[float, tuple[int, ...]]] = deque()

    def count(self, totals: tuple[int, ...], at: float) -> None:
        """Enter the totals of a moment."""
        moments = self._moments
        if moments and at - moments[-1][0] < -JITTER:
            moments.clear()
        if moments and at - moments[-1][0] < 1.0:
            moments[-1] = (moments[-1][0], totals)
            return
        moments.append((at, totals))
        while len(moments) > 2 and moments[1][0] <= at - RATE:
            moments.popleft()

    def at(self, now: float) -> list[float] | None:
        """Return each total's rise a second; None where it is not known."""
        if len(self._moments) < 2 or not -JITTER <= now - self._moments[-1][0] <= RATE:
            return None
        (began, first), (ended, last) = self._moments[0], self._moments[-1]
        span = max(min(now, ended) - began, 1.0)
        return [(new - old) / span for old, new in zip(first, last, strict=True)]
