"""How long first attempts took in the last ten minutes: quantiles of the four stages of `delays=a/b/c/d`.

a: before the queue manager, b: in it, c: connection set-up, d: transmission; `bcd` is b + c + d, what an attempt costs.
Delays are kept as text and digested when asked for: a log read at full speed is never asked in between.
"""

from __future__ import annotations

from array import array
from bisect import bisect_left
from collections import Counter, deque
from functools import lru_cache
from itertools import accumulate
from operator import add

_STEP = 1.12
_BOUNDS = (0.0, *accumulate([0.01] + [_STEP] * 145, lambda bound, step: bound * step))  # 10 ms to 38 h, 12 % apart
_FULL = 1024
STAGES = ("a", "b", "c", "d", "bcd")
_seconds = lru_cache(maxsize=10_000)(float)  # Postfix writes two digits: there are few different


class Stages:
    """A window of `span` seconds in slots of `slot` seconds, for `hops` hops side by side.

    `fresh` are the newest slot's texts by hop; whoever adds to them calls `turn` first when a time is past `end`,
    and `trim` now and then. Memory: 10 kB a slot and hop at most.
    """

    def __init__(self, hops: int, span: float = 600.0, slot: float = 10.0) -> None:
        self._hops = hops
        self._span = span
        self._slot = slot
        self._slots: deque[tuple[float, tuple[_Bin, ...]]] = deque(maxlen=max(1, int(span / slot)))
        self.end = float("-inf")
        self.fresh: list[list[bytes]] = []

    def turn(self, at: float) -> list[list[bytes]]:
        """Begin the slot that a time is in; return the new `fresh`."""
        start = at - at % self._slot
        self.end = start + self._slot
        bins = tuple(_Bin() for _ in range(self._hops))
        self._slots.append((start, bins))
        self.fresh = [hop.fresh for hop in bins]
        return self.fresh

    def trim(self) -> None:
        """Digest the newest slot where it holds much."""
        if self._slots:
            for hop in self._slots[-1][1]:
                if len(hop.fresh) >= _FULL:
                    hop.digest()

    def quantiles(self, hop: int, now: float, *shares: float) -> dict[str, tuple[float, ...]]:
        """Return the quantiles of each stage in seconds (at most 12 % too high); empty where nothing was attempted."""
        found = self.histograms(hop, now)
        return {stage: quantiles_of(one, shares) for stage, one in zip(STAGES, found, strict=False)}

    def histograms(self, hop: int, now: float) -> list[list[int]]:
        """Return a histogram a stage, to be added to those of others; empty where nothing was attempted."""
        slots = [bins[hop].digest() for start, bins in self._slots if start > now - self._span]
        found = [histograms for histograms in slots if histograms]
        if not found:
            return []
        return [
            [sum(column) for column in zip(*(slot[row] for slot in found), strict=True)] for row in range(len(STAGES))
        ]


class _Bin:
    """One hop in one slot: texts not yet digested, and a histogram a stage."""

    __slots__ = ("fresh", "histograms")

    def __init__(self) -> None:
        self.fresh: list[bytes] = []
        self.histograms: tuple[array[int], ...] = ()

    def digest(self) -> tuple[array[int], ...]:
        if self.fresh:
            if not self.histograms:
                self.histograms = tuple(array("L", [0] * (len(_BOUNDS) + 1)) for _ in STAGES)
            for histogram, stage in zip(self.histograms, _columns(self.fresh), strict=True):
                for seconds, count in Counter(stage).items():
                    histogram[bisect_left(_BOUNDS, seconds)] += count
            self.fresh.clear()
        return self.histograms


def _columns(texts: list[bytes]) -> tuple[list[float], ...]:
    """Return each stage's seconds of texts `a/b/c/d`; one that is none is left out."""
    try:
        flat = list(map(_seconds, b"/".join(texts).split(b"/")))
        if len(flat) != 4 * len(texts):
            raise ValueError
    except ValueError:
        if len(texts) == 1:
            return ([],) * len(STAGES)
        halves = _columns(texts[: len(texts) // 2]), _columns(texts[len(texts) // 2 :])
        return tuple(left + right for left, right in zip(*halves, strict=True))
    a, b, c, d = (flat[stage::4] for stage in range(4))
    return a, b, c, d, list(map(add, map(add, b, c), d))


def quantiles_of(histogram: list[int], shares: tuple[float, ...]) -> tuple[float, ...]:
    """Return quantiles of a histogram in seconds."""
    upto = list(accumulate(histogram))
    places = (bisect_left(upto, max(1.0, share * upto[-1])) for share in shares)
    return tuple(_BOUNDS[min(place, len(_BOUNDS) - 1)] for place in places)
