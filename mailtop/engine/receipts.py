"""What acts did: receipts, kept in the audit file, open until the service and the log have decided every message."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from itertools import chain, islice

from msgspec.structs import replace

from mailtop.engine.audit import AuditLog, Fact
from mailtop.model.errors import Refused
from mailtop.model.mail import QueueId
from mailtop.model.operation import Approval, Fate, Item, Outcome, Plan, Receipt, Work
from mailtop.model.text import Foreign

REMEMBERED = 86_400.0  # seconds: an older act is history, in the audit file, and not to be taken back
SHOWN = 20  # receipts a face is given, each with …
TOLD = 100  # outcomes at most: those that are not done, then those of which there is more to say
KEPT = 200  # receipts in memory; all are in the audit file
CLOSED = "mailtop ended before this act was read back"

Decide = Callable[[str, str, Outcome, float, float], Outcome | None]
"""Asks queue and log what became of a message: (action, target, outcome so far, when the act had ended, and begun).

None while nothing has decided it."""


class Receipts:
    """All receipts of the last day, newest last. The audit file is their only store."""

    def __init__(self, audit: AuditLog, now: float) -> None:
        self._audit = audit
        self._receipts: dict[str, Receipt] = {}
        self._items: dict[str, Sequence[Item]] = {}
        for fact in audit.read():
            at = fact.get("at")
            if isinstance(at, float) and now - at < REMEMBERED:
                self._recall(fact, at)

    @property
    def shown(self) -> tuple[Receipt, ...]:
        """The newest, newest last, each cut to what a face has room for."""
        return tuple(map(_brief, list(self._receipts.values())[-SHOWN:]))

    def undoable(self, number: str) -> tuple[Receipt, tuple[Item, ...]]:
        """Return a receipt and the messages that its act really changed; raises Refused where there is none."""
        receipt = self._receipts.get(number)
        if receipt is None:
            raise Refused("undo", f"no receipt {number[:40]}", "see :undo for what can be taken back")
        if receipt.undone or not receipt.undo or receipt.dry_run:
            raise Refused("undo", "there is nothing to take back" if not receipt.undone else "was taken back already")
        changed = {outcome.id for outcome in receipt.outcomes if outcome.fate is Fate.DONE}
        return receipt, tuple(item for item in self._items.get(number, ()) if item.id in changed)

    def add(self, receipt: Receipt, plan: Plan) -> Receipt:
        """Write an outcome down and keep its receipt; what `plan` took back is marked."""
        self._items[receipt.id] = plan.items
        self._keep(counted(receipt))
        if not receipt.dry_run:
            self._mark_undone(plan.undoes, receipt)
        self._audit.write(outcome_fact("outcome", receipt, plan.undoes))
        return self._receipts[receipt.id]

    def settle(self, decide: Decide, now: float) -> None:
        """Ask for what is still open; what has been decided is written down."""
        for receipt in [receipt for receipt in self._receipts.values() if receipt.open]:
            outcomes = tuple(self._settled(receipt, outcome, decide) for outcome in receipt.outcomes)
            if outcomes == receipt.outcomes:
                continue
            settled = counted(replace(receipt, outcomes=outcomes))
            self._receipts[receipt.id] = settled
            if not settled.open:
                with suppress(Refused):  # the decision stands without its line; the next act will say that none fits
                    self._audit.write(outcome_fact("decided", replace(settled, at=now), ""))

    def _settled(self, receipt: Receipt, outcome: Outcome, decide: Decide) -> Outcome:
        if not is_open(outcome):
            return outcome
        ended = receipt.ended or receipt.at
        return decide(receipt.action, receipt.target, outcome, ended, receipt.at) or outcome

    def _keep(self, receipt: Receipt) -> None:
        self._receipts[receipt.id] = receipt
        for number in list(self._receipts)[: max(0, len(self._receipts) - KEPT)]:
            if not self._receipts[number].open:
                del self._receipts[number]
                self._items.pop(number, None)

    def _mark_undone(self, number: str, by: Receipt) -> None:
        """An act is taken back when no message of it is left that its undo did not reach."""
        receipt = self._receipts.get(number)
        if receipt is not None:
            reached = {outcome.id for outcome in by.outcomes if outcome.fate is not Fate.UNKNOWN}
            left = {outcome.id for outcome in receipt.outcomes if outcome.fate is Fate.DONE} - reached
            self._receipts[number] = replace(receipt, undone=not left)

    def _recall(self, fact: dict[str, object], at: float) -> None:
        number = str(fact.get("receipt", ""))
        if fact.get("fact") == "intent" and not fact.get("dry_run"):
            self._items[number] = tuple(_items(fact))
            ids = [item.id for item in self._items[number]] or [QueueId(name) for name in _domains(fact)]
            outcomes = tuple(Outcome(name, Fate.UNKNOWN) for name in ids)
            self._keep(_recalled(fact, at, outcomes, CLOSED, ended=at))
        elif fact.get("fact") in ("outcome", "decided"):
            first = self._receipts.get(number)
            ended = fact.get("ended")
            receipt = _recalled(
                fact,
                first.at if first else at,
                tuple(_outcomes(fact)),
                str(fact.get("error", "")),
                ended=float(ended) if isinstance(ended, int | float) else at,
            )
            self._keep(replace(receipt, undone=first is not None and first.undone))
            if not fact.get("dry_run"):
                self._mark_undone(str(fact.get("undoes", "")), receipt)


def _recalled(fact: dict[str, object], at: float, outcomes: tuple[Outcome, ...], error: str, ended: float) -> Receipt:
    return counted(
        Receipt(
            str(fact.get("receipt", "")),
            plan=str(fact.get("plan")),
            action=str(fact.get("action")),
            target=str(fact.get("target")),
            by=str(fact.get("by")),
            at=at,
            dry_run=bool(fact.get("dry_run")),
            ok=bool(fact.get("ok")),
            outcomes=outcomes,
            undo=str(fact.get("undo", "")),
            error=error,
            ended=ended,
        )
    )


def counted(receipt: Receipt) -> Receipt:
    """The receipt with its fates counted, and open where one of them still is."""
    fates = Counter(outcome.fate for outcome in receipt.outcomes)
    return replace(receipt, fates=tuple(fates.items()), open=any(map(is_open, receipt.outcomes)))


def _brief(receipt: Receipt) -> Receipt:
    if receipt.action.startswith("destination."):  # its one outcome names the domain
        return receipt
    done = (outcome for outcome in receipt.outcomes if outcome.fate is Fate.DONE and outcome.said)
    telling = chain((outcome for outcome in receipt.outcomes if outcome.fate is not Fate.DONE), done)
    return replace(receipt, outcomes=tuple(islice(telling, TOLD)))


def is_open(outcome: Outcome) -> bool:
    """Does this message's fate still have to be decided?"""
    return outcome.fate in (Fate.IN_DELIVERY, Fate.UNDER_WAY, Fate.UNKNOWN)


def intent(
    receipt: str,
    plan: Plan,
    kept: Iterable[Item],
    dropped: Iterable[Outcome],
    approval: Approval,
    at: float,
    undo: str,
) -> Fact:
    """What is on disk before anything is sent."""
    items = tuple(kept)
    return {
        "fact": "intent",
        "at": at,
        "receipt": receipt,
        "plan": plan.id,
        "action": plan.action,
        "target": plan.target,
        "machine": plan.identity.machine,
        "container": plan.identity.container,
        "instance": plan.identity.instance,
        "by": approval.by,
        "dry_run": approval.dry_run,
        "undo": undo,
        "undoes": plan.undoes,
        "commands": [list(step.argv) for step in plan.steps],
        "count": len(items),
        "items": [[i.id, i.arrival, i.size, i.queue, _lossless(i.sender), _lossless(i.recipient)] for i in items],
        "dropped": [[outcome.id, outcome.fate] for outcome in dropped],
        **(_change(plan.work) if plan.work is not None else {}),
    }


def _change(work: Work) -> Fact:
    """What is to change of a destination: the lines, the hashes of both files before, and until when."""
    return {
        "domain": work.domain,
        "diff": [_lossless(Foreign(line.encode("utf-8", "surrogateescape"))) for line in work.diff],
        "was": {"main.cf": work.was.main, "master.cf": work.was.master},
        "until": work.until,
    }


def _domains(fact: dict[str, object]) -> list[str]:
    """The destination that a fact is about, if it is about one."""
    return [str(fact["domain"])] if fact.get("domain") else []


def outcome_fact(fact: str, receipt: Receipt, undoes: str) -> Fact:
    """What is on disk of an act's end, or of the log's decision about it."""
    return {
        "fact": fact,
        "at": receipt.at,
        "receipt": receipt.id,
        "plan": receipt.plan,
        "action": receipt.action,
        "target": receipt.target,
        "by": receipt.by,
        "dry_run": receipt.dry_run,
        "ok": receipt.ok,
        "ended": receipt.ended,
        "undo": receipt.undo,
        "undoes": undoes,
        "said": _lossless(receipt.said),
        "error": receipt.error,
        "count": len(receipt.outcomes),
        "fates": dict(Counter(str(outcome.fate) for outcome in receipt.outcomes)),
        "outcomes": [[outcome.id, outcome.fate, _lossless(outcome.said)] for outcome in receipt.outcomes],
    }


def _lossless(text: Foreign) -> str:
    """Bytes as JSON can hold them; the audit file escapes all but plain ASCII."""
    return text.decode("utf-8", "surrogateescape")


def _foreign(text: object) -> Foreign:
    try:
        return Foreign(str(text).encode("utf-8", "surrogateescape"))
    except UnicodeEncodeError:  # nothing that we wrote
        return Foreign(str(text).encode("utf-8", "backslashreplace"))


def _items(fact: dict[str, object]) -> Iterable[Item]:
    for row in _rows(fact, "items", 6):
        number, arrival, size, queue, sender, recipient = row
        if isinstance(arrival, int | float) and isinstance(size, int):
            yield Item(QueueId(str(number)), _foreign(sender), arrival, size, str(queue), _foreign(recipient))


def _outcomes(fact: dict[str, object]) -> Iterable[Outcome]:
    for number, fate, said in _rows(fact, "outcomes", 3):
        if fate in list(Fate):
            yield Outcome(QueueId(str(number)), Fate(str(fate)), _foreign(said))


def _rows(fact: dict[str, object], key: str, width: int) -> Iterable[list[object]]:
    rows = fact.get(key)
    if isinstance(rows, list):
        yield from (row for row in rows if isinstance(row, list) and len(row) == width)
