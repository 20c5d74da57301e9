"""What happened in the last minutes, counted by key, and the numbers that came with it. Bounded; without a clock."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Hashable
from typing import Generic, TypeVar

Key = TypeVar("Key", bound=Hashable)


class Lately(Generic[Key]):
    """Counts by key over the last `seconds`, in steps; of more than `most` keys a step, the newest are dropped.

    >>> logins = Lately[str](60.0)
    >>> logins.add(100.0, "ok")
    >>> logins.add(130.0, "ok", 2)
    >>> logins.sums(150.0), logins.sums(170.0), logins.sums(500.0)
    (Counter({'ok': 3}), Counter({'ok': 2}), Counter())
    """

    def __init__(self, seconds: float, step: float = 10.0, most: int = 1000) -> None:
        self.seconds = seconds
        self._step = step
        self._most = most
        self._steps: dict[int, Counter[Key]] = {}

    def add(self, at: float, key: Key, number: int = 1) -> None:
        """Count something that happened at a time, in any order; what is too old is forgotten at the next sum."""
        counts = self._steps.setdefault(int(at // self._step), Counter())
        if key in counts or len(counts) < self._most:
            counts[key] += number

    def sums(self, now: float) -> Counter[Key]:
        """How often each happened in the last seconds; steps that lie partly before them count whole."""
        oldest = int((now - self.seconds) // self._step)
        for number in [number for number in self._steps if number < oldest]:
            del self._steps[number]
        return self.since(now, self.seconds)

    def since(self, now: float, seconds: float) -> Counter[Key]:
        """The same of fewer seconds."""
        oldest = int((now - seconds) // self._step)
        total: Counter[Key] = Counter()
        for number, counts in self._steps.items():
            if number >= oldest:
                total.update(counts)
        return total


class Values:
    """The numbers of the last `seconds`, at most `most` of them: the newest."""

    def __init__(self, seconds: float, most: int = 4000) -> None:
        self._seconds = seconds
        self._values: deque[tuple[float, float]] = deque(maxlen=most)

    def add(self, at: float, value: float) -> None:
        """Enter one."""
        self._values.append((at, value))

    def quantile(self, share: float, now: float) -> float | None:
        """Return the value that `share` (0 … 1) of all are not above; None where there are none.

        >>> values = Values(60.0)
        >>> for number in range(1, 101): values.add(0.0, number)
        >>> values.quantile(0.95, 10.0), values.quantile(0.5, 500.0)
        (95, None)
        """
        while self._values and self._values[0][0] < now - self._seconds:
            self._values.popleft()
        ordered = sorted(value for _, value in self._values)
        return ordered[max(0, -(-int(share * 1000) * len(ordered) // 1000) - 1)] if ordered else None
