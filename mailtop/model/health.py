"""How a number is, and how old."""

from __future__ import annotations

from enum import StrEnum

from msgspec import Struct


class Health(StrEnum):
    """How a number is. `UNKNOWN` (no data, an error) and `DENIED` are values of their own, never 0 and never ok."""

    OK = "ok"
    WARN = "warn"
    CRIT = "crit"
    UNKNOWN = "unknown"
    DENIED = "denied"


class Reading(Struct, frozen=True):
    """A number with its health and its age. `value` None: no data, and `note` says why in a few words.

    `at`: when it was measured, seconds since the epoch, 0.0 = never. `stale`: older than twice its interval.
    """

    value: float | None = None
    health: Health = Health.UNKNOWN
    at: float = 0.0
    stale: bool = False
    note: str = ""


NO_DATA = Reading()
