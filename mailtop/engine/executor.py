"""The only door: every change passes here, locked, identified, re-read, audited, sent once and read back."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress

import msgspec

from mailtop.action import ACTIONS, Action, carry_out, instance, preview, read_back, reread
from mailtop.engine.audit import AuditLog
from mailtop.engine.clock import Clock
from mailtop.engine.link import Link, drive
from mailtop.engine.receipts import Receipts, intent, is_open
from mailtop.model.ask import Answer, Asking, Command, Engine
from mailtop.model.errors import AskFailed, MailtopError, Refused, UsageError
from mailtop.model.operation import Approval, Danger, Fate, Item, Outcome, Plan, Preview, Receipt
from mailtop.model.text import Foreign
from mailtop.model.topology import Identity, Target

PLAN_LIVES = 600.0  # seconds: what was previewed longer ago is no longer what would happen
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
    if not machine:
        raise Refused(target.name, "does not say which machine it is", "no act without an identity")
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


def _age(fact: dict[str, object], now: float) -> float:
    at = fact.get("at")
    return now - at if isinstance(at, int | float) else float("inf")


class Executor:
    """Plans, and carries out what was approved. One act at a time on a target."""

    def __init__(
        self,
        linked: Linked,
        queued: Callable[[str], int | None],
        audit: AuditLog,
        receipts: Receipts,
        clock: Clock,
        *,
        read_only: bool,
    ) -> None:
        """`queued`: how many messages a target's queue holds, None where nobody knows."""
        self.read_only = read_only
        self.unlocked_until = 0.0
        self.receipts = receipts
        self._linked = linked
        self._queued = queued
        self._audit = audit
        self._clock = clock
        self._plans: dict[str, tuple[Plan, Preview]] = {}
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
            raise Refused("operate", "mailtop was started with --read-only", "start it without")
        self.unlocked_until = self._clock.now() + seconds if seconds else 0.0

    async def plan(self, key: str, target: str, items: tuple[Item, ...], by: str, undoes: str = "") -> Preview:
        """Freeze one act on one target: who it is, the steps, the preview. Nothing is changed."""
        action = _action(key)
        if not items:
            raise Refused(action.label, "nothing is selected", "mark rows with space, or set a filter")
        identity = await self._identity(target)
        now = self._clock.now()
        self._numbers += 1
        number = f"{int(now * 1000):x}-{self._numbers}"
        plan = Plan(
            number, key, target, identity, action.danger, items, action.steps(target, identity, items), now, undoes
        )
        shown = preview(action, plan, warnings=self._colleagues(target, by, now))
        self._plans = {name: kept for name, kept in self._plans.items() if now - kept[0].at < PLAN_LIVES} | {
            number: (plan, shown)
        }
        return shown

    def _colleagues(self, target: str, by: str, now: float) -> tuple[str, ...]:
        recent = {
            str(fact.get("by"))
            for fact in self._audit.read()
            if fact.get("target") == target and fact.get("by") != by and _age(fact, now) < COLLEAGUE
        }
        return tuple(f"{name} acted on {target} in the last minutes." for name in sorted(recent))

    async def _identity(self, name: str) -> Identity:
        link, target = self._linked(name)
        identity = await drive(identify(target), link, "", "identity")
        config_directory = await drive(instance(), link, target.container, "identity")
        return Identity(identity.machine, identity.container, config_directory)

    async def execute(self, approval: Approval) -> Receipt:
        """Carry out one approved plan, once; raises Refused where it may not be."""
        plan, _ = self._approved(approval)
        async with self._acting.setdefault(plan.target, asyncio.Lock()):
            if not approval.dry_run:
                self._plans.pop(plan.id, None)  # an approval is good for one act
            return await self._execute(plan, approval)

    def _approved(self, approval: Approval) -> tuple[Plan, Preview]:
        kept = self._plans.get(approval.plan)
        now = self._clock.now()
        if kept is None or now - kept[0].at > PLAN_LIVES:
            raise Refused("plan", "is carried out already, or too old", "select and preview again")
        plan, shown = kept
        if approval.dry_run:
            return kept
        if not self.unlocked:
            remedy = "start it without --read-only" if self.read_only else "unlock it with :operate"
            raise Refused(shown.label, "mailtop observes", remedy)
        if plan.danger in (Danger.SENDS, Danger.DESTRUCTIVE) and approval.typed != shown.typed:
            raise Refused(shown.label, f"was not approved: typed {approval.typed[:20]!r}", f"type {shown.typed}")
        return kept

    async def _execute(self, plan: Plan, approval: Approval) -> Receipt:
        link, target = self._linked(plan.target)
        identity = await self._identity(plan.target)
        if identity != plan.identity:
            why = _difference(plan.identity, identity)
            raise Refused(
                plan.target, f"is not what was planned for: {why}", "nothing was sent; select and preview again"
            )
        kept, dropped = await drive(reread(plan, self._queued(plan.target)), link, target.container, "re-read")
        number, at = f"r{plan.id}{'-dry' if approval.dry_run else ''}", self._clock.now()
        self._audit.write(intent(number, plan, kept, dropped, approval, at))
        said, error, outcomes = Foreign(b""), "", tuple(Outcome(item.id, Fate.DONE) for item in kept)
        if kept and not approval.dry_run:
            said, error = await self._send(plan, kept, link, target)
            outcomes = await self._read_back(plan, kept, said, link, target)
        outcomes = (*dropped, *outcomes)
        action = _action(plan.action)
        receipt = Receipt(
            number,
            plan.id,
            plan.action,
            plan.target,
            approval.by,
            at,
            approval.dry_run,
            ok=not error and bool(kept),
            outcomes=outcomes,
            said=said,
            error=error or ("" if kept else "nothing was left to do"),
            undo="" if approval.dry_run or plan.undoes else action.undo,
            open=any(is_open(outcome) for outcome in outcomes),
        )
        return self.receipts.add(receipt, plan)

    async def _send(self, plan: Plan, kept: tuple[Item, ...], link: Link, target: Target) -> tuple[Foreign, str]:
        """Send every step once, in order; return what the last one said, and why it stopped, where it did."""
        said = Foreign(b"")
        for put in carry_out(plan, kept):
            try:
                answer = await link.ask(target.container, put, plan.action)
            except AskFailed as error:
                return said, str(error)
            said = Foreign(answer.stderr.strip() or answer.stdout.strip())
            try:
                answer.ok(put.argv[0])
            except AskFailed as error:
                return said, str(error)
        return said, ""

    async def _read_back(
        self, plan: Plan, kept: tuple[Item, ...], said: bytes, link: Link, target: Target
    ) -> tuple[Outcome, ...]:
        with suppress(MailtopError):
            return await drive(
                read_back(plan, kept, said, self._queued(plan.target)), link, target.container, "read-back"
            )
        return tuple(Outcome(item.id, Fate.UNKNOWN) for item in kept)
