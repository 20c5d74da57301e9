"""What an act is meant to hit: exactly what the screen shows, in the engine's terms and in words.

A stranger's text goes into a selection as it is, never into words that are parsed again.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from msgspec.structs import replace

from mailtop.model.errors import Refused
from mailtop.model.mail import QueueEntry
from mailtop.model.operation import Selection
from mailtop.model.snapshot import Cause, PageAsk, Shape
from mailtop.model.text import shown
from mailtop.ui.figures import count
from mailtop.ui.ink import cut
from mailtop.ui.level import Level, plural


class Meant(NamedTuple):
    """One selection, in words, and how many messages the screen showed for it (None where it cannot say)."""

    selection: Selection
    words: str
    shown: int | None


def meant(level: Level) -> list[Meant]:
    """Return what an act at a level would hit: the marks, all that match, or the row under the cursor.

    Raises Refused where the screen does not show what that would be.
    """
    rows = level.rows
    if level.error or not rows.known:
        raise Refused("", "these rows are not known, so nothing can be chosen", level.error)
    if rows.anchor is not None:
        raise Refused("", "a range is open", "end it with v or space, or drop it with u")
    if rows.everything:
        return _everything(level)
    marked = list(rows.marks.values())
    items = marked or ([] if rows.current is None else [rows.current])
    keys = tuple(item.key for item in items if isinstance(item, QueueEntry))
    if keys:
        words = plural(len(keys), "marked message") if marked else f"this message, {keys[0].id}"
        return [Meant(Selection(keys=keys), words, len(keys))]
    if level.ask.kind == "causes":
        return _causes(items)
    return [_domain(level, item) for item in items if isinstance(item, Shape)]


def cause_words(cause: Cause) -> str:
    """A cause in a few words: `outlook.test 5.7.1`."""
    return " ".join(filter(None, (cut(shown(cause.next_hop, 60), 24), cause.code))) or "no next hop"


def _everything(level: Level) -> list[Meant]:
    ask, rows = level.ask, level.rows
    if level.unknown:
        raise Refused("", "not every row is known, so there is no `all`", level.unknown)
    if ask.kind == "causes":
        return _causes(_all_loaded(level))
    narrowed = bool(ask.where.strip() or ask.cause or ask.domain is not None)
    total = rows.total if ask.kind == "messages" else sum(shape.total for shape in _all_loaded(level))
    selection = _of_page(ask, everything=not narrowed)
    which = plural(total, "message") if total == 1 else f"all {plural(total, 'message')}"
    return [Meant(selection, f"{'' if narrowed else 'the whole queue: '}{which}{_matching(ask, level)}", total)]


def _all_loaded(level: Level) -> list[Any]:
    """Every row of a level; refused while some are not loaded: they would be hit unseen."""
    rows = level.rows
    loaded = [item for item in map(rows.item, range(rows.total)) if item is not None]
    unique = {level.listing.identity(item): item for item in loaded}
    if len(unique) < rows.total:
        loaded_of = f"only {count(len(unique))} of {plural(rows.total, level.noun)} are loaded"
        raise Refused("", loaded_of, "scroll through them first, or filter")
    return list(unique.values())


def _causes(items: list[Any]) -> list[Meant]:
    """One selection for each cause; one that only bounced holds no mail that could be hit."""
    found = []
    for cause in items:
        waiting = cause.deferred + cause.active + cause.held
        if waiting:
            words = f"all {plural(waiting, 'message')} of the cause {cause_words(cause)}"
            found.append(Meant(Selection(cause=cause.id, target=cause.target), words, waiting))
    if items and not found:
        raise Refused("", "no mail waits for this: it has only bounced", "choose a cause with mail that waits")
    return found


def _domain(level: Level, shape: Shape) -> Meant:
    ask = replace(level.ask, domain=shape.domain)
    return Meant(_of_page(ask), f"all {plural(shape.total, 'message')}{_matching(ask, level)}", shape.total)


def _of_page(ask: PageAsk, everything: bool = False) -> Selection:
    """All that a page holds, by what it was asked by."""
    return Selection(where=ask.where, cause=ask.cause, target=ask.target, domain=ask.domain, everything=everything)


def _matching(ask: PageAsk, level: Level) -> str:
    """What narrows a page: ` to outlook.test, of the cause outlook.test 5.7.1, that match /sender:news`."""
    parts = [
        "" if ask.domain is None else f"to {shown(ask.domain, 60) or 'no domain'}",
        f"of the cause {level.cause or ask.cause}" if ask.cause else "",
        f"that match /{ask.where}" if ask.where.strip() else "",
        f"on {ask.target or 'every host'}",
    ]
    return " " + ", ".join(filter(None, parts))
