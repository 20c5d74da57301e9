"""How a cause is told, on whichever screen it stands."""

from __future__ import annotations

from mailtop.model.snapshot import Cause
from mailtop.model.text import shown
from mailtop.ui.figures import NONE, count, signed
from mailtop.ui.ink import Line, text


def waiting(cause: Cause) -> int:
    """How many messages wait, in whichever queue."""
    return cause.deferred + cause.active + cause.held


def reason(cause: Cause) -> str:
    """The reason, with its code in front where it is not in it."""
    words = shown(cause.reason, 400)
    return words if not cause.code or cause.code in words else f"{cause.code} {words}"


def reason_cell(cause: Cause) -> Line:
    """The reason in a row; mail that waits only because somebody holds it says that first."""
    lead: Line = (("on hold: ", "accent"),) if cause.held and cause.held == waiting(cause) else ()
    return (*lead, (reason(cause), "text"))


def next_hop(cause: Cause) -> str:
    """Where it waits to go, or how many such places share the row."""
    if not cause.next_hop and cause.next_hops > 1:
        return f"{count(cause.next_hops)} next hops"
    return shown(cause.next_hop, 80) or NONE


def growth(cause: Cause) -> Line:
    """How much it grew in ten minutes."""
    return text(signed(cause.growth), "warn" if cause.growth > 0 else "dim") if cause.growth else text("±0", "faint")


def bounced(cause: Cause) -> Line:
    """How many bounced in the last hour."""
    return text(count(cause.bounced), "crit") if cause.bounced else text("0", "faint")
