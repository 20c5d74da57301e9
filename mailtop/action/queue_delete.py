"""Delete, and put back what was deleted; purge what is kept of it.

Source: postsuper(1) `-d`, and what Postfix 3.7 does. A message is put on hold, so that it stays where it is; its file
gets a second link in a folder of root's beside the queues; then it is deleted. It is the same file: what a delivery
that had begun writes into it meanwhile is there when it is put back, so nobody gets that mail twice. And while a file
is kept, its inode is taken, so that no other message can get its id. What does not come back is why it had waited:
Postfix notes that beside the file, until the next attempt.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from mailtop.action import Action, Evidence, Known, Looked, Needs, ids_of, numbered, still_meant
from mailtop.model.ask import Asking, Changing, Put
from mailtop.model.errors import Refused
from mailtop.model.mail import Queue, queue_id
from mailtop.model.operation import Danger, Fate, Item, Outcome, Plan, Receipt, Step
from mailtop.model.text import Foreign, shown
from mailtop.parse.kept_files import FOLDER, OLD, RECEIPT, KeptFile, files, spool
from mailtop.parse.postfix_instance import instance_words
from mailtop.parse.postsuper import named
from mailtop.parse.queue_seen import seen

MOST = 1 << 30  # bytes kept in all; beyond that a delete keeps nothing, and says so

_HALF_WAY = b"not deleted, and on hold; its file may be kept too: delete it again, or purge-all, before a release"


def _megabytes(sizes: Iterable[int]) -> str:
    return f"{sum(sizes) / 1e6:,.1f} MB"


# ── delete ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def _look(plan: Plan, known: Known) -> Asking[Looked]:  # noqa: ARG001 — it asks for itself
    place = yield from spool(plan.identity.instance)
    kept = () if place.why_not else (yield from files(place.kept))
    why_not, size = place.why_not, sum(item.size for item in plan.items)
    if not why_not and sum(file.size for file in kept) + size > MOST:
        had = _megabytes(file.size for file in kept)
        why_not = f"with {had} kept already, its {_megabytes((size,))} are too much to keep (queue.purge makes room)"
    hold, delete = (("postsuper", *instance_words(plan.identity.instance), flag, "-") for flag in ("-h", "-d"))
    ids, folder = numbered(plan.items), f"{place.kept}/r{plan.id}"
    steps = [Step(plan.target, hold, ids, "listed in hold", "" if why_not else "restore: the same files, on hold")]
    if not why_not:
        steps += [
            Step(plan.target, ("mkdir", "-p", "-m", "0700", place.kept, folder)),
            Step(plan.target, _linking(f"{place.path}/hold", folder), ids, "a second link to each file"),
        ]
    steps.append(Step(plan.target, delete, f"the ids that are kept, of {ids}" if not why_not else ids, "removed"))
    return Looked(plan.items, tuple(steps), _warned(plan, kept, keeps=not why_not), why_not)


def _linking(source: str, folder: str) -> tuple[str, ...]:
    return ("xargs", "-I", "{}", "ln", f"{source}/{{}}", f"{folder}/{{}}")


def _warned(plan: Plan, kept: Sequence[KeptFile], *, keeps: bool) -> tuple[str, ...]:
    active = sum(item.queue == Queue.ACTIVE for item in plan.items)
    old = [file for file in kept if plan.at - file.at > OLD]
    sentences = (
        (keeps, "Undo puts the very same files back, on hold, under the same ids; `:undo` offers it for a day."),
        (keeps, "Kept files take room on the disk until queue.purge drops them, after 7 days."),
        (active, f"{active} in delivery may be delivered all the same."),
        (old, f"{len(old)} files kept longer than 7 days ({_megabytes(f.size for f in old)}) wait for queue.purge."),
    )
    return tuple(words for applies, words in sentences if applies)


def _delete(plan: Plan, items: Sequence[Item]) -> Changing[None]:
    """Hold, look again, keep, delete: each step only for those that the step before has reached."""
    hold, *keep, delete = plan.steps
    held = yield Put(hold.argv, ids_of(items), timeout=_within(items))
    held.ok("postsuper")
    there, others = yield from still_meant(DELETE, plan, items)
    yield from _let_go(plan, [one.id for one in others if one.fate is Fate.CHANGED], held.stderr)
    there = tuple(item for item in there if item.queue == Queue.HOLD)
    if keep:
        there = yield from _kept(keep, there)
    if not there:
        return
    answer = yield Put(delete.argv, ids_of(there), timeout=_within(there))
    left = [item for item in there if item.id not in named(answer.stderr, b"removed")]
    if keep and left:
        yield from _drop_spare_links(keep[0].argv[-1], left)
    answer.ok("postsuper")


def _let_go(plan: Plan, strangers: Sequence[str], said: bytes) -> Changing[None]:
    """Take off hold what got an id, and was put on hold by us, in the moment between two looks."""
    ours = named(said, b"placed on hold")
    ids = "".join(f"{queue_id(number)}\n" for number in strangers if number in ours)
    if ids:
        argv = plan.steps[0].argv
        (yield Put((*argv[:-2], "-H", "-"), ids.encode("ascii"))).ok("postsuper")


def _kept(steps: Sequence[Step], items: tuple[Item, ...]) -> Changing[tuple[Item, ...]]:
    """Keep the files; return the messages whose file is kept."""
    make, link = steps
    yield from _drop_spare_links(make.argv[-2], items)
    (yield Put(make.argv)).ok("mkdir")
    answer = yield Put(link.argv, ids_of(items), timeout=_within(items))
    if answer.exit in (126, 127):
        answer.ok("xargs")
    kept = {file.id for file in (yield from files(make.argv[-1])) if file.links > 1}
    if items and not kept:
        words = answer.stderr.strip().splitlines()
        why = shown(Foreign(words[-1]), 100) if words else "the files are not there"
        raise Refused(
            "Delete", f"nothing could be kept, so nothing was deleted: {why}", "all are on hold: release them"
        )
    return tuple(item for item in items if item.id in kept)


def _drop_spare_links(folder: str, items: Sequence[Item]) -> Changing[None]:
    """Drop kept links to files that are queued: a delete was cut off. Postfix delivers no file with two hard links."""
    ids = {item.id for item in items}
    spare = [file for file in (yield from files(folder)) if file.links > 1 and file.id in ids]
    root = folder if folder.endswith(FOLDER) else folder.rpartition("/")[0]
    if spare:
        paths = "".join(f"{root}/{file.receipt}/{file.id}\n" for file in spare)
        (yield Put(("xargs", "rm", "-f"), paths.encode("ascii"), timeout=_within(spare))).ok("rm")


def _within(items: Sequence[object]) -> float:
    return 60.0 + 0.02 * len(items)


def _read_deleted(plan: Plan, items: Sequence[Item], stderr: bytes) -> Asking[tuple[Outcome, ...]]:
    """Deleted is what postsuper names, and what is kept and in no queue any more."""
    removed = set(named(stderr, b"removed"))
    if len(plan.steps) > 2:
        removed |= {file.id for file in (yield from files(plan.steps[1].argv[-1])) if file.links == 1}
    now = yield from seen(plan.identity.instance, [item.id for item in items if item.id not in removed])
    outcomes = []
    for item in items:
        if item.id in removed:
            active = item.queue == Queue.ACTIVE
            outcomes.append(Outcome(item.id, Fate.IN_DELIVERY if active else Fate.DONE))
        elif item.id in now:
            why = f"not deleted: it is in {now[item.id].queue}"
            outcomes.append(Outcome(item.id, Fate.REFUSED, Foreign(why.encode())))
        else:
            outcomes.append(Outcome(item.id, Fate.UNKNOWN, Foreign(b"not in the queue; the log says how it left")))
    return tuple(outcomes)


def _judge(outcome: Outcome, found: Evidence) -> Outcome | None:
    """A delivery that had begun is over once the log tells how; what was not read back, once a listing lacks it."""
    if found.status in ("sent", "bounced"):
        return Outcome(outcome.id, Fate.DELIVERED, Foreign(found.status.encode() + b" all the same: " + found.reason))
    if found.status:
        return Outcome(outcome.id, Fate.DONE, Foreign(b"its last attempt failed: " + found.reason))
    if outcome.fate is Fate.UNKNOWN:
        if found.listed and found.queue is Queue.HOLD:
            return Outcome(outcome.id, Fate.REFUSED, Foreign(_HALF_WAY))
        if found.listed and found.queue is not None:
            return Outcome(outcome.id, Fate.REFUSED, Foreign(b"not deleted: it is in " + found.queue.encode()))
        if found.removed or found.told:
            return Outcome(outcome.id, Fate.DONE, Foreign(b"not in the queue any more, and not delivered"))
    return Outcome(outcome.id, Fate.DONE, Foreign(b"no delivery in the log")) if found.late else None


# ── restore ────────────────────────────────────────────────────────────────────────────────────────────────────────


def _look_for_kept(plan: Plan, known: Known) -> Asking[Looked]:  # noqa: ARG001 — it asks for itself
    place = yield from spool(plan.identity.instance)
    if not RECEIPT.fullmatch(plan.undoes):
        raise Refused("Restore", f"no receipt of a delete: {plan.undoes[:40]!r}", "see :undo")
    if place.why_not:
        raise Refused("Restore", place.why_not)
    folder, ids = f"{place.kept}/{plan.undoes}", numbered(plan.items)
    there = {file.id for file in (yield from files(folder))}
    items = tuple(item for item in plan.items if item.id in there)
    if not items:
        raise Refused("Restore", f"nothing is kept in {folder} any more", "it was purged, or is restored already")
    missing = len(plan.items) - len(items)
    steps = (
        Step(plan.target, _linking(folder, f"{place.path}/hold"), ids, "listed in hold", "delete"),
        Step(plan.target, ("xargs", "-I", "{}", "rm", "-f", f"{folder}/{{}}"), "those that are in hold", "one link"),
    )
    words = ("They come back on hold, the very same files under the same ids. A release sends them.",)
    return Looked(items, steps, (*words, *((f"{missing} are not kept any more.",) if missing else ())))


def _folder(plan: Plan) -> str:
    return plan.steps[0].argv[4].rpartition("/")[0]


def _still_kept(plan: Plan) -> Asking[tuple[tuple[Item, ...], tuple[Outcome, ...]]]:
    there = {file.id for file in (yield from files(_folder(plan)))}
    gone = tuple(Outcome(i.id, Fate.GONE, Foreign(b"not kept any more")) for i in plan.items if i.id not in there)
    return tuple(item for item in plan.items if item.id in there), gone


def _restore(plan: Plan, items: Sequence[Item]) -> Changing[None]:
    """Link into hold, then drop the kept link: Postfix does not deliver a file with two, and none is ever without."""
    back, drop = plan.steps
    linked = yield Put(back.argv, ids_of(items), timeout=_within(items))
    if linked.exit in (126, 127):
        linked.ok("xargs")
    queued = {file.id for file in (yield from files(_folder(plan))) if file.links > 1}
    there = [item for item in items if item.id in queued]
    if not there:
        linked.ok("ln")
        raise Refused("Restore", "no file could be linked into hold", "all are kept still")
    (yield Put(drop.argv, ids_of(there), timeout=_within(there))).ok("rm")


_BY_ROOT = Needs(binary=("find", "xargs"), root=True)
DELETE = Action(
    key="queue.delete",
    letter="",
    label="Delete",
    danger=Danger.DESTRUCTIVE,
    undo="queue.restore",
    program=("postsuper", "-d"),
    sources=frozenset({Queue.INCOMING, Queue.ACTIVE, Queue.DEFERRED, Queue.HOLD}),
    done=frozenset(),
    expects="removed",
    undone_by="restore: the same files, on hold",
    stuck_in_delivery=True,
    look=_look,
    carry=_delete,
    reads=_read_deleted,
    judge=_judge,
)
RESTORE = Action(
    key="queue.restore",
    letter="",
    label="Restore",
    danger=Danger.REVERSIBLE,
    undo="",
    program=("ln",),
    sources=frozenset(),
    done=frozenset({Queue.HOLD}),
    expects="listed in hold",
    undone_by="delete",
    needs=_BY_ROOT,
    scope=Receipt,
    look=_look_for_kept,
    meant=_still_kept,
    carry=_restore,
)
