"""The book of alerts: what fires since when, what nobody knows any more, and what is over, from when to when."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Mapping
from itertools import takewhile

from msgspec.structs import replace

from mailtop.model.alerts import Alert, Noted, Phase
from mailtop.model.health import Health

FLAP = 60.0  # seconds after its end within which an alert that fires again is the same one
KEPT, KEPT_FOR = 500, 86_400.0  # alerts that are over, and for how many seconds

Doubt = Callable[[Alert], str]
"""Why an alert that is not there may fire all the same, empty where it does not."""


class AlertBook:
    """`version` grows with everything that changes."""

    def __init__(self) -> None:
        self.version = 0
        self._open: dict[tuple[str, str], Noted] = {}
        self._over: deque[Noted] = deque(maxlen=KEPT)

    def since(self, now: float) -> Mapping[tuple[str, str], float]:
        """Since when each alert fires that did already, or did until a moment ago."""
        return {one.alert.key: one.since for one in (*self._just_over(now), *self._open.values())}

    def take(self, alerts: Iterable[Alert], now: float, doubt: Doubt) -> None:
        """Enter all that fires now; what is missing is over, unless there is doubt about it."""
        firing = {alert.key: alert for alert in alerts}
        for key, alert in firing.items():
            self._fires(key, alert, now)
        for key in self._open.keys() - firing.keys():
            self._is_missing(key, doubt(self._open[key].alert), now)
        while self._over and now - self._over[0].ended > KEPT_FOR:
            self._over.popleft()
            self.version += 1

    def rows(self) -> tuple[Noted, ...]:
        """What fires, the gravest and longest first; then what is not known; then what is over, the newest first."""

        def order(one: Noted) -> tuple[bool, bool, float]:
            return one.phase is not Phase.FIRING, one.alert.health is not Health.CRIT, one.since

        return (*sorted(self._open.values(), key=order), *reversed(self._over))

    def _fires(self, key: tuple[str, str], alert: Alert, now: float) -> None:
        before = self._open.get(key)
        if before is None:
            before = next((one for one in self._just_over(now) if one.alert.key == key), None)
            if before is None:
                self._open[key] = Noted(alert, Phase.FIRING, alert.health, alert.since or now, now)
                self.version += 1
                return
            self._over.remove(before)
            before = replace(before, times=before.times + 1)
        worst = Health.CRIT if Health.CRIT in (before.worst, alert.health) else alert.health
        noted = replace(before, alert=alert, phase=Phase.FIRING, worst=worst, seen=now, ended=0.0, note="")
        self.version += replace(noted, seen=before.seen) != before
        self._open[key] = noted

    def _is_missing(self, key: tuple[str, str], why: str, now: float) -> None:
        before = self._open[key]
        if why:
            noted = self._open[key] = replace(before, phase=Phase.UNKNOWN, note=why)
            self.version += noted != before
            return
        del self._open[key]
        self._over.append(replace(before, phase=Phase.ENDED, ended=now, note=""))
        self.version += 1

    def _just_over(self, now: float) -> Iterable[Noted]:
        return takewhile(lambda one: now - one.ended <= FLAP, reversed(self._over))
