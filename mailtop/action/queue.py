"""Hold and release: the acts that an operator reaches for first, each other's undo.

Source: postsuper(1). `-h` moves from incoming, active and deferred to hold; `-H` moves from hold to deferred, from
where the next queue run (`queue_run_delay`, 5 minutes) takes it.
"""

from __future__ import annotations

from collections.abc import Sequence

from mailtop.action import Action, Facts
from mailtop.model.errors import ParseError
from mailtop.model.mail import Queue
from mailtop.model.operation import Danger, Item
from mailtop.parse.postfix_time import seconds

LIFETIME = "5d"
"""Postfix's default maximal_queue_lifetime: mail held longer gets one try when released, then bounces."""


def _in_delivery(items: Sequence[Item], at: float, facts: Facts) -> tuple[str, ...]:  # noqa: ARG001 — no ages here
    active = sum(item.queue == Queue.ACTIVE for item in items)
    if not active:
        return ()
    are = "is in delivery" if active == 1 else "are in delivery"
    return (f"{active} {are} and may still leave: Postfix finishes what it has begun.",)


def _too_old(items: Sequence[Item], at: float, facts: Facts) -> tuple[str, ...]:
    lifetime = facts.get("postfix_maximal_queue_lifetime", "")
    source = f"maximal_queue_lifetime is {lifetime} here"
    try:
        limit = seconds(lifetime, "d")
    except ParseError:
        limit, source = seconds(LIFETIME, "d"), f"by the default maximal_queue_lifetime, {LIFETIME}; its own is unknown"
    old = sum(at - item.arrival > limit for item in items)
    if not old:
        return ()
    each = "it gets" if old == 1 else "each gets"
    return (f"{old} may bounce: {each} one try, being older than the queue keeps mail ({source}).",)


HOLD = Action(
    key="queue.hold",
    letter="H",
    label="Hold",
    danger=Danger.REVERSIBLE,
    undo="queue.release",
    program=("postsuper", "-h"),
    sources=frozenset({Queue.INCOMING, Queue.ACTIVE, Queue.DEFERRED}),
    done=frozenset({Queue.HOLD}),
    expects="listed in hold",
    undone_by="release (sends)",
    stuck_in_delivery=True,
    warn=_in_delivery,
)
RELEASE = Action(
    key="queue.release",
    letter="U",
    label="Release",
    danger=Danger.SENDS,
    undo="",
    program=("postsuper", "-H"),
    sources=frozenset({Queue.HOLD}),
    done=frozenset({Queue.DEFERRED, Queue.ACTIVE, Queue.INCOMING}),
    expects="not in hold any more; tried at the next queue run",
    undone_by="nothing: mail that leaves cannot be recalled",
    warn=_too_old,
)
