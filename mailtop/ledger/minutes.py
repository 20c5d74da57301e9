"""How totals rose, minute by minute, over the last hour: the totals are kept as each minute began."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence

MINUTES = 61


class Minutes:
    """`turn` is called with the totals before the first thing of a new minute is counted; times by the log."""

    def __init__(self) -> None:
        self._starts: deque[tuple[int, tuple[int, ...]]] = deque(maxlen=MINUTES + 1)

    def turn(self, at: float, totals: Sequence[int]) -> None:
        """A minute may have begun."""
        minute = int(at // 60)
        if not self._starts or minute > self._starts[-1][0]:
            self._starts.append((minute, tuple(totals)))

    def rises(self, now: float, totals: Sequence[int]) -> list[dict[int, int]]:
        """Return of each total by how much it rose in each minute of the last hour in which anything did."""
        found: list[dict[int, int]] = [{} for _ in totals]
        after: Sequence[int] = totals
        oldest = int(now // 60) - MINUTES
        for minute, before in reversed(self._starts):
            if minute > oldest:
                for rises, new, old in zip(found, after, before, strict=True):
                    if new > old:
                        rises[minute] = new - old
            after = before
        return found
