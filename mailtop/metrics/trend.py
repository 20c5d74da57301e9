"""When what shrinks will be used up: a straight line through its readings, or nothing where there is none.

The slope is Theil and Sen's, the median of the slopes between all pairs, which a few outliers do not move; its bounds
are Sen's, at 95 %. A line is none where readings scatter as far as they fall, or where a third of the time has not its
part in the fall: one large file is a step, and office hours are no trend before there were some days of them.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from math import sqrt
from statistics import median, quantiles
from typing import NamedTuple

MOST = 48  # readings that are looked at: of more, the medians of as many stretches
FEWEST = 12
WIDE = 3.0  # the latest day may be so many times as far away as the soonest
SCATTER = 4.0  # and the fall so many times as large as half of the readings are off the line
SHARE = 0.25  # of the slope of all, that each third of the time must have at least


class Spent(NamedTuple):
    """In how many seconds nothing is left: most likely, at the soonest and at the latest."""

    likely: float
    soonest: float
    latest: float


def spent(values: Sequence[float | None], step: float, reach: float) -> Spent | None:
    """Return when readings `step` seconds apart (None: there was none) reach 0; None where nobody can know.

    `reach`: how many times as far ahead as what was seen is long may be foretold.

    >>> spent([100.0 - hour for hour in range(24)], 3600.0, reach=4.0)
    Spent(likely=277200.0, soonest=277200.0, latest=277200.0)
    >>> spent([100.0] * 24, 3600.0, 4.0), spent([100.0] * 12 + [50.0] * 12, 3600.0, 4.0)
    (None, None)
    """
    points = _thinned([(at * step, value) for at, value in enumerate(values) if value is not None])
    if len(points) < FEWEST:
        return None
    slopes = sorted(_slopes(points))
    slope, length = median(slopes), points[-1][0] - points[0][0]
    low, high = _bounds(slopes, len(points))
    left = points[-1][1]
    if high >= 0 or left <= 0 or low < WIDE * high or left > -slope * reach * length:
        return None
    if -slope * length < SCATTER * _scatter(points, slope) or not all(_falls(points, slope)):
        return None
    return Spent(left / -slope, left / -low, left / -high)


def _thinned(points: list[tuple[float, float]]) -> list[tuple[float, float]]:
    """At most MOST points: of each stretch of time its middle one, with the median; the newest stays as it is."""
    size = -(-len(points) // MOST)
    if size <= 1:
        return points
    stretches = [points[max(0, end - size) : end] for end in range(len(points) - 1, 0, -size)]
    thin = [(stretch[len(stretch) // 2][0], median(value for _, value in stretch)) for stretch in reversed(stretches)]
    return [*thin, points[-1]]


def _slopes(points: Sequence[tuple[float, float]]) -> Iterator[float]:
    for number, (at, value) in enumerate(points):
        for later, then in points[number + 1 :]:
            yield (then - value) / (later - at)


def _bounds(slopes: Sequence[float], number: int) -> tuple[float, float]:
    """Between which the slope is at 95 %: Sen's, by the variance of Kendall's S."""
    deviation = 1.96 * sqrt(number * (number - 1) * (2 * number + 5) / 18)
    low, high = int((len(slopes) - deviation) / 2), round((len(slopes) + deviation) / 2)
    return slopes[max(0, low)], slopes[min(len(slopes) - 1, high)]


def _scatter(points: Sequence[tuple[float, float]], slope: float) -> float:
    """How far the middle half of the readings is spread around the line."""
    first, _, third = quantiles(value - slope * at for at, value in points)
    return third - first


def _falls(points: Sequence[tuple[float, float]], slope: float) -> Iterator[bool]:
    """Has each third of the time its part in the fall?"""
    begin, end = points[0][0], points[-1][0]
    for third in range(3):
        since, until = (begin + (end - begin) * edge / 3 for edge in (third, third + 1))
        part = [point for point in points if since <= point[0] <= until]
        yield len(part) >= 3 and median(_slopes(part)) <= SHARE * slope
