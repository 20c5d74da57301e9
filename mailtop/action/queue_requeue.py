"""Requeue: have a message go through Postfix again, under a new id.

Source: postsuper(1) `-r`, pickup(8). The file goes to maildrop, from where pickup takes it at once or within a minute.
"""

from __future__ import annotations

from collections.abc import Sequence

from mailtop.action import Action, Evidence, Facts
from mailtop.model.ask import Asking
from mailtop.model.mail import Queue
from mailtop.model.operation import Danger, Fate, Item, Outcome, Plan
from mailtop.model.text import Foreign
from mailtop.parse.postsuper import named, said

_WORDS = (
    "Each gets a new id, may wait up to a minute for it, and its time in the queue begins anew.",
    "It is filtered and archived a second time where that is done here, and passes no milters.",
)


def _warned(items: Sequence[Item], at: float, facts: Facts) -> tuple[str, ...]:  # noqa: ARG001 — no ages here
    active = sum(item.queue == Queue.ACTIVE for item in items)
    held = sum(item.queue == Queue.HOLD for item in items)
    more = (f"{active} in delivery will be refused: they could be delivered twice.",) if active else ()
    return (*_WORDS, *more, *((f"{held} on hold will be refused: release them first.",) if held else ()))


def _reads(plan: Plan, items: Sequence[Item], stderr: bytes) -> Asking[tuple[Outcome, ...]]:  # noqa: ARG001
    """What postsuper names is in maildrop; under which id it goes on, the log will tell."""
    yield from ()
    done, fatal = named(stderr, b"requeued"), said(stderr).fatal
    if fatal and not done:
        return tuple(Outcome(item.id, Fate.REFUSED, fatal) for item in items)
    return tuple(Outcome(item.id, Fate.UNDER_WAY if item.id in done else Fate.GONE) for item in items)


def _judge(outcome: Outcome, found: Evidence) -> Outcome | None:
    if found.requeued:
        return Outcome(outcome.id, Fate.DONE, Foreign(b"now " + found.requeued.encode()))
    if found.listed and found.queue in (Queue.DEFERRED, Queue.INCOMING, Queue.ACTIVE, Queue.HOLD):
        return Outcome(outcome.id, Fate.REFUSED, Foreign(b"it is in " + found.queue.encode()))
    if found.late:
        gone = found.listed and found.queue is None
        words = b"its new id is not in the log" if gone else b"pickup has not taken it from maildrop"
        return Outcome(outcome.id, Fate.GONE if gone else Fate.REFUSED, Foreign(words))
    return None


REQUEUE = Action(
    key="queue.requeue",
    letter="",
    label="Requeue",
    danger=Danger.SENDS,
    undo="",
    program=("postsuper", "-r"),
    sources=frozenset({Queue.INCOMING, Queue.DEFERRED}),
    done=frozenset({Queue.MAILDROP}),
    expects="a new id, from pickup (orig_id=)",
    undone_by="nothing: mail that leaves cannot be recalled",
    warn=_warned,
    because={
        Queue.HOLD: "on hold: release it first",
        Queue.ACTIVE: "in delivery: it could be delivered twice",
        Queue.MAILDROP: "in maildrop already",
    },
    reads=_reads,
    judge=_judge,
)
