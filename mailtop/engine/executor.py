"""The only door: every change passes here, locked, identified, re-read, audited, sent once and read back."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress

import msgspec
from msgspec.structs import replace

from mailtop.action import (
    ACTIONS,
    Action,
    Known,
    Looked,
    carry_out,
    instance,
    read_back,
    reread,
)
from mailtop.engine.audit import AuditLog
from mailtop.engine.capabilities import UNKNOWN, Capabilities
from mailtop.engine.changing import carried_out, planned, rechecked, unplanned
from mailtop.engine.clock import Clock
from mailtop.engine.link import Link, drive
from mailtop.engine.previewing import preview, preview_of
from mailtop.engine.receipts import Receipts, intent
from mailtop.model.ask import Answer, Asking, Command, Engine, Put
from mailtop.model.destination import Terms
from mailtop.model.errors import MailtopError, Refused, UsageError
from mailtop.model.mail import QueueId
from mailtop.model.operation import Approval, Danger, Fate, Item, Outcome, Plan, Preview, Receipt
from mailtop.model.text import Foreign
from mailtop.model.topology import Identity, Target

PLAN_LIVES = 600.0  # seconds: what was previewed longer ago is no longer what would happen
PLANS_TOLD = 100  # plans of which it is known that they were made, and when: one left open is told its age
AGAIN = "select and preview again"
COLLEAGUE = 300.0  # seconds in which another operator's act on the same target is worth a warning

Linked = Callable[[str], tuple[Link, Target]]
"""Finds a target by name, with its host's link; raises Refused for one that is not there."""


def identify(target: Target) -> Asking[Identity]:
    """Ask who a target really is: its Engine and container, or its machine, and the Postfix instance."""
    if target.container:
        info = yield Engine("/info", keep=("ID",))
        container = yield Engine(f"/containers/{target.container}/json", keep=("Id",))
        machine, identity = _field(info, "ID"), _field(container, "Id")
    else:
        answer = yield Command(("cat", "/etc/machine-id"))
        machine, identity = answer.ok(f"{target.name}: machine-id").strip().decode("ascii", "replace"), ""
    if not machine or (target.container and not identity):
        raise Refused(target.name, "does not say which machine or container it is", "no act without an identity")
    return Identity(machine, identity)


def _field(answer: Answer, name: str) -> str:
    try:
        return msgspec.json.decode(answer.stdout, type=dict[str, str]).get(name, "")
    except (msgspec.DecodeError, UnicodeDecodeError):
        return ""


def _action(key: str) -> Action:
    for action in ACTIONS:
        if action.key == key:
            return action
    known = ", ".join(action.key for action in ACTIONS)
    raise UsageError(f"act {key[:40]!r}", "is none that mailtop knows", f"known: {known}")


def _difference(planned: Identity, found: Identity) -> str:
    """What changed, in words."""
    if planned.machine != found.machine:
        return "another machine answers to its name"
    return "the container was re-created" if planned.container != found.container else "another Postfix instance"


_WELL = frozenset((Fate.DONE, Fate.IN_DELIVERY, Fate.UNDER_WAY, Fate.DELIVERED))


def _last_line(said: Foreign) -> Foreign:
    """A program's own summary: postsuper tells each id first."""
    return Foreign(said.rpartition(b"\n")[2])


def _unsaid(goes: bool, outcomes: tuple[Outcome, ...]) -> str:
    """What the program did not say, but its work does."""
    if not goes:
        return "nothing was left to do"
    unknown = sum(outcome.fate is Fate.UNKNOWN for outcome in outcomes)
    if unknown:
        return f"{unknown} could not be read back yet"
    undone = sum(outcome.fate not in _WELL for outcome in outcomes)
    return f"{undone} were not done" if undone else ""


def is_queue_act(key: str) -> bool:
    """Is this an act on a queue as a whole, not on messages that somebody chose?"""
    return any(action.key == key and action.scope is Target for action in ACTIONS)


def _age(fact: dict[str, object], now: float) -> float:
    at = fact.get("at")
    return now - at if isinstance(at, int | float) else float("inf")


async def _untold(target: Target) -> Capabilities:  # noqa: ARG001 — nobody knows: it is simply tried
    return UNKNOWN


class Executor:
    """Plans, and carries out what was approved. One act at a time on a target."""

    def __init__(
        self,
        linked: Linked,
        queued: Callable[[str], int | None],
        facts: Callable[[str], Mapping[str, str]],
        audit: AuditLog,
        receipts: Receipts,
        clock: Clock,
        *,
        operator: str,
        read_only: str,
        rights: Callable[[Target], Awaitable[Capabilities]] = _untold,
        paused: Callable[[str], frozenset[str] | None] = lambda target: None,  # noqa: ARG005
    ) -> None:
        """`queued`: how many messages a target's queue holds, None where nobody knows.

        `facts`: what a target said of itself. `rights`: what we may do on it. `paused`: domains that mailtop has paused
        there, None where nobody knows.
        `operator`: who the audit file names. `read_only`: why nothing can ever be unlocked, empty where it can.
        """
        self._operator = operator
        self.read_only = read_only
        self.unlocked_until = 0.0
        self.receipts = receipts
        self._linked = linked
        self._queued = queued
        self._facts = facts
        self._rights = rights
        self._paused = paused
        self._audit = audit
        self._clock = clock
        self._plans: dict[str, tuple[Plan, Preview]] = {}
        self._made: dict[str, tuple[float, str]] = {}  # when each of the last plans was made, and its label
        self._acting: dict[str, asyncio.Lock] = {}
        self._numbers = 0

    @property
    def unlocked(self) -> bool:
        """May it send at all?"""
        return not self.read_only and self._clock.now() < self.unlocked_until

    @property
    def busy(self) -> bool:
        """Is an act under way?"""
        return any(lock.locked() for lock in self._acting.values())

    def unlock(self, seconds: float) -> None:
        """Leave OBSERVE for so long; 0 goes back at once. Refused when read-only."""
        if seconds and self.read_only:
            raise Refused("operate", self.read_only)
        self.unlocked_until = self._clock.now() + seconds if seconds else 0.0

    async def plan(
        self, key: str, target: str, items: Sequence[Item], warnings: tuple[str, ...] = (), undoes: str = ""
    ) -> Preview:
        """Freeze one act on one target: who it is, the steps, the preview. Nothing is changed.

        `undoes`: the receipt that this takes back. `warnings` go into the preview with the action's own.
        """
        action = _action(key)
        link, where = self._linked(target)
        if not items and action.scope is not Target:
            raise Refused(action.label, "nothing is selected", "mark rows with space, or set a filter")
        if action.scope is Receipt and not undoes:
            raise Refused(action.label, "takes an act back, and needs its receipt", "see :undo")
        may = await self._rights(where)
        may.check(action.needs)
        identity = await self._identity(target)
        now = self._clock.now()
        self._numbers += 1
        number = f"{int(now * 1000):x}-{self._numbers}"
        plan = Plan(number, key, target, identity, action.danger, items, (), now, undoes)
        facts, looked = self._facts(target), Looked(items)
        if action.look is not None:
            known = Known(facts, self._paused(target))
            looked = await drive(action.look(plan, known), link, where.container, key)
        steps = looked.steps or action.steps(target, identity, looked.items)
        steps = tuple(replace(step, argv=may.by_sudo(step.argv, action.needs)) for step in steps)
        plan = replace(plan, items=looked.items, steps=steps, without_undo=looked.without_undo)
        colleagues = await asyncio.to_thread(self._colleagues, target, now)
        shown = await asyncio.to_thread(preview, action, plan, (*looked.warnings, *warnings, *colleagues), facts)
        self._keep(plan, shown)
        return shown

    async def plan_change(self, key: str, target: str, domain: str, terms: Terms, undoes: str = "") -> Preview:
        """Freeze one act on one destination: how it is delivered now, what changes, the preview. Nothing is changed."""
        identity = await self._identity(target)
        link, where = self._linked(target)
        now = self._clock.now()
        self._numbers += 1
        number = f"{int(now * 1000):x}-{self._numbers}"
        bare = unplanned(key, number, target, identity, now, undoes)
        plan, act, warnings = await planned(bare, terms, domain, self._operator, link, where)
        colleagues = await asyncio.to_thread(self._colleagues, target, now)
        shown = preview_of(act, plan, warnings=(*warnings, *colleagues))
        self._keep(plan, shown)
        return shown

    def _keep(self, plan: Plan, shown: Preview) -> None:
        """Remember a plan for as long as it may be approved; and of older ones, that there were some."""
        young = {name: kept for name, kept in self._plans.items() if plan.at - kept[0].at < PLAN_LIVES}
        self._plans = {**young, plan.id: (plan, shown)}
        self._made[plan.id] = plan.at, shown.label
        for name in list(self._made)[:-PLANS_TOLD]:
            del self._made[name]

    def _colleagues(self, target: str, now: float) -> tuple[str, ...]:
        recent = {
            str(fact.get("by"))
            for fact in self._audit.read()
            if fact.get("target") == target and fact.get("by") != self._operator and _age(fact, now) < COLLEAGUE
        }
        return tuple(f"{name} acted on {target} in the last minutes." for name in sorted(recent))

    async def _identity(self, name: str) -> Identity:
        link, target = self._linked(name)
        identity = await drive(identify(target), link, "", "identity")
        config_directory = target.instance or await drive(instance(), link, target.container, "identity")
        return Identity(identity.machine, identity.container, config_directory)

    async def execute(self, approval: Approval) -> Receipt:
        """Carry out one approved plan, once; raises Refused where it may not be."""
        plan = self._approved(approval)
        async with self._acting.setdefault(plan.target, asyncio.Lock()):
            return await self._execute(self._approved(approval), approval)  # another act may have been in the way

    def _approved(self, approval: Approval) -> Plan:
        kept, (at, label) = self._plans.get(approval.plan), self._made.get(approval.plan, (0.0, "plan"))
        if at and not 0.0 <= (age := self._clock.now() - at) <= PLAN_LIVES:
            old = f"the preview is {age / 60:.0f} min old" if age > 0 else "the clock was set back since the preview"
            raise Refused(label, f"{old}: nothing was sent", AGAIN)
        if kept is None:
            raise Refused(label, "is carried out already" if at else "is not known here", AGAIN)
        plan, shown = kept
        if approval.dry_run:
            return plan
        if not self.unlocked:
            raise Refused(
                shown.label, self.read_only or "mailtop observes", "" if self.read_only else "unlock it with :operate"
            )
        if plan.danger in (Danger.SENDS, Danger.DESTRUCTIVE) and approval.typed != shown.typed:
            raise Refused(shown.label, f"was not approved: typed {approval.typed[:20]!r}", f"type {shown.typed}")
        return plan

    async def _execute(self, plan: Plan, approval: Approval) -> Receipt:
        link, target = self._linked(plan.target)
        identity = await self._identity(plan.target)
        if identity != plan.identity:
            why = _difference(plan.identity, identity)
            raise Refused(
                plan.target, f"is not what was planned for: {why}", "nothing was sent; select and preview again"
            )
        if plan.work is not None:
            return await self._change(plan, approval, link, target)
        kept, dropped = await drive(reread(plan, self._queued(plan.target)), link, target.container, "re-read")
        if not approval.dry_run:
            self._plans.pop(plan.id, None)  # an approval is good for one act
        action, at = _action(plan.action), self._clock.now()
        undo = "" if approval.dry_run or plan.undoes or plan.without_undo else action.undo
        number = f"r{plan.id}{f'-dry{at:.3f}' if approval.dry_run else ''}"
        approval = replace(approval, by=self._operator)
        self._audit.write(intent(number, plan, kept, dropped, approval, at, undo))
        said, error, outcomes = Foreign(b""), "", tuple(Outcome(item.id, Fate.DONE) for item in kept)
        ended, goes = 0.0, bool(kept) or not plan.items
        if goes and not approval.dry_run:
            said, error = await self._send(plan, kept, link, target)
            ended = self._clock.now()
            outcomes = await self._read_back(plan, kept, said, link, target)
        receipt = Receipt(
            number,
            plan.id,
            plan.action,
            plan.target,
            approval.by,
            at,
            approval.dry_run,
            ok=not error and goes and all(outcome.fate in _WELL for outcome in outcomes),
            outcomes=(*dropped, *outcomes),
            said=_last_line(said),
            error=error or _unsaid(goes, outcomes),
            undo=undo,
            ended=ended,
        )
        return self.receipts.add(receipt, plan)

    async def _change(self, plan: Plan, approval: Approval, link: Link, target: Target) -> Receipt:
        """The same for a destination: looked at again, written down, changed, told."""
        act = await rechecked(plan, link, target)
        if not approval.dry_run:
            self._plans.pop(plan.id, None)  # an approval is good for one act
        at = self._clock.now()
        undo = "" if approval.dry_run else act.undo
        number = f"r{plan.id}{f'-dry{at:.3f}' if approval.dry_run else ''}"
        approval = replace(approval, by=self._operator)
        self._audit.write(intent(number, plan, (), (), approval, at, undo))
        domain = QueueId(plan.work.domain if plan.work is not None else "")
        outcome, error, ended = Outcome(domain, Fate.DONE), "", 0.0
        if not approval.dry_run:
            outcome, error = await carried_out(plan, self._operator, at, link, target)
            ended = self._clock.now()
        receipt = Receipt(
            number,
            plan.id,
            plan.action,
            plan.target,
            approval.by,
            at,
            approval.dry_run,
            ok=outcome.fate is Fate.DONE,
            outcomes=(outcome,),
            error=error,
            undo=undo if outcome.fate is Fate.DONE else "",
            ended=ended,
        )
        return self.receipts.add(receipt, plan)

    async def _send(self, plan: Plan, kept: tuple[Item, ...], link: Link, target: Target) -> tuple[Foreign, str]:
        """Send every step once, in order; return what the last one said, and why it stopped, where it did."""
        said, pause = Foreign(b""), _action(plan.action).pause
        where = plan.identity.container or target.container  # by its id: one made anew under the name gets nothing
        going = carry_out(plan, kept)
        try:
            ask = next(going)
            while True:
                answer = await link.ask(where, ask, plan.action)
                if isinstance(ask, Put):
                    said = Foreign(answer.stderr.strip() or answer.stdout.strip())
                ask = going.send(answer)
                await self._clock.sleep(pause)
        except StopIteration:
            return said, ""
        except MailtopError as error:
            return said, str(error)

    async def _read_back(
        self, plan: Plan, kept: tuple[Item, ...], said: bytes, link: Link, target: Target
    ) -> tuple[Outcome, ...]:
        with suppress(MailtopError):
            return await drive(
                read_back(plan, kept, said, self._queued(plan.target)), link, target.container, "read-back"
            )
        return tuple(Outcome(item.id, Fate.UNKNOWN) for item in kept)
