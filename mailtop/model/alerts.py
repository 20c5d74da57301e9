"""An alert with its history: since when it fires, how bad it was at worst, and since when it does not fire any more."""

from __future__ import annotations

from enum import StrEnum

from msgspec import Struct

from mailtop.model.health import Health


class Phase(StrEnum):
    """Where an alert is. `UNKNOWN`: it fired when it was last looked at, and nobody can look now."""

    FIRING = "firing"
    UNKNOWN = "unknown"
    ENDED = "ended"


class Alert(Struct, frozen=True):
    """Something firing. `summary` is a whole line; `see` names the screen that shows it.

    `value` and `limit`: the figure and what it should not reach, in words; empty where there is none.
    """

    rule: str
    target: str
    health: Health
    since: float
    summary: str
    see: str = ""
    value: str = ""
    limit: str = ""

    @property
    def key(self) -> tuple[str, str]:
        """What makes it the same alert as before: a hop's goes by the hop, for its hosts come and go.

        >>> Alert("HopOld", "remote mail1, mail2", Health.WARN, 0.0, "").key
        ('HopOld', 'remote')
        """
        return self.rule, self.target.partition(" ")[0] if self.rule.startswith("Hop") else self.target


class Noted(Struct, frozen=True):
    """One alert as the book of alerts has it: `alert` as it was when it last fired, `worst` of all its time.

    `since`, `seen`, `ended`: seconds since the epoch of when it began, was last known to fire, and was found not to
    fire (0.0: not yet). `times`: how often it came back within a minute, counted as one; 1 for most. `note`: why
    nobody knows whether it fires.
    """

    alert: Alert
    phase: Phase
    worst: Health
    since: float
    seen: float
    ended: float = 0.0
    times: int = 1
    note: str = ""
