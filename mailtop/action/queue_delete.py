"""Delete, and put back what was deleted; purge what is kept of it.

Source: postsuper(1) `-d`, and what Postfix 3.7 does. A message is put on hold, so that it stays where it is; its file
gets a second link in a folder of root's beside the queues; then it is deleted. It is the same file: what a delivery
that had begun writes into it meanwhile is there when it is put back, so nobody gets that mail twice. And while a file
is kept, its inode is taken, so that no other message can get its id. What does not come back is why it had waited:
Postfix notes that beside the file, until the next attempt.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import replace
from functools import partial
from typing import NamedTuple

from mailtop.action import Action, Evidence, Known, Looked, Needs, ids_of, numbered, seen, still_meant
from mailtop.model.ask import Asking, Changing, Command, Put
from mailtop.model.errors import ParseError, Refused
from mailtop.model.mail import Queue, queue_id
from mailtop.model.operation import Danger, Fate, Item, Outcome, Plan, Receipt, Step
from mailtop.model.text import Foreign, shown
from mailtop.model.topology import Target
from mailtop.parse.kept_files import FORMAT, KeptFile, kept_files
from mailtop.parse.postfix_instance import instance_words
from mailtop.parse.postsuper import named

FOLDER = "mailtop-kept"
"""In Postfix's queue_directory, which does not mind it: a link must lead to a file of the same filesystem."""

MOST = 1 << 30  # bytes kept in all; beyond that a delete keeps nothing, and says so
OLD = 7 * 86_400.0  # seconds; what is kept longer is for the purge

_HALF_WAY = b"not deleted, and on hold; its file may be kept too: delete it again, or purge-all, before a release"
_PLAIN = re.compile(r"/[A-Za-z0-9._/-]+")
_RECEIPT = re.compile(r"r[0-9a-f]+-\d+")


class _Spool(NamedTuple):
    """An instance's queue_directory, and why no file of it can be kept, empty where it can."""

    path: str
    why_not: str

    @property
    def kept(self) -> str:
        return f"{self.path}/{FOLDER}"


def _spool(plan: Plan) -> Asking[_Spool]:
    names = ("queue_directory", "hash_queue_names")
    answer = yield Command(("postconf", *instance_words(plan.identity.instance), "-h", *names))
    lines = answer.ok("postconf").splitlines()
    path = lines[0].decode("utf-8", "replace").strip() if lines else ""
    if not path.startswith("/"):
        raise ParseError("postconf", f"queue_directory is no path: {path[:60]!r}")
    hashed = lines[1].replace(b",", b" ").split() if len(lines) > 1 else []
    who = (yield Command(("id", "-u"))).stdout.strip()
    devices = (yield Command(("stat", "-c", "%d", path, f"{path}/hold"))).stdout.split()
    why = (
        (not _PLAIN.fullmatch(path), "the queue's path is no plain one"),
        (who != b"0", "only root can keep the files"),
        (b"hold" in hashed, "hold is in hash_queue_names here, so its files cannot be put back"),
        (len(devices) != 2 or devices[0] != devices[1], "hold is not on the queue's own filesystem"),
    )
    return _Spool(path, next((words for fails, words in why if fails), ""))


def _files(folder: str) -> Asking[tuple[KeptFile, ...]]:
    """Ask what is kept in a folder, or below it; a folder that is not there holds nothing."""
    stat = ("stat", "-c", FORMAT, "{}", "+")
    answer = yield Command(("find", folder, "-type", "f", "-exec", *stat), timeout=60.0, large=True, limit=64 << 20)
    if answer.exit and b"No such file" not in answer.stderr:
        answer.ok(folder, "only root may read what mailtop keeps there")
    if answer.cut:
        raise ParseError(folder, "holds more than can be read", "purge it")
    return tuple(kept_files(answer.stdout))


def _megabytes(sizes: Iterable[int]) -> str:
    return f"{sum(sizes) / 1e6:,.1f} MB"


# ── delete ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def _look(plan: Plan, known: Known) -> Asking[Looked]:  # noqa: ARG001 — it asks for itself
    spool = yield from _spool(plan)
    kept = () if spool.why_not else (yield from _files(spool.kept))
    why_not, size = spool.why_not, sum(item.size for item in plan.items)
    if not why_not and sum(file.size for file in kept) + size > MOST:
        had = _megabytes(file.size for file in kept)
        why_not = f"with {had} kept already, its {_megabytes((size,))} are too much to keep (queue.purge makes room)"
    hold, delete = (("postsuper", *instance_words(plan.identity.instance), flag, "-") for flag in ("-h", "-d"))
    ids, folder = numbered(plan.items), f"{spool.kept}/r{plan.id}"
    steps = [Step(plan.target, hold, ids, "listed in hold", "" if why_not else "restore: the same files, on hold")]
    if not why_not:
        steps += [
            Step(plan.target, ("mkdir", "-p", "-m", "0700", spool.kept, folder)),
            Step(plan.target, _linking(f"{spool.path}/hold", folder), ids, "a second link to each file"),
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
    kept = {file.id for file in (yield from _files(make.argv[-1])) if file.links > 1}
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
    spare = [file for file in (yield from _files(folder)) if file.links > 1 and file.id in ids]
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
        removed |= {file.id for file in (yield from _files(plan.steps[1].argv[-1])) if file.links == 1}
    now = yield from seen(plan, [item for item in items if item.id not in removed])
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
    spool = yield from _spool(plan)
    if not _RECEIPT.fullmatch(plan.undoes):
        raise Refused("Restore", f"no receipt of a delete: {plan.undoes[:40]!r}", "see :undo")
    if spool.why_not:
        raise Refused("Restore", spool.why_not)
    folder, ids = f"{spool.kept}/{plan.undoes}", numbered(plan.items)
    there = {file.id for file in (yield from _files(folder))}
    items = tuple(item for item in plan.items if item.id in there)
    if not items:
        raise Refused("Restore", f"nothing is kept in {folder} any more", "it was purged, or is restored already")
    missing = len(plan.items) - len(items)
    steps = (
        Step(plan.target, _linking(folder, f"{spool.path}/hold"), ids, "listed in hold", "delete"),
        Step(plan.target, ("xargs", "-I", "{}", "rm", "-f", f"{folder}/{{}}"), "those that are in hold", "one link"),
    )
    words = ("They come back on hold, the very same files under the same ids. A release sends them.",)
    return Looked(items, steps, (*words, *((f"{missing} are not kept any more.",) if missing else ())))


def _folder(plan: Plan) -> str:
    return plan.steps[0].argv[4].rpartition("/")[0]


def _still_kept(plan: Plan) -> Asking[tuple[tuple[Item, ...], tuple[Outcome, ...]]]:
    there = {file.id for file in (yield from _files(_folder(plan)))}
    gone = tuple(Outcome(i.id, Fate.GONE, Foreign(b"not kept any more")) for i in plan.items if i.id not in there)
    return tuple(item for item in plan.items if item.id in there), gone


def _restore(plan: Plan, items: Sequence[Item]) -> Changing[None]:
    """Link into hold, then drop the kept link: Postfix does not deliver a file with two, and none is ever without."""
    back, drop = plan.steps
    linked = yield Put(back.argv, ids_of(items), timeout=_within(items))
    if linked.exit in (126, 127):
        linked.ok("xargs")
    queued = {file.id for file in (yield from _files(_folder(plan))) if file.links > 1}
    there = [item for item in items if item.id in queued]
    if not there:
        linked.ok("ln")
        raise Refused("Restore", "no file could be linked into hold", "all are kept still")
    (yield Put(drop.argv, ids_of(there), timeout=_within(there))).ok("rm")


# ── purge ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def _look_for_old(plan: Plan, known: Known, older: float) -> Asking[Looked]:  # noqa: ARG001 — it asks for itself
    spool = yield from _spool(plan)
    files = yield from _files(spool.kept)
    items = tuple(_as_item(file) for file in files if plan.at - file.at >= older)
    if not items:
        longer = " that long" if older and files else ""
        raise Refused("Purge", f"no file of deleted mail is kept{longer} in {spool.kept}")
    steps = (
        Step(plan.target, ("xargs", "rm", "-f"), f"{len(items)} paths in {spool.kept} on stdin", "gone"),
        Step(plan.target, ("find", spool.kept, "-depth", *_EMPTY, "-exec", "rmdir", "{}", "+"), "", "no empty folder"),
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
    there = {(file.receipt, file.id) for file in (yield from _files(_kept_folder(plan)))}
    kept = tuple(item for item in plan.items if (item.queue, item.id) in there)
    gone = (item.id for item in plan.items if (item.queue, item.id) not in there)
    return kept, tuple(Outcome(number, Fate.GONE, Foreign(b"not kept any more")) for number in gone)


def _purge(plan: Plan, items: Sequence[Item]) -> Changing[None]:
    remove, tidy = plan.steps
    folder = _kept_folder(plan)
    paths = [f"{folder}/{item.queue}/{queue_id(item.id)}\n" for item in items if _RECEIPT.fullmatch(item.queue)]
    (yield Put(remove.argv, "".join(paths).encode("ascii"), timeout=_within(items))).ok("rm")
    yield Put(tidy.argv)  # an empty folder that stays does no harm


def _read_purged(plan: Plan, items: Sequence[Item], said: bytes) -> Asking[tuple[Outcome, ...]]:  # noqa: ARG001
    left = {(file.receipt, file.id) for file in (yield from _files(_kept_folder(plan)))}
    fates = (Fate.REFUSED if (item.queue, item.id) in left else Fate.DONE for item in items)
    return tuple(Outcome(item.id, fate) for item, fate in zip(items, fates, strict=True))


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
    needs=_BY_ROOT,
    scope=Target,
    look=partial(_look_for_old, older=OLD),
    meant=_still_there,
    carry=_purge,
    reads=_read_purged,
)
PURGE_ALL = replace(PURGE, key="queue.purge_all", label="Purge all kept files", look=partial(_look_for_old, older=0.0))
