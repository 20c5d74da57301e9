"""What is shown of a plan before an approval: what would be hit, added up, and what is to be typed."""

from __future__ import annotations

from collections import Counter
from math import inf

from mailtop.action import Action, DestinationAct, Facts
from mailtop.model.mail import Queue
from mailtop.model.operation import Danger, Item, Plan, Preview
from mailtop.model.text import Foreign
from mailtop.model.topology import Target

SAMPLES, LEADING = 5, 5


def preview_of(act: DestinationAct, plan: Plan, warnings: tuple[str, ...] = ()) -> Preview:
    """Return what is shown of a change of a destination before an approval."""
    assert plan.work is not None  # noqa: S101  (told to mypy: a plan of such an act has one)
    return Preview(
        plan=plan.id,
        action=act.key,
        label=act.label,
        target=plan.target,
        container=plan.target.partition("/")[2],
        danger=act.danger,
        undo=act.undo,
        commands=plan.steps,
        count=0,
        size=0,
        oldest=0.0,
        senders=(),
        domains=(),
        samples=(),
        in_delivery=0,
        typed=plan.target.partition("/")[0] if act.danger in (Danger.SENDS, Danger.DESTRUCTIVE) else "",
        warnings=warnings,
        domain=plan.work.domain,
        until=plan.work.until,
        diff=plan.work.diff,
    )


class _Blast:
    """What an act would hit, added up."""

    def __init__(self) -> None:
        self.size = self.active = 0
        self.oldest = inf
        self.senders: Counter[Foreign] = Counter()
        self.domains: Counter[Foreign] = Counter()

    def add(self, item: Item) -> None:
        self.size += item.size
        self.active += item.queue == Queue.ACTIVE
        if item.arrival < self.oldest:
            self.oldest = item.arrival
        self.senders[item.sender] += 1
        self.domains[Foreign(item.recipient.rpartition(b"@")[2].lower())] += 1


def preview(action: Action, plan: Plan, warnings: tuple[str, ...] = (), facts: Facts | None = None) -> Preview:
    """Return what is shown before an approval. `facts`: what the target said of itself."""
    items, blast = plan.items, _Blast()
    chosen = action.scope is not Target  # of a queue as a whole nobody knows who sent what
    for item in items:  # once: a million messages are made anew each time
        blast.add(item)
    return Preview(
        plan=plan.id,
        action=action.key,
        label=action.label,
        target=plan.target,
        container=plan.target.partition("/")[2],
        danger=action.danger,
        undo="" if plan.without_undo else action.undo,
        commands=plan.steps,
        count=len(items),
        size=blast.size,
        oldest=blast.oldest if items else 0.0,
        senders=tuple(blast.senders.most_common(LEADING)) if chosen else (),
        domains=tuple(blast.domains.most_common(LEADING)) if chosen else (),
        samples=tuple(items[:SAMPLES]) if chosen else (),
        in_delivery=blast.active if action.stuck_in_delivery else 0,
        typed=_typed(plan),
        warnings=(*_without_undo(plan), *action.warn(items, plan.at, facts or {}), *warnings),
    )


def _typed(plan: Plan) -> str:
    """What approves it: the count, or the host's name where there is none; nothing where `A` is enough."""
    if plan.danger not in (Danger.SENDS, Danger.DESTRUCTIVE):
        return ""
    return str(len(plan.items)) if plan.items else plan.target.partition("/")[0]


def _without_undo(plan: Plan) -> tuple[str, ...]:
    return (f"Nothing will undo it: {plan.without_undo}.",) if plan.without_undo else ()
