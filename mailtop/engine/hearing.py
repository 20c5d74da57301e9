"""What the logs of services tell: each line goes to the listeners of its target's roles, and their boards follow."""

from __future__ import annotations

from array import array
from collections.abc import Callable, Mapping

from mailtop.engine.boards import Boards
from mailtop.model.snapshot import Health, LogState, ProbeState
from mailtop.model.topology import Target
from mailtop.probe import Listening, listeners

EVERY = 5.0
"""Seconds between two looks at what a log told: what happened in the last minutes is less of it by then."""


class Hearing:
    """Belongs to the engine's loop."""

    def __init__(self, boards: Boards) -> None:
        self._boards = boards
        self._heard: dict[tuple[str, str], Listening] = {}
        self._begins: dict[str, Callable[[], Listening]] = {one.name: one.begin for one in listeners()}
        self._looked = 0.0

    def take(self, target: Target, lines: bytes, last: float, times: bytes) -> None:
        """Take lines of a log. `times`: each line's, as doubles; without them, all are of the last one's, `last`."""
        names = [one.name for one in listeners() if one.role in target.roles]
        if not names:
            return
        split = lines.splitlines()
        known = array("d", times)
        at = known if len(known) == len(split) else array("d", [last]) * len(split)
        for name in names:
            key = target.name, name
            if key not in self._heard:
                self._heard[key] = self._begins[name]()
            self._heard[key].read(split, at)

    def follow_on(self, logs: Mapping[str, LogState], now: float) -> None:
        """Bring the boards up to now, as far as the logs are followed; those of logs that are gone are forgotten."""
        if not 0.0 <= now - self._looked < EVERY:
            self._looked = now
            for target, name in [key for key in self._heard if key[0] not in logs]:
                del self._heard[target, name]
            for target, name in self._heard:
                if logs[target].health is Health.OK:
                    self._boards.take(target, name, tuple(self._heard[target, name].found(now)), now)
        self._boards.heard = {key: _state(*key, logs[key[0]], now) for key in self._heard if key[0] in logs}


def _state(target: str, name: str, log: LogState, now: float) -> ProbeState:
    return ProbeState(target, name, log.health, now if log.health is Health.OK else log.last_at, 0.0, EVERY, log.note)
