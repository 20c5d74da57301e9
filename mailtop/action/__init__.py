"""What can be changed. A sibling file holds one family of acts, each one constant of type `Action`.

An act is declared: its programs, what it moves and from where to where. Planning, preview, re-reading, sending and
reading back are written once, here, as functions and generators without I/O: the executor, the
only door, drives them. Every id passes `queue_id` once more before it goes into a command.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from mailtop.model.ask import Answer, Asking, Changing, Command, Put
from mailtop.model.destination import Destination, Terms, UnderWay
from mailtop.model.errors import Refused
from mailtop.model.mail import Queue, QueueEntry, queue_id
from mailtop.model.needs import Needs
from mailtop.model.operation import Danger, Fate, Item, Outcome, Plan, Step, Work
from mailtop.model.plugin import plugins
from mailtop.model.text import Foreign
from mailtop.model.topology import Identity
from mailtop.parse.postfix_instance import instance_words
from mailtop.parse.postsuper import Seen, said
from mailtop.parse.queue_seen import seen

__all__ = [
    "ACTIONS",
    "DESTINATION_ACTS",
    "Action",
    "DestinationAct",
    "Evidence",
    "Kept",
    "Known",
    "Looked",
    "Needs",
    "Wish",
    "carry_out",
    "ids_of",
    "instance",
    "numbered",
    "read_back",
    "reread",
    "still_meant",
]

_NEEDS = Needs(binary=("postsuper",), root=True, sudo="postsuper")
_CONFIGURES = Needs(binary=("postconf", "postfix", "postmap"), root=True, sudo="postfix")
Facts = Mapping[str, str]
"""What a target said of itself, by the fact's name; one that is missing is not known."""

Warn = Callable[[Sequence[Item], float, Facts], tuple[str, ...]]
"""Whole sentences for a preview, of the items, at a moment, by the target's facts."""


class Known(NamedTuple):
    """What the engine knows of a target. `paused`: domains whose delivery mailtop has paused there, None: not known."""

    facts: Facts
    paused: frozenset[str] | None


class Looked(NamedTuple):
    """What an act found before its preview. `items`: what it will take. No `steps`: those that it declares.

    `without_undo`: why this once nothing undoes it.
    """

    items: Sequence[Item]
    steps: tuple[Step, ...] = ()
    warnings: tuple[str, ...] = ()
    without_undo: str = ""


class Evidence(NamedTuple):
    """What log and queue say of one message since an act on it began.

    `removed`: its id ended. `status`, `reason`: its last attempt's, empty for none. `listed`: the whole queue was
    listed since the act ended, and it is in `queue` (None: in none). `told`: the log had the time to say how it left.
    `late`: nothing more is to be expected. `requeued`: the id it went on under. `returned`: qmgr gave it back.
    """

    removed: bool = False
    status: str = ""
    reason: Foreign = Foreign(b"")
    listed: bool = False
    queue: Queue | None = None
    told: bool = False
    late: bool = False
    requeued: str = ""
    returned: bool = False


Fates = tuple[Outcome, ...]
Kept = tuple[tuple[Item, ...], Fates]
"""The items that are still meant, and what became of the others."""


@dataclass(frozen=True)
class Action:
    """One act on queued messages, declared.

    `letter`: its short key, empty where it has none. `undo`: the act that takes it back, empty where none does.
    `program` gets `-` and the ids, a line each, on stdin. `sources`: queues it takes messages from; one that is
    elsewhere is refused, and named. `done`: queues that prove it was done. `stuck_in_delivery`: messages that are
    active when it comes may be delivered all the same. `warn(items, at, facts)` returns whole sentences for the
    preview. `because`: why it takes none from a queue, in a word or two. `batch`: so many ids at a time, `pause`
    seconds apart (0: all at once). `scope`: QueueEntry; Target where it is for a queue as a whole; Receipt where it
    only takes an act back.

    What an act does in a way of its own: `look` asks before the preview, `meant` what its items mean now, `carry` out,
    `reads` back, and `judge` by log and queue what is still open.
    """

    key: str
    letter: str
    label: str
    danger: Danger
    undo: str
    program: tuple[str, ...]
    sources: frozenset[Queue]
    done: frozenset[Queue]
    expects: str
    undone_by: str
    stuck_in_delivery: bool = False
    warn: Warn = lambda items, at, facts: ()  # noqa: ARG005
    needs: Needs = _NEEDS
    scope: type = QueueEntry
    because: Mapping[str, str] = field(default_factory=dict)
    batch: int = 0
    pause: float = 0.0
    look: Callable[[Plan, Known], Asking[Looked]] | None = None
    meant: Callable[[Plan], Asking[Kept]] | None = None
    carry: Callable[[Plan, Sequence[Item]], Changing[None]] | None = None
    reads: Callable[[Plan, Sequence[Item], bytes], Asking[Fates]] | None = None
    judge: Callable[[Outcome, Evidence], Outcome | None] | None = None

    def argv(self, identity: Identity) -> tuple[str, ...]:
        """Return the program as it will be sent; `-c` where Postfix's instance is not the default one."""
        return (self.program[0], *instance_words(identity.instance), *self.program[1:], "-")

    def steps(self, target: str, identity: Identity, items: Sequence[Item]) -> tuple[Step, ...]:
        """Return the ordered steps of a plan."""
        return (Step(target, self.argv(identity), numbered(items), self.expects, self.undone_by),)


def numbered(items: Sequence[Item]) -> str:
    """What a step's stdin is, in words."""
    return f"{f'{len(items):,} ids'.replace(',', ' ') if len(items) != 1 else '1 id'} on stdin"


class Wish(NamedTuple):
    """What an operator wants of a destination. `config`: the instance's config_directory; `at`: now."""

    domain: str
    terms: Terms
    config: str
    by: str
    at: float


@dataclass(frozen=True)
class DestinationAct:
    """One act on how a recipient domain is delivered, declared.

    `plan(wish)` asks, changes nothing, and returns the work and whole sentences for the preview. `steps` are all its
    changing commands. `recheck` raises where it is not as planned any more. `carry_out` changes, looks and, where a
    program says no, puts everything back and raises.
    """

    key: str
    label: str
    danger: Danger
    undo: str
    expects: str
    undone_by: str
    plan: Callable[[Wish], Asking[tuple[Work, tuple[str, ...]]]]
    steps: Callable[[Work, str, str, str, str], tuple[Step, ...]]
    recheck: Callable[[Work, str], Asking[None]]
    carry_out: Callable[[Work, str, UnderWay], Changing[None]]
    needs: Needs = _CONFIGURES
    letter: str = ""
    scope: type = Destination


def instance() -> Asking[str]:
    """Ask for the Postfix instance: its config_directory."""
    answer = yield Command(("postconf", "-h", "config_directory"))
    path = answer.ok("postconf").decode("utf-8", "surrogateescape").strip()
    if not path.startswith("/"):
        raise Refused("postconf", f"config_directory is no path: {path[:60]!r}", "no act without an instance")
    return path


def reread(plan: Plan, queued: int | None = None) -> Asking[Kept]:
    """Ask what the ids mean now; return the items that are still meant, and what became of the others.

    An id that means another sender or arrival is dropped: short ids are reused. The kept ones carry the queue they
    are in now. `queued`: messages in the whole queue, where known, to choose the cheaper way.
    """
    action = _action(plan)
    if action.meant is not None:
        return (yield from action.meant(plan))
    return (yield from still_meant(action, plan, plan.items, queued))


def still_meant(action: Action, plan: Plan, items: Sequence[Item], queued: int | None = None) -> Asking[Kept]:
    """Ask which of some items are what they were when it was planned, and in a queue that the act takes from."""
    now_there = yield from seen(plan.identity.instance, [item.id for item in items], queued)
    kept: list[Item] = []
    dropped: list[Outcome] = []
    for item in items:
        now = now_there.get(item.id)
        if now is None:
            dropped.append(Outcome(item.id, Fate.GONE))
        elif _unquoted(now.sender) != _unquoted(item.sender) or int(now.arrival) != int(item.arrival):
            dropped.append(Outcome(item.id, Fate.CHANGED, Foreign(b"now from " + (now.sender or b"<>"))))
        elif now.queue not in action.sources:
            why = action.because.get(now.queue) or f"it is in {now.queue}"
            dropped.append(Outcome(item.id, Fate.REFUSED, Foreign(why.encode())))
        else:
            kept.append(Item(item.id, item.sender, item.arrival, item.size, now.queue, item.recipient))
    return tuple(kept), tuple(dropped)


def carry_out(plan: Plan, items: Sequence[Item]) -> Changing[None]:
    """Change it, in the order of the steps. `items`: what `reread` kept, never more than was approved.

    Raises what a step's answer says. Walked without answers, it tells what would be sent.
    """
    action = _action(plan)
    planned = {item.id for item in plan.items}
    if (plan.items and not items) or not planned.issuperset(item.id for item in items):
        why = "nothing is left to do" if not items else "an id is not in the plan"
        raise Refused(plan.action, why, "plan again")
    if action.carry is not None:
        yield from action.carry(plan, items)
        return
    most = action.batch or len(items)
    for step in plan.steps:
        for first in range(0, len(items), most):
            batch = items[first : first + most]
            answer: Answer | None = yield Put(step.argv, ids_of(batch), timeout=60.0 + 0.01 * len(batch))
            if answer is not None:
                answer.ok(step.argv[0])


def ids_of(items: Iterable[Item]) -> bytes:
    """The ids as a step's stdin, a line each; raises ParseError for what is none."""
    return "".join(f"{queue_id(item.id)}\n" for item in items).encode("ascii")


def read_back(
    plan: Plan, items: Sequence[Item], stderr: bytes, queued: int | None = None
) -> Asking[tuple[Outcome, ...]]:
    """Ask what became of each id; `stderr`: what the program reported."""
    action = _action(plan)
    if action.reads is not None:
        return (yield from action.reads(plan, items, stderr))
    report = said(stderr)
    if report.fatal and not report.messages:
        return tuple(Outcome(item.id, Fate.REFUSED, report.fatal) for item in items)
    now_there = yield from seen(plan.identity.instance, [item.id for item in items], queued)
    warnings = {item.id: line for item in items for line in report.warnings if line.find(item.id.encode()) >= 0}
    return tuple(_outcome(action, item, now_there.get(item.id), warnings.get(item.id)) for item in items)


def _outcome(action: Action, item: Item, now: Seen | None, warning: Foreign | None) -> Outcome:
    was_active = action.stuck_in_delivery and item.queue == Queue.ACTIVE
    if now is None:
        if was_active:
            return Outcome(item.id, Fate.IN_DELIVERY, Foreign(b"left the queue; the log says how"))
        if Queue.HOLD in action.sources:  # taken off hold, what can be delivered leaves
            return Outcome(item.id, Fate.DONE, Foreign(b"and left the queue"))
        return Outcome(item.id, Fate.GONE)
    if now.queue in action.done:
        if was_active and not now.recipients:
            return Outcome(item.id, Fate.DELIVERED, Foreign(b"held without recipients: it left all the same"))
        return Outcome(item.id, Fate.IN_DELIVERY if was_active else Fate.DONE)
    if was_active and now.queue == Queue.ACTIVE:
        return Outcome(item.id, Fate.IN_DELIVERY)
    return Outcome(item.id, Fate.REFUSED, warning or Foreign(b"it is still in " + now.queue.encode()))


def _unquoted(address: Foreign) -> bytes:
    """A local part with spaces is quoted in a listing, and is not in a queue file."""
    return address.replace(b'"', b"").replace(b"\\", b"")


def _action(plan: Plan) -> Action:
    for action in ACTIONS:
        if action.key == plan.action:
            return action
    raise Refused(plan.action, "is no act that mailtop knows")


ACTIONS: tuple[Action, ...] = plugins(__name__, Action)
DESTINATION_ACTS: tuple[DestinationAct, ...] = plugins(__name__, DestinationAct)
