"""All series by target, name and labels; keys are spelt `target:name{label=value,…}`."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from math import isnan

from mailtop.metrics.series import Window
from mailtop.model.sample import Sample
from mailtop.model.snapshot import Series

_MOST = 3_000
_FINE = (1.0, 900)
_COARSE = (60.0, 1440)


def key_of(target: str, key: str) -> str:
    """Return the key of a target's series.

    >>> key_of("mail1/postfix", Sample("postfix_accepted_total", 3).key)
    'mail1/postfix:postfix_accepted_total'
    """
    return f"{target}:{key}"


class Store:
    """Windows of everything that was measured. Bounded: the series that has been silent longest goes first.

    A series costs 9 kB with the usual steps: 900 of 1 s and 1,440 of 60 s, `(step, number)` each.
    """

    def __init__(self, most: int = _MOST, fine: tuple[float, int] = _FINE, coarse: tuple[float, int] = _COARSE) -> None:
        self._most = most
        self._fine = fine
        self._coarse = coarse
        self._windows: dict[str, Window] = {}
        self.dropped = 0

    def __len__(self) -> int:
        return len(self._windows)

    def put(self, target: str, samples: Iterable[Sample], at: float) -> None:
        """Enter samples; a sample's own `at` counts where it has one."""
        windows = self._windows
        for sample in samples:
            key = f"{target}:{sample.key}"
            window = windows.get(key)
            if window is None or window.kind is not sample.kind:
                if len(windows) >= self._most:
                    self._make_room()
                window = windows[key] = Window(sample.kind, self._fine, self._coarse)
            window.put(sample.at or at, sample.value)

    def series(self, key: str, seconds: float, now: float) -> Series:
        """Return the last `seconds` of one series, totals as rates per second; empty where there is none such."""
        window = self._windows.get(key)
        if window is None:
            return Series(key, now, self._fine[0], ())
        start, step, values = window.values(now, seconds)
        return Series(key, start, step, values)

    def latest(self, key: str) -> tuple[float, float] | None:
        """Return the last value as it came, and its time; None where nothing was ever measured."""
        window = self._windows.get(key)
        return None if window is None or isnan(window.latest) else (window.latest, window.at)

    def rate(self, key: str) -> tuple[float, float] | None:
        """Return a total's growth per second between its last two readings, and the time of the last."""
        window = self._windows.get(key)
        return None if window is None or window.rate is None else (window.rate, window.at)

    def total(self, key: str, seconds: float, now: float) -> float | None:
        """Return how much a count or a total grew in the last `seconds`; None where nothing was measured."""
        window = self._windows.get(key)
        return None if window is None else window.total(now, seconds)

    def keys(self, target: str = "", name: str = "") -> Iterator[str]:
        """Yield the keys there are, of one target and one metric name where given."""
        for key in self._windows:
            of, _, rest = key.partition(":")
            if (not target or of == target) and (not name or rest.partition("{")[0] == name):
                yield key

    def forget(self, target: str) -> None:
        """Drop all series of a target."""
        for key in list(self.keys(target)):
            del self._windows[key]

    def _make_room(self) -> None:
        silent = min(self._windows, key=lambda key: self._windows[key].at)
        del self._windows[silent]
        self.dropped += 1
