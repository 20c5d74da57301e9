"""One series over time: a ring of values at equal steps, of bounded size.

How a value enters its step depends on its kind: a gauge's last value stands, counts are summed, and a total becomes
the rate per second since the total before it. Time is a parameter, in seconds since the epoch.
"""

from __future__ import annotations

from array import array
from math import isnan, nan

from mailtop.model.sample import Kind


class Ring:
    """Values of the last `size` steps of `step` seconds; nan where nothing was measured."""

    __slots__ = ("_newest", "_values", "step")

    def __init__(self, step: float, size: int) -> None:
        self.step = step
        self._values = array("f", [nan]) * size  # seven digits are more than any plot shows, at half the memory
        self._newest: int | None = None

    def __len__(self) -> int:
        return len(self._values)

    def set(self, at: float, value: float) -> None:
        """Put a gauge's value into its step; a later one of the same step replaces it."""
        place = self._place(at)
        if place is not None:
            self._values[place] = value

    def add(self, at: float, value: float) -> None:
        """Add to what its step holds."""
        place = self._place(at)
        if place is not None:
            held = self._values[place]
            self._values[place] = value if isnan(held) else held + value

    def values(self, now: float, seconds: float) -> tuple[float, tuple[float | None, ...]]:
        """Return the start time and the values of the last `seconds` up to `now`, oldest first."""
        last = int(now // self.step)
        first = last - min(len(self._values), max(1, round(seconds / self.step))) + 1
        return first * self.step, tuple(self._at(number) for number in range(first, last + 1))

    def _at(self, number: int) -> float | None:
        newest, size = self._newest, len(self._values)
        if newest is None or not newest - size < number <= newest:
            return None
        value = self._values[number % size]
        return None if isnan(value) else value

    def _place(self, at: float) -> int | None:
        """Return the index for a time, clearing what the ring turns over; None where it is too old to keep."""
        number, size = int(at // self.step), len(self._values)
        newest = self._newest
        if newest is None:
            self._newest = number
        elif number > newest:
            for passed in range(max(newest + 1, number - size + 1), number + 1):
                self._values[passed % size] = nan
            self._newest = number
        elif number <= newest - size:
            return None
        return number % size


class Window:
    """One series in two resolutions: fine for the last minutes, coarse for the last day.

    Totals are kept as what was added in each step, growth spread evenly over the steps it took; `rate` is the last
    growth per second. A reset (a total below the one before) counts from zero, as the daemon did. `latest` is the
    last value as it came, `at` its time.
    """

    __slots__ = ("_coarse", "_fine", "_previous", "at", "kind", "latest", "rate")

    def __init__(
        self, kind: Kind, fine: tuple[float, int] = (1.0, 900), coarse: tuple[float, int] = (60.0, 1440)
    ) -> None:
        self.kind = kind
        self.latest = nan
        self.rate: float | None = None
        self.at = 0.0
        self._previous: tuple[float, float] | None = None
        self._fine = Ring(*fine)
        self._coarse = Ring(*coarse)

    def put(self, at: float, value: float) -> None:
        """Enter one value. Values come in the order of time; an older one than the last is dropped, as is nan."""
        if isnan(value) or at < self.at:
            return
        if self.kind is Kind.GAUGE:
            self._fine.set(at, value)
            self._coarse.set(at, value)
        elif self.kind is Kind.COUNT:
            self._fine.add(at, value)
            self._coarse.add(at, value)
        else:
            self._put_total(at, value)
        self.latest, self.at = value, at

    def values(self, now: float, seconds: float) -> tuple[float, float, tuple[float | None, ...]]:
        """Return start, step and values of the last `seconds`; totals as rates per second, even between readings."""
        ring = self._fine if seconds <= len(self._fine) * self._fine.step else self._coarse
        start, values = ring.values(now, seconds)
        if self.kind is Kind.TOTAL:
            values = tuple(None if value is None else value / ring.step for value in values)
        return start, ring.step, values

    def total(self, now: float, seconds: float) -> float | None:
        """Return what was added in the last `seconds` (counts and totals); None where nothing was measured."""
        ring = self._fine if seconds <= len(self._fine) * self._fine.step else self._coarse
        known = [value for value in ring.values(now, seconds)[1] if value is not None]
        return sum(known) if known else None

    def _put_total(self, at: float, value: float) -> None:
        if self._previous is None:
            self._previous = (at, value)
            return
        before, previous = self._previous
        grown = value - previous if value >= previous else value
        passed = at - before
        if passed > 0:
            self.rate = grown / passed
        self._previous = (at, value)
        for ring in (self._fine, self._coarse):
            _spread(ring, before, at, grown)


def _spread(ring: Ring, before: float, at: float, grown: float) -> None:
    """Share growth evenly among the steps that it took; the sum stays the same."""
    first, last = int(before // ring.step) + 1, int(at // ring.step)
    if last <= first or last - first >= len(ring):
        ring.add(at, grown)
        return
    share = grown / (last - first + 1)
    for number in range(first, last + 1):
        ring.add(number * ring.step, share)
