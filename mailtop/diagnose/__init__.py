"""Why mail waits, in one line a person can act on. A sibling file holds symptoms, each one constant.

Pure: a cause goes in, a diagnosis comes out. The first symptom that fits, in the order of their `weight`, names it;
a cause that none fits has no diagnosis, which is better than a guess.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cache

from msgspec import Struct

from mailtop.model.plugin import plugins
from mailtop.model.snapshot import Cause
from mailtop.model.text import Foreign, shown
from mailtop.model.topology import Hop

__all__ = ["Diagnosis", "Symptom", "diagnose", "rank", "symptoms", "weight"]


class Diagnosis(Struct, frozen=True):
    """The likely cause. `line` is whole and ours to draw; `see` names the screen to look at, `acts` keys that help.

    `weight`: how much an operator should care beside the number of messages: 3 mail stops for everybody, 2 one hop or
    one provider stops, 1 it clears by itself or is one mailbox's trouble.
    """

    cause: str
    symptom: str
    line: str
    advice: str
    see: str
    acts: tuple[str, ...]
    weight: int


@dataclass(frozen=True)
class Symptom:
    """What a cause looks like and what it means.

    `reason` is searched in the normalised reason (any case), `code` matches the enhanced status; either may be None.
    `also` is a further test. `says`, with {where}, {code} and {reason} filled in, is the likely cause.
    """

    name: str
    says: str
    advice: str
    reason: re.Pattern[bytes] | None = None
    code: re.Pattern[str] | None = None
    also: Callable[[Cause], bool] = lambda cause: True  # noqa: ARG005
    see: str = "queue"
    acts: tuple[str, ...] = ()
    weight: int = 2

    def fits(self, cause: Cause) -> bool:
        """Is it this?"""
        return (
            (self.reason is None or self.reason.search(cause.reason) is not None)
            and (self.code is None or self.code.fullmatch(cause.code) is not None)
            and self.also(cause)
        )


def diagnose(cause: Cause) -> Diagnosis | None:
    """Name the likely cause, None where nothing fits."""
    for symptom in symptoms():
        if symptom.fits(cause):
            line = symptom.says.format(where=_where(cause), code=cause.code, reason=shown(cause.reason, 80))
            return Diagnosis(
                cause.id,
                symptom.name,
                f"{line}, {_count(cause)}",
                symptom.advice,
                symptom.see,
                symptom.acts,
                symptom.weight,
            )
    return None


def rank(causes: Iterable[Cause]) -> list[tuple[Cause, Diagnosis | None]]:
    """Order causes by what stops mail for everybody, then by growth, then by size."""
    found = [(cause, diagnose(cause)) for cause in causes]
    found.sort(key=lambda pair: (weight(pair[1]) == 3, pair[0].growth, _size(pair[0])), reverse=True)
    return found


def weight(diagnosis: Diagnosis | None) -> int:
    """How much it matters; what is not understood counts as one provider's trouble."""
    return diagnosis.weight if diagnosis else 2


@cache
def symptoms() -> tuple[Symptom, ...]:
    """All symptoms, heaviest first; of equal ones, in the order they are written in."""
    return tuple(sorted(plugins(__name__, Symptom), key=lambda symptom: -symptom.weight))


def _size(cause: Cause) -> int:
    return cause.deferred + cause.active + cause.held + cause.bounced


def _where(cause: Cause) -> str:
    if cause.next_hop and cause.next_hop != b"(filter)":
        return shown(Foreign(cause.next_hop), 40)
    if cause.hop is Hop.FILTER or cause.next_hop:
        return "the filter"
    return f"{cause.next_hops} next hops" if cause.next_hops > 1 else "the next hop"


def _count(cause: Cause) -> str:
    waiting = cause.deferred + cause.active + cause.held
    parts = [f"{waiting} waiting"] if waiting or not cause.bounced else []
    if cause.bounced:
        parts.append(f"{cause.bounced} bounced")
    if cause.senders == 1:
        parts.append(f"all from {shown(cause.sender, 40) or '<>'}")
    return ", ".join(parts)
