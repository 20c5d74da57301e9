"""When what runs out is used up, from what this engine has seen of it: it keeps nothing over its end."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from mailtop.metrics.store import Store, key_of
from mailtop.metrics.trend import Spent, spent
from mailtop.model.board import Trend
from mailtop.model.sample import Fact, Sample

MOST = 500  # series, 3.3 kB each
SHORT, LONG = (300.0, 72), (3600.0, 336)
"""Steps and their number: six hours, which tell what runs wild now, and two weeks."""

NEAR, FAR = 4.0, 20.0
"""So many times as far ahead as was looked back is foretold: from less than a day, and from more."""

_HOUR, _DAY = 3600.0, 86_400.0


class Trends:
    """Belongs to the engine's loop."""

    def __init__(self) -> None:
        self._store = Store(MOST, SHORT, LONG)
        self._known: dict[str, tuple[int, Spent | None]] = {}

    def take(self, target: str, trends: Iterable[Trend], found: Sequence[object], at: float) -> Iterator[Sample | Fact]:
        """Enter what was found; yield when each that runs out will have, and how sure that is."""
        words: list[str] = []
        known = True
        for trend in trends:
            for one in found:
                if isinstance(one, Sample) and one.name == trend.of:
                    self._store.put(target, (one,), at)
                    known = known and self._watched(key_of(target, one.key), at)
                    if (when := self._spent(key_of(target, one.key), at)) is not None:
                        yield Sample(trend.name, round(when.likely), one.labels)
                        of = " ".join(value for _, value in one.labels)
                        words.append(f"{of} {trend.what} in {_days(when)}".strip())
        if words or not known:
            yield Fact("filling up", ", ".join(words) or "not known yet")

    def _watched(self, key: str, now: float) -> bool:
        """Is it watched for an hour, so that something could be said?"""
        values = self._store.series(key, _HOUR, now).values
        return bool(values) and values[0] is not None

    def _spent(self, key: str, now: float) -> Spent | None:
        """The sooner of what the last hours and what the last weeks tell; looked at once a step."""
        step = int(now // SHORT[0])
        known = self._known.get(key)
        if known is None or known[0] != step:
            if len(self._known) >= MOST:
                self._known.clear()
            known = self._known[key] = step, min(self._told(key, now), default=None)
        return known[1]

    def _told(self, key: str, now: float) -> Iterator[Spent]:
        for step, number in (SHORT, LONG):
            values = self._store.series(key, step * number, now).values
            seen = [at for at, value in enumerate(values) if value is not None]
            long = bool(seen) and (seen[-1] - seen[0]) * step >= _DAY
            if (found := spent(values, step, FAR if long else NEAR)) is not None:
                yield found


def _days(when: Spent) -> str:
    """`19 d (15 … 26)`, hours where it is less than two days."""
    unit, name = (_DAY, "d") if when.likely >= 2 * _DAY else (_HOUR, "h")
    return f"{when.likely / unit:.0f} {name} ({when.soonest / unit:.0f} … {when.latest / unit:.0f})"
