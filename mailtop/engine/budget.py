"""What a probe may cost a host: a share of one core over any minute, kept by stretching the interval."""

from __future__ import annotations

SHARE = 0.02  # of one core of the host, per probe
LONGEST = 600.0  # seconds; what would have to wait longer runs only when asked for


def interval(every: float, cost: float, share: float = SHARE) -> float:
    """Return the seconds between two runs of a probe that costs the host `cost` CPU seconds a run.

    >>> interval(10.0, 0.05)
    10.0
    >>> interval(10.0, 6.0)
    300.0
    """
    return max(every, cost / share)


def affordable(cost: float, share: float = SHARE) -> bool:
    """May it run by itself at all, or only when the operator asks?"""
    return cost / share <= LONGEST
