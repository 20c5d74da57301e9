"""Bounce: have messages given back to their senders, without another try.

Source: postsuper(1) `-f`, since Postfix 3.5, and what 3.7 does: the message is marked, and taken off hold. When the
queue manager next comes to it, it is returned at once, with what it last waited for as the reason.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from mailtop.action import Action, Evidence, Facts, Known, Looked
from mailtop.model.ask import Asking, Command
from mailtop.model.errors import Refused
from mailtop.model.mail import Queue
from mailtop.model.operation import Danger, Fate, Item, Outcome, Plan
from mailtop.model.text import Foreign, shown
from mailtop.parse.postfix_instance import instance_words
from mailtop.parse.postsuper import named, said

SINCE = (3, 5)
_VERSION = re.compile(rb"(\d+)\.(\d+)")


def _look(plan: Plan, known: Known) -> Asking[Looked]:  # noqa: ARG001 — it asks for itself
    answer = yield Command(("postconf", *instance_words(plan.identity.instance), "-h", "mail_version"))
    version = answer.ok("postconf").strip()
    found = _VERSION.match(version)
    if found is None or (int(found[1]), int(found[2])) < SINCE:
        words = shown(Foreign(version), 20) or "of no version"
        raise Refused("Bounce", f"needs Postfix 3.5 or newer, and this is {words}", "delete it, or let it expire")
    return Looked(plan.items)


def _warned(items: Sequence[Item], at: float, facts: Facts) -> tuple[str, ...]:  # noqa: ARG001 — no ages here
    held, active = (sum(item.queue == queue for item in items) for queue in (Queue.HOLD, Queue.ACTIVE))
    null = sum(not item.sender or item.sender == b"MAILER-DAEMON" for item in items)
    words = (
        "Each is returned to its sender, without another try, when the queue manager next comes to it.",
        "That is at the end of its backoff, or at once by a retry.",
        "Until then it is deferred, and marked: nothing takes the mark off.",
    )
    more = (
        (held, f"{held} on hold are taken off hold for it."),
        (active, f"{active} in delivery may be delivered all the same: they bounce only where that attempt fails."),
        (null, f"{null} have no sender to return to: they only vanish (or go to the postmaster)."),
    )
    return (*words, *(sentence for number, sentence in more if number))


def _reads(plan: Plan, items: Sequence[Item], stderr: bytes) -> Asking[tuple[Outcome, ...]]:  # noqa: ARG001
    """What postsuper names is marked; that it was returned, the log will tell."""
    yield from ()
    done, fatal = named(stderr, b"expired"), said(stderr).fatal
    if fatal and not done:
        return tuple(Outcome(item.id, Fate.REFUSED, fatal) for item in items)
    return tuple(Outcome(item.id, Fate.UNDER_WAY if item.id in done else Fate.GONE) for item in items)


def _judge(outcome: Outcome, found: Evidence) -> Outcome | None:
    """Open for as long as it waits to be returned, however late that is."""
    if found.returned:
        return Outcome(outcome.id, Fate.DONE, Foreign(b"force-expired, returned to sender"))
    if found.removed and found.status == "bounced":
        return Outcome(outcome.id, Fate.DONE, Foreign(b"bounced: " + found.reason))
    if found.removed:
        sent = found.status == "sent"
        return Outcome(outcome.id, Fate.DELIVERED if sent else Fate.GONE, found.reason or Foreign(b"left the queue"))
    if found.listed and found.queue is Queue.HOLD:
        return Outcome(outcome.id, Fate.REFUSED, Foreign(b"it is on hold"))
    if found.told and found.queue is None:
        return Outcome(outcome.id, Fate.GONE, Foreign(b"not in the queue any more"))
    return None


BOUNCE = Action(
    key="queue.bounce",
    letter="",
    label="Bounce",
    danger=Danger.DESTRUCTIVE,
    undo="",
    program=("postsuper", "-f"),
    sources=frozenset({Queue.INCOMING, Queue.ACTIVE, Queue.DEFERRED, Queue.HOLD}),
    done=frozenset({Queue.DEFERRED, Queue.ACTIVE, Queue.INCOMING}),
    expects="force-expired, then returned to sender",
    undone_by="nothing: a bounce cannot be recalled",
    warn=_warned,
    look=_look,
    reads=_reads,
    judge=_judge,
)
