"""Purge: drop what is kept of deleted mail, all of it or what is older than 7 days. Nothing puts that back."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import partial

from mailtop.action import Action, Known, Looked, Needs
from mailtop.model.ask import Asking, Changing, Put
from mailtop.model.errors import Refused
from mailtop.model.mail import queue_id
from mailtop.model.operation import Danger, Fate, Item, Outcome, Plan, Step
from mailtop.model.text import Foreign
from mailtop.model.topology import Target
from mailtop.parse.kept_files import OLD, RECEIPT, KeptFile, files, spool


def _look_for_old(plan: Plan, known: Known, older: float) -> Asking[Looked]:  # noqa: ARG001 — it asks for itself
    place = yield from spool(plan.identity.instance)
    there = yield from files(place.kept)
    items = tuple(_as_item(file) for file in there if plan.at - file.at >= older)
    if not items:
        longer = " that long" if older and there else ""
        raise Refused("Purge", f"no file of deleted mail is kept{longer} in {place.kept}")
    steps = (
        Step(plan.target, ("xargs", "rm", "-f"), f"{len(items)} paths in {place.kept} on stdin", "gone"),
        Step(plan.target, ("find", place.kept, "-depth", *_EMPTY, "-exec", "rmdir", "{}", "+"), "", "no empty folder"),
    )
    receipts = len({item.queue for item in items})
    of = "one delete" if receipts == 1 else f"{receipts} deletes"
    return Looked(items, steps, (f"What {of} took away cannot be put back any more.",))


def _as_item(file: KeptFile) -> Item:
    """A kept file as what a plan is made of; its `queue` is the receipt of its delete, its arrival when that was."""
    return Item(file.id, Foreign(b""), file.at, file.size, file.receipt)


_EMPTY = ("-mindepth", "1", "-type", "d", "-empty")


def _kept_folder(plan: Plan) -> str:
    return plan.steps[1].argv[1]


def _still_there(plan: Plan) -> Asking[tuple[tuple[Item, ...], tuple[Outcome, ...]]]:
    there = {(file.receipt, file.id) for file in (yield from files(_kept_folder(plan)))}
    kept = tuple(item for item in plan.items if (item.queue, item.id) in there)
    gone = (item.id for item in plan.items if (item.queue, item.id) not in there)
    return kept, tuple(Outcome(number, Fate.GONE, Foreign(b"not kept any more")) for number in gone)


def _purge(plan: Plan, items: Sequence[Item]) -> Changing[None]:
    remove, tidy = plan.steps
    folder = _kept_folder(plan)
    paths = [f"{folder}/{item.queue}/{queue_id(item.id)}\n" for item in items if RECEIPT.fullmatch(item.queue)]
    (yield Put(remove.argv, "".join(paths).encode("ascii"), timeout=60.0 + 0.02 * len(items))).ok("rm")
    yield Put(tidy.argv)  # an empty folder that stays does no harm


def _read_purged(plan: Plan, items: Sequence[Item], said: bytes) -> Asking[tuple[Outcome, ...]]:  # noqa: ARG001
    left = {(file.receipt, file.id) for file in (yield from files(_kept_folder(plan)))}
    fates = (Fate.REFUSED if (item.queue, item.id) in left else Fate.DONE for item in items)
    return tuple(Outcome(item.id, fate) for item, fate in zip(items, fates, strict=True))


PURGE = Action(
    key="queue.purge",
    letter="",
    label="Purge kept files",
    danger=Danger.DESTRUCTIVE,
    undo="",
    program=("rm",),
    sources=frozenset(),
    done=frozenset(),
    expects="gone",
    undone_by="nothing",
    needs=Needs(binary=("find", "xargs"), root=True),
    scope=Target,
    look=partial(_look_for_old, older=OLD),
    meant=_still_there,
    carry=_purge,
    reads=_read_purged,
)
PURGE_ALL = replace(PURGE, key="queue.purge_all", label="Purge all kept files", look=partial(_look_for_old, older=0.0))
