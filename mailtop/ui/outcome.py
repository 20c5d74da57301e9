"""A receipt in a few words, and how well it went."""

from __future__ import annotations

from mailtop.model.operation import Fate, Receipt
from mailtop.model.snapshot import Health

_NOT_DONE = (Fate.CHANGED, Fate.REFUSED, Fate.DELIVERED, Fate.UNKNOWN)


def summary(receipt: Receipt) -> str:
    """A receipt in a few words: `395 done, 3 delivered`."""
    found = [f"{number} {fate.value}" for fate in Fate if (number := receipt.count(fate))]
    return ", ".join(found) or receipt.error or "no message"


def grade(receipt: Receipt) -> Health:
    """How well it went: well for every message, for some of them, or for none."""
    if receipt.ok and not receipt.error and not receipt.count(*_NOT_DONE):
        return Health.OK
    return Health.WARN if receipt.ok or receipt.count(Fate.DONE, Fate.IN_DELIVERY, Fate.UNDER_WAY) else Health.CRIT


def undoable(receipt: Receipt) -> bool:
    """Is there something that an undo would take back?"""
    return bool(receipt.undo and receipt.count(Fate.DONE)) and not receipt.dry_run and not receipt.undone
