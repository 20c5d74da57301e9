"""What was most in the last hour: counts by key in steps of five minutes, of so many keys each at most."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Hashable, Iterable
from typing import Generic, TypeVar

Key = TypeVar("Key", bound=Hashable)
STEP, STEPS = 300, 12
_MOST = 1000


class Top(Generic[Key]):
    """Counts a whole batch at once, under the time of its newest line. Beyond 1,000 keys a step: under `other`."""

    def __init__(self, other: Key) -> None:
        self._other = other
        self._steps: deque[tuple[int, Counter[Key]]] = deque(maxlen=STEPS + 1)

    def add(self, at: float, keys: Iterable[Key]) -> None:
        """Count keys, each as often as it comes."""
        step = int(at) // STEP
        if not self._steps or step > self._steps[-1][0]:
            self._steps.append((step, Counter()))
        counts = self._steps[-1][1]
        if len(counts) < _MOST:
            counts.update(keys)
            if len(counts) > _MOST:
                for key, number in counts.most_common()[_MOST - 1 :]:
                    del counts[key]
                    counts[self._other] += number
        else:
            counts.update(key if key in counts else self._other for key in keys)

    def sums(self, now: float) -> Counter[Key]:
        """Return the counts of the last hour; the step that lies partly before it counts whole."""
        oldest = int(now) // STEP - STEPS
        total: Counter[Key] = Counter()
        for step, counts in self._steps:
            if step >= oldest:
                total.update(counts)
        return total
