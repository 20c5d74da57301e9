"""What an act would do, on each target that it concerns: the previews of a selection, or of an undo."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Sequence

from msgspec.structs import replace

from mailtop.engine.changing import domain_meant, is_destination_act
from mailtop.engine.executor import Executor, is_queue_act
from mailtop.engine.mta import Mta
from mailtop.engine.watching import Watching
from mailtop.model.destination import Terms
from mailtop.model.errors import MailtopError, Refused
from mailtop.model.operation import Preview, Selection

OLD_LISTING = 60.0  # seconds: an act that rests on an older listing says so


async def planned(
    watching: Watching, executor: Executor, action: str, selection: Selection, now: float
) -> tuple[Preview, ...]:
    """A preview for each target of the selection; raises Refused where it says not on what, or selects nothing."""
    if not selection.names_something:
        raise Refused(action, "says not on what", "mark rows with space, or set a filter that matches some")
    names = [mta.target.name for mta in watching.mtas if selection.target in ("", mta.target.name)]
    if is_destination_act(action):
        if selection.domain is None:
            raise Refused(action, "says not for which domain", "choose a row of the queue's shape, or --domain")
        domain, terms = domain_meant(action, selection.domain), selection.terms
        return await _all(action, [executor.plan_change(action, name, domain, terms) for name in names])
    if is_queue_act(action):
        return await _all(action, [executor.plan(action, name, ()) for name in names])
    chosen = [(mta, mta.select(selection, now)) for mta in watching.mtas]
    acts = [
        executor.plan(action, mta.target.name, mta.queue.items(rows), _age_of(mta, now)) for mta, rows in chosen if rows
    ]
    return await _all(action, acts)


async def undone(executor: Executor, receipt: str) -> tuple[Preview, ...]:
    """The preview of what puts back what a receipt says was done; raises Refused where nothing does."""
    done, items = executor.receipts.undoable(receipt)
    if is_destination_act(done.undo):
        domain = done.outcomes[0].id
        return (await executor.plan_change(done.undo, done.target, domain, Terms(), undoes=receipt),)
    return (await executor.plan(done.undo, done.target, items, undoes=receipt),)


async def _all(action: str, acts: Sequence[Awaitable[Preview]]) -> tuple[Preview, ...]:
    """The previews of all targets; those that cannot be planned are named where others can."""
    planned = await asyncio.gather(*acts, return_exceptions=True)
    previews = [one for one in planned if isinstance(one, Preview)]
    failed = [one for one in planned if isinstance(one, BaseException)]
    if failed and (not previews or not all(isinstance(one, MailtopError) for one in failed)):
        raise failed[0]
    if not previews:
        raise Refused(action, "nothing is selected", "mark rows with space, or set a filter that matches some")
    left_out = tuple(f"Left out: {error}." for error in failed)
    return tuple(replace(one, warnings=(*one.warnings, *left_out)) for one in previews)


def _age_of(mta: Mta, now: float) -> tuple[str, ...]:
    """A warning where what is selected rests on an old listing."""
    if mta.queue.listing is None or now - mta.listing_at < OLD_LISTING:
        return ()
    minutes = (now - mta.listing_at) / 60
    return (f"The listing is {minutes:.0f} min old: newer mail is not in this plan, and each id is read again first.",)
