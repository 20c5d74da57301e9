"""Retry: have Postfix try messages now; flush: all that is deferred.

Source: postqueue(1). `-i` asks the flush service for one id, and says nothing and returns 0 for an id that is unknown
or on hold: what came of it is in the log alone. Both go straight through `defer_transports`, so they are refused where
mailtop has paused a destination. `-s site` is not offered: it works only for domains in `fast_flush_domains` (else
"Flush service is not configured", exit 69), and a site's messages are chosen here by a filter anyway.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from math import ceil

from mailtop.action import Action, Evidence, Facts, Kept, Known, Looked, Needs, ids_of, numbered, still_meant
from mailtop.model.ask import Asking, Changing, Command, Put
from mailtop.model.errors import AskFailed, CommandFailed, ParseError, Refused
from mailtop.model.mail import Queue, QueueId
from mailtop.model.operation import Danger, Fate, Item, Outcome, Plan, Step
from mailtop.model.text import Foreign
from mailtop.model.topology import Target
from mailtop.parse.postfix_instance import instance_words
from mailtop.parse.standing import noted

BATCH, PAUSE = 50, 1.0
"""So many attempts are asked for at a time, and seconds between two times: a provider that was down is not overrun."""

HELD = "on hold: release it first"
_UNPAUSE = "restore it first (:destinations)"


def _look(plan: Plan, known: Known) -> Asking[Looked]:
    """Leave out what is for a paused destination, by all of its recipients, not only the first."""
    argv = ("xargs", "-n", "1", "postqueue", *instance_words(plan.identity.instance), "-i")
    paused = yield from _paused(plan)
    known = known._replace(paused=known.paused if paused is None else frozenset(paused))
    paused = sorted(known.paused or ())
    barred = yield from _waiting_for(paused, plan)
    items = plan.items if not barred else tuple(item for item in plan.items if item.id not in barred)
    left_out = len(plan.items) - len(items)
    if not items:
        raise Refused("Retry", f"paused here: {', '.join(paused)}; a retry would go straight through", _UNPAUSE)
    warnings = _not_known(known)
    if left_out:
        names = ", ".join(paused)
        warnings += (f"{left_out} for {names} are left out: paused here, and a retry goes straight through.",)
    step = Step(plan.target, argv, numbered(items), "an attempt in the log", "nothing: mail that leaves is gone")
    return Looked(items, (step,), warnings)


def _still_meant(plan: Plan) -> Asking[Kept]:
    """Look again: what has been paused since the preview is left out too."""
    barred = yield from _waiting_for((yield from _paused(plan)) or [], plan)
    paused = (item.id for item in plan.items if item.id in barred)
    left_out = tuple(Outcome(number, Fate.REFUSED, Foreign(b"its destination is paused now")) for number in paused)
    kept, dropped = yield from still_meant(RETRY, plan, tuple(item for item in plan.items if item.id not in barred))
    return kept, (*left_out, *dropped)


def _paused(plan: Plan) -> Asking[list[str] | None]:
    """Ask the target which domains are paused there, or half-way to it; None where we may not know."""
    try:
        notes = yield from noted(plan.identity.instance)
    except (AskFailed, ParseError):
        return None
    changes = notes.in_force.changes if notes.in_force is not None else ()
    names = {change.domain for change in changes if change.action == "destination.pause"}
    return sorted(names | ({notes.under_way.domain} if notes.under_way is not None else set()))


def _not_known(known: Known) -> tuple[str, ...]:
    if known.paused is not None:
        return ()
    return ("Whether a destination is paused here is not known yet: mail for one would be tried all the same.",)


def _waiting_for(domains: Sequence[str], plan: Plan) -> Asking[frozenset[str]]:
    """Ask for the ids of all messages with a recipient at one of these domains, wherever it stands among others."""
    if not domains:
        return frozenset()
    either = "|".join(re.escape(domain) for domain in domains)
    answer = yield Command(
        ("postqueue", *instance_words(plan.identity.instance), "-j"),
        pipe=(
            ("grep", "-iE", rf'"address": "([^"\\]|\\.)*@({either})"'),
            ("grep", "-oE", '"queue_id": "[0-9A-Za-z]+"'),
        ),
        timeout=60.0,
        large=True,
        limit=64 << 20,
    )
    if answer.exit not in (0, 1) or answer.cut:  # 1: grep found none
        answer.ok("postqueue")
        raise CommandFailed("postqueue", Foreign(b"too much is queued for paused destinations"))
    found = (line.split(b'"') for line in answer.stdout.splitlines())
    return frozenset(parts[3].decode("ascii") for parts in found if len(parts) == 5)


def _of(items: Sequence[Item], at: float, facts: Facts) -> tuple[str, ...]:  # noqa: ARG001 — no ages here
    held = sum(item.queue == Queue.HOLD for item in items)
    batches = ceil(len(items) / BATCH)
    pace = f"At most {BATCH / PAUSE:.0f} a second: {BATCH} at a time, {PAUSE:.0f} s between"
    if batches > 1:
        pace += f", in {batches} parts, {(batches - 1) * PAUSE:.0f} s or more in all"
    words = (f"{pace}. What comes of each is in the log; the receipt stays open until then.",)
    return (*words, f"{held} are on hold and will be refused: release them first.") if held else words


def _reads(plan: Plan, items: Sequence[Item], said: bytes) -> Asking[tuple[Outcome, ...]]:  # noqa: ARG001
    """Exit 0 proves nothing: each is open until the log tells of an attempt."""
    yield from ()
    return tuple(Outcome(item.id, Fate.UNDER_WAY) for item in items)


def _judge(outcome: Outcome, found: Evidence) -> Outcome | None:
    if found.status:
        words = found.status.encode() + b": " + found.reason
        return Outcome(outcome.id, Fate.DONE, Foreign(words))
    if found.removed:
        return Outcome(outcome.id, Fate.DONE, Foreign(b"left the queue"))
    if found.listed and found.queue is Queue.HOLD:
        return Outcome(outcome.id, Fate.REFUSED, Foreign(HELD.encode()))
    if found.told and found.queue is None:
        return Outcome(outcome.id, Fate.GONE, Foreign(b"not in the queue any more"))
    return Outcome(outcome.id, Fate.REFUSED, Foreign(b"no attempt in the log")) if found.late else None


def _look_at_all(plan: Plan, known: Known) -> Asking[Looked]:
    paused = yield from _paused(plan)
    known = known._replace(paused=known.paused if paused is None else frozenset(paused))
    if known.paused:
        names = ", ".join(sorted(known.paused))
        raise Refused("Flush", f"paused here: {names}; a flush would go straight through", _UNPAUSE)
    argv = ("postqueue", *instance_words(plan.identity.instance), "-f")
    step = Step(plan.target, argv, "", "every deferred message active", "nothing: mail that leaves is gone")
    return Looked((), (step,), _not_known(known))


def _flushed(items: Sequence[Item], at: float, facts: Facts) -> tuple[str, ...]:  # noqa: ARG001 — of none in particular
    return (
        "Every deferred message is tried now, though it failed a minute ago: Postfix paces it by its own limits.",
        "A provider that limits us will limit us more. Mail on hold stays there.",
    )


def _flush(plan: Plan, items: Sequence[Item]) -> Changing[None]:
    assert not ids_of(items)  # noqa: S101  (it takes no ids)
    for step in plan.steps:
        answer = yield Put(step.argv)
        if answer is not None:
            answer.ok("postqueue")


def _asked(plan: Plan, items: Sequence[Item], said: bytes) -> Asking[tuple[Outcome, ...]]:  # noqa: ARG001
    yield from ()
    if said:
        return (Outcome(QueueId("queue"), Fate.REFUSED, Foreign(said)),)
    return (Outcome(QueueId("queue"), Fate.DONE, Foreign(b"asked for; the log tells of each attempt")),)


_NEEDS = Needs(binary=("postqueue", "xargs"))
RETRY = Action(
    key="queue.retry",
    letter="F",
    label="Retry",
    danger=Danger.SENDS,
    undo="",
    program=("postqueue", "-i"),
    sources=frozenset({Queue.INCOMING, Queue.ACTIVE, Queue.DEFERRED}),
    done=frozenset({Queue.DEFERRED, Queue.ACTIVE, Queue.INCOMING}),
    expects="an attempt in the log",
    undone_by="nothing: mail that leaves cannot be recalled",
    warn=_of,
    needs=_NEEDS,
    because={Queue.HOLD: HELD},
    batch=BATCH,
    pause=PAUSE,
    look=_look,
    meant=_still_meant,
    reads=_reads,
    judge=_judge,
)
FLUSH = Action(
    key="queue.flush",
    letter="",
    label="Flush",
    danger=Danger.SENDS,
    undo="",
    program=("postqueue", "-f"),
    sources=frozenset({Queue.DEFERRED}),
    done=frozenset(),
    expects="every deferred message active",
    undone_by="nothing: mail that leaves cannot be recalled",
    warn=_flushed,
    needs=Needs(binary=("postqueue",)),
    scope=Target,
    look=_look_at_all,
    carry=_flush,
    reads=_asked,
)
