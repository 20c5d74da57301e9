"""From one configuration to the next: made beside the live one, then moved into its place, file by file.

All new bytes are made and hashed in a folder of ours before a live file is touched; each live file is replaced by one
rename; after each, `postfix check` and a reload. A new service is known before anything leads to it, and gone after
nothing does: so whoever stops in the middle leaves a Postfix that runs as before, or as meant. What is under way is
written down first, and can be finished or taken back by anyone who comes later.

    config_directory/mailtop/            0700
        state.json                       what is in force
        before/{main,master}.cf          the files before the first change
        pending/                         a change under way; making the folder is the lock
            plan.json                    what, by whom, both files' hashes before and after
            old/ new/ state.new          both files before, after; what will be in force
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from mailtop.model.ask import Answer, Asking, Changing, Command, Put
from mailtop.model.destination import FILES, Hashes, InForce, UnderWay
from mailtop.model.errors import AskFailed, CommandFailed, Denied, HalfWay, Missing, ParseError, Refused
from mailtop.model.operation import Step, Work
from mailtop.parse.postfix_instance import instance_words
from mailtop.parse.postfix_settings import hashes
from mailtop.parse.standing import FOLDER, Kept, noted, written

CHECKED = 300.0  # seconds: `postfix check` looks at the whole queue's owners
_SAID_NO = (CommandFailed, Denied, Missing)


class Paths(NamedTuple):
    """Where everything is, under one instance's config_directory."""

    config: str

    @property
    def folder(self) -> str:
        """Ours."""
        return f"{self.config}/{FOLDER}"

    @property
    def pending(self) -> str:
        """A change under way."""
        return f"{self.folder}/pending"

    def both(self, place: str) -> tuple[str, ...]:
        """Both files in a folder."""
        return tuple(f"{place}/{file}" for file in FILES)

    @property
    def instance(self) -> tuple[str, ...]:
        """What names the instance to Postfix's programs."""
        return instance_words(self.config)


# looking


def look(config: str) -> Asking[tuple[Kept, Hashes]]:
    """Ask what is in force, what is under way, and what the live files are."""
    paths = Paths(config)
    found = yield from noted(config)
    links = (yield Command(("find", *paths.both(config), "-type", "l"))).ok("find")
    if links.strip():
        raise Refused(config, "main.cf or master.cf is a link", "mailtop replaces files, so it leaves links alone")
    return found, (yield from _hashed(paths.both(config)))


def _hashed(files: tuple[str, ...]) -> Asking[Hashes]:
    found = tuple(hashes((yield Command(("sha256sum", "--", *files))).ok("sha256sum", "only root may read them")))
    if len(found) != len(FILES):
        raise ParseError("sha256sum", f"says nothing of {' or '.join(files)}")
    return Hashes(*found)


# the commands, as they are shown and as they are sent


def commands(work: Work, config: str) -> tuple[Put, ...]:
    """Every changing command, in order; without what they read, which nobody knows before."""
    paths = Paths(config)
    if work.base == "done":
        return tuple(_forget(work, paths))
    if work.resumes == "undo":
        back = [put for file in work.order[::-1] for put in _put_back(paths, file)] if work.will else []
        return (*back, *_forget(work, paths))
    swaps = [put for file in work.order for put in _swap(paths, file, f"{paths.pending}/new")]
    if work.resumes == "finish":
        return (*swaps, *_close(paths, drops=work.base == "drop"))
    notes_ = _notes(paths, b"" if work.base != "drop" else None, b"")
    staged = (*_begin(paths), *_note(paths), *_stage(work, paths), *notes_)
    return (*staged, *swaps, *_close(paths, drops=work.base == "drop"))


def steps(work: Work, target: str, config: str, expects: str, undo: str) -> tuple[Step, ...]:
    """The steps of a plan; the last one carries what is expected, and what undoes it."""
    puts = commands(work, config)
    last = len(puts) - 1
    return tuple(
        Step(
            target,
            put.argv,
            "mailtop's note" if put.argv[0] == "tee" else "",
            expects if number == last else "",
            undo if number == last else "",
        )
        for number, put in enumerate(puts)
    )


def _begin(paths: Paths) -> Iterator[Put]:
    yield Put(("install", "-d", "-m", "700", "--", paths.folder))
    yield Put(("mkdir", "-m", "700", "--", paths.pending))


def _note(paths: Paths, note: UnderWay | None = None) -> Iterator[Put]:
    return _notes(paths, None, written(note) if note else b"")


def _stage(work: Work, paths: Paths) -> Iterator[Put]:
    old, new = f"{paths.pending}/old", f"{paths.pending}/new"
    source = f"{paths.folder}/before" if work.source == "before" else old
    yield Put(("install", "-d", "-m", "700", "--", old, new))
    yield Put(("cp", "-p", "--", *paths.both(paths.config), old))
    yield Put(("cp", "-p", "--", *paths.both(source), new))
    for edit in work.edits:
        yield Put(("postconf", "-c", new, *edit))
    if work.base == "new":
        before = f"{paths.folder}/before"
        yield Put(("install", "-d", "-m", "700", "--", before))
        yield Put(("cp", "-p", "--", *paths.both(old), before))


def _swap(paths: Paths, file: str, place: str) -> Iterator[Put]:
    yield Put(("mv", "-f", "--", f"{place}/{file}", f"{paths.config}/{file}"))
    yield Put(("postfix", *paths.instance, "check"), timeout=CHECKED)
    yield Put(("postfix", *paths.instance, "reload"))


def _close(paths: Paths, *, drops: bool) -> Iterator[Put]:
    if drops:
        yield Put(("rm", "-rf", "--", f"{paths.folder}/state.json", f"{paths.folder}/before"))
        yield Put(("rm", "-rf", "--", paths.pending))
        yield Put(("rmdir", "--", paths.folder))
    else:
        yield Put(("mv", "-f", "--", f"{paths.pending}/state.new", f"{paths.folder}/state.json"))
        yield Put(("rm", "-rf", "--", paths.pending))


# carrying out


def recheck(work: Work, config: str) -> Asking[None]:
    """Ask whether everything still is as it was when the work was planned; raises Refused where it is not."""
    standing, now = yield from look(config)
    if work.resumes:
        begun = standing.under_way
        if not standing.begun or (begun is not None and begun.was != work.was):
            raise Refused(work.domain, "what was left half-way is not there any more", "nothing was changed")
    elif standing.begun:
        raise Refused(work.domain, "another change has begun since the preview", "see :destinations")
    elif now != work.was:
        raise Refused(config, "was edited since the preview", "nothing was changed; preview again")


def carry_out(work: Work, config: str, note: UnderWay) -> Changing[None]:
    """Change the configuration, or leave it as it was and raise what stopped it.

    `note`: what was begun, without the hashes to come. Where a program says no, all is put back before its word is
    raised; where the connection is lost, nothing more can be asked, and the note stays for whoever comes next.
    """
    paths = Paths(config)
    if work.resumes:
        yield from _or_half_way(work, _finish(work, paths) if work.resumes == "finish" else take_back(work, paths))
        return
    for put in _begin(paths):
        yield from _done(put)
    will, replaced = work.was, list[str]()
    try:
        for put in _note(paths, note):
            yield from _done(put)
        for put in _stage(work, paths):
            yield from _done(put)
        if (yield from _hashed(paths.both(f"{paths.pending}/old"))) != work.was:
            raise Refused(config, "was edited since the preview", "nothing was changed; preview again")
        will = yield from _hashed(paths.both(f"{paths.pending}/new"))
        yield from _write(paths, work, _told(note, work, will))
        for file in work.order:
            if _of(file, (yield from _hashed(paths.both(config)))) != _of(file, work.was):
                raise Refused(f"{config}/{file}", "was edited meanwhile", "that edit stays; preview again")
            replaced.append(file)
            for put in _swap(paths, file, f"{paths.pending}/new"):
                yield from _done(put)
    except (*_SAID_NO, Refused, ParseError):
        yield from _or_half_way(work, _back(work, paths, will, replaced))
        raise
    yield from _or_half_way(work, _closed(work, paths))


def _closed(work: Work, paths: Paths) -> Changing[None]:
    for put in _close(paths, drops=work.base == "drop"):
        yield from _done(put)


def _or_half_way(work: Work, going: Changing[None]) -> Changing[None]:
    """Go on; what says no now is not put back any more, and nobody may think that it was."""
    try:
        yield from going
    except (*_SAID_NO, ParseError) as error:
        raise HalfWay(work.domain, f"left half-way: {error.thing}: {error.reason}", "see :destinations") from error


def _told(note: UnderWay, work: Work, will: Hashes) -> UnderWay:
    return UnderWay(note.action, note.domain, note.by, note.at, work.order, work.was, will, drops=work.base == "drop")


def _write(paths: Paths, work: Work, note: UnderWay) -> Changing[None]:
    """What will be in force, then, by one rename, that it is about to be."""
    assert note.will is not None  # noqa: S101  (told to mypy: the caller has just put it in)
    state = None
    if not note.drops:
        before = work.was if work.base == "new" else work.before or work.was
        state = written(InForce(before, note.will, work.exact, work.after))
    for put in _notes(paths, state, written(note)):
        yield from _done(put)


def _notes(paths: Paths, state: bytes | None, plan: bytes) -> Iterator[Put]:
    if state is not None:
        yield Put(("tee", "--", f"{paths.pending}/state.new"), state)
    yield Put(("tee", "--", f"{paths.pending}/plan.new"), plan)
    yield Put(("mv", "-f", "--", f"{paths.pending}/plan.new", f"{paths.pending}/plan.json"))


def _finish(work: Work, paths: Paths) -> Changing[None]:
    """Go on where somebody stopped: each file that is still the old one is replaced."""
    assert work.will is not None  # noqa: S101  (told to mypy: what touched nothing yet cannot be finished)
    if work.base == "done":
        for put in _forget(work, paths):
            yield from _done(put)
        return
    for file in work.order:
        live = _of(file, (yield from _hashed(paths.both(paths.config))))
        if live == _of(file, work.was):
            yield from _done(next(iter(_swap(paths, file, f"{paths.pending}/new"))))
        elif live != _of(file, work.will):
            raise Refused(f"{paths.config}/{file}", "was edited since", "look at it, then restore or edit by hand")
        for put in list(_swap(paths, file, ""))[1:]:
            yield from _done(put)
    yield from _closed(work, paths)


def take_back(work: Work, paths: Paths) -> Changing[None]:
    """Put back what a change that stopped in the middle has replaced, in the opposite order, then forget it."""
    for file in work.order[::-1]:
        live = _of(file, (yield from _hashed(paths.both(paths.config))))
        if work.will is None or live == _of(file, work.was):
            continue
        if live != _of(file, work.will):
            raise Refused(f"{paths.config}/{file}", "was edited since", f"compare it with {paths.pending}/old/{file}")
        for put in _put_back(paths, file):
            yield from _done(put)
    for put in _forget(work, paths):
        yield from _done(put)


def _back(work: Work, paths: Paths, will: Hashes, replaced: list[str]) -> Changing[None]:
    """All as it was, whatever a reload says meanwhile: the first refusal is what the operator is told.

    Where somebody has edited what was replaced, nothing is put back: the other file may be needed by it.
    """
    now = (yield from _hashed(paths.both(paths.config))) if replaced else work.was
    for file in replaced[::-1]:
        if _of(file, now) == _of(file, work.was):
            continue
        if _of(file, now) != _of(file, will):
            edited = f"left half-way, for {paths.config}/{file} was edited since it was replaced"
            raise HalfWay(work.domain, edited, f"compare it with {paths.pending}/old/{file}, then :destinations")
        copied, moved, _, reloaded = _put_back(paths, file)
        yield from _done(copied)
        yield from _done(moved)
        yield reloaded
    yield from _forget(work, paths)


def _put_back(paths: Paths, file: str) -> tuple[Put, ...]:
    copied = Put(("cp", "-p", "--", f"{paths.pending}/old/{file}", f"{paths.pending}/{file}"))
    return copied, *_swap(paths, file, paths.pending)


def _forget(work: Work, paths: Paths) -> Iterator[Put]:
    if work.base == "new":
        yield Put(("rm", "-rf", "--", f"{paths.folder}/before"))
    yield Put(("rm", "-rf", "--", paths.pending))
    if work.base == "new":
        yield Put(("rmdir", "--", paths.folder))


def _of(file: str, of: Hashes) -> str:
    return of.main if file == FILES[0] else of.master


def _done(put: Put) -> Changing[Answer]:
    answer: Answer = yield put
    try:
        answer.ok(" ".join(put.argv[:2]) if put.argv[0] in ("postfix", "postconf") else put.argv[0])
    except AskFailed as error:
        if put.argv[0] == "mkdir" and b"exists" in answer.stderr:
            raise Refused(
                "destination", "another change is under way, or was left half-way", "see :destinations"
            ) from error
        raise
    return answer
