"""A page of rows: which books it rests on, and what is missing from it."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from msgspec.structs import replace

from mailtop.engine import pages
from mailtop.engine.mta import Mta
from mailtop.engine.watching import Watching
from mailtop.model.errors import UsageError
from mailtop.model.snapshot import Page, PageAsk


def page(watching: Watching, ask: PageAsk, now: float) -> Page:
    """Blocks, alerts, or rows of all queues or of one; raises UsageError for what there is not."""
    if ask.kind == "board":
        watching.attention.look(ask.where, watching.watches.values(), now)
        return watching.boards.page(ask, watching.watches, now)
    if ask.kind == "alerts":
        alerts = watching.alerts.rows()
        window = alerts[max(0, ask.offset) : max(0, ask.offset) + max(0, ask.limit)]
        return Page(ask, watching.alerts.version, len(alerts), now, "probes", alerts=window)
    books = [mta for mta in watching.mtas if ask.target in ("", mta.target.name)]
    if ask.target and not books:
        raise UsageError(ask.target[:60], "is no queue that mailtop knows", "name it as host/container")
    if ask.offset < 0 or ask.limit < 0:
        raise UsageError("page", "begins or ends before the first row")
    if ask.kind == "flow":
        blocks = watching.boards.page(replace(ask, where="flow"), watching.watches, now)
        flow, unknown = watching.flow(books, now), "" if books else "no Postfix found yet"
        version = watching.versions["flow"]
        return Page(ask, version, 1, now, "log", unknown or flow.unknown, flow=flow, blocks=blocks.blocks)
    lacking = {mta.target.name: why for mta in books if (why := watching.unknown(mta))}
    known = min((mta.known()[1] for mta in books), default=0.0)
    version = watching.versions.get(ask.kind, 0)
    empty = Page(ask, version, 0, known, _rests(books), unknown=_unknown(books, lacking))
    if ask.kind == "causes":
        total, causes = pages.causes(ask, [partial(mta.page_causes, now=now) for mta in books])
        return replace(empty, total=total, causes=causes)
    if ask.kind == "shape":
        total, shapes = pages.shape(ask, [partial(mta.page_shape, now=now) for mta in books])
        return replace(empty, total=total, shapes=shapes)
    if ask.kind == "messages":
        total, rows = pages.messages(ask, [partial(mta.page_messages, now=now) for mta in books])
        return replace(empty, total=total, messages=rows)
    raise UsageError(f"page {ask.kind[:20]!r}", "is none", "use causes, shape, messages, flow, logs, alerts or board")


def _rests(books: Sequence[Mta]) -> str:
    """What rows rest on: the least of what each queue's do."""
    rests = {mta.known()[0] for mta in books}
    return next((word for word in ("log", "cut") if word in rests), "listing" if books else "log")


def _unknown(books: Sequence[Mta], unknown: dict[str, str]) -> str:
    """Why rows are missing, in one line."""
    if not books:
        return "no Postfix found yet"
    return "; ".join(f"{name}: {why}" if len(books) > 1 else why for name, why in unknown.items())
