"""How far a host's clock is from ours: log stamps, ids and listings carry its time, ages and rates are by ours."""

from __future__ import annotations

from math import inf

AGAIN = 300.0  # seconds after which what was found begins anew: clocks drift, and are set

FARTHEST = 1e10  # seconds; a clock may have stopped in 1970, but what is further off is no time

TOLERANCE = 1.0  # seconds that our own clock may go back unnoticed


class HostClock:
    """Bounds of one host's clock against ours, narrowed by whatever carries its time. All in seconds.

    A count prints the host's time in whole seconds between our asking and its answer: that bounds both sides. A log
    line is stamped before it is here: that bounds one side, and proves a clock ahead of ours at once.

    >>> clock = HostClock()
    >>> clock.told(1060.0, asked=1000.0, answered=1000.2)
    >>> clock.ahead
    60.4
    """

    def __init__(self, slack: float = 0.0) -> None:
        """`slack`: how old an answer may be when it comes; a recording's are."""
        self._slack = slack
        self._least, self._most = -inf, inf
        self._began = self._told_at = -inf

    @property
    def ahead(self) -> float:
        """How far it is ahead of ours, negative where it is behind; 0.0 as long as nothing proves that it is not."""
        if self._least <= 0.0 <= self._most:
            return 0.0
        known = [bound for bound in (self._least, self._most) if abs(bound) != inf]
        return round(sum(known) / len(known), 3)

    def told(self, host: float, asked: float, answered: float) -> None:
        """The host's time, in whole seconds, as it said between two moments of ours."""
        if not abs(host - answered) < FARTHEST:
            return
        least, most = host - answered, host + 1.0 - (asked - self._slack)
        if not -TOLERANCE <= answered - self._began < AGAIN:
            self._least, self._most, self._began = -inf, inf, answered
        self._narrow(least, most)
        self._told_at = answered

    def stamped(self, stamp: float, now: float) -> None:
        """A line that the host stamped is here."""
        if not abs(stamp - now) < FARTHEST:
            return
        if not -TOLERANCE <= now - max(self._told_at, self._began) < AGAIN:
            self._least, self._most, self._began = -inf, inf, now
        self._narrow(stamp - now, inf)

    def _narrow(self, least: float, most: float) -> None:
        low, high = max(self._least, least), min(self._most, most)
        self._least, self._most = (low, high) if low <= high else (least, most)  # else a clock has been set
