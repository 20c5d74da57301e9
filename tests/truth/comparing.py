"""The engine's book beside the log's own truth."""

from __future__ import annotations

import asyncio
from collections import Counter
from math import inf

from maillab.lab import Lab

from mailtop.ledger.book import Ledger
from mailtop.ledger.entry import STATUSES
from mailtop.ledger.hops import HOPS
from tests.truth.log_truth import Truth, truth_of
from tests.truth.watching import Watching

CALM = ("deferred", "hold")  # queues in which nothing happens for the next minutes


def told_by(book: Ledger) -> Truth:
    """What mailtop has counted."""
    width = len(STATUSES)
    attempts = {
        (hop.value, word): book.attempts[row * width + status]
        for row, hop in enumerate(HOPS)
        for status, word in enumerate(STATUSES)
    }
    return Truth(+Counter(attempts), +Counter(book.refusals.codes), book.accepted)


async def assert_counters_equal_the_log(
    watched: Watching, lab: Lab, target: str, container: str, within: float = 60.0
) -> Truth:
    """Wait until the mail has come to rest and the log has been read; then every counter equals the truth."""
    where = "mail2" if container.startswith("mail2/") else "mail1"
    truth, book = Truth(), watched.book(target)

    async def rests() -> bool:
        queue = await asyncio.to_thread(lab.queue, where)
        return all(entry["queue_name"] in CALM for entry in queue)

    async def agree() -> bool:
        nonlocal truth
        truth = await asyncio.to_thread(truth_of, lab, container, watched.since(target))
        told = told_by(book)
        return (told.deliveries, told.rejects) == (truth.deliveries, truth.rejects)

    try:
        async with asyncio.timeout(within):
            async for _ in watched.engine.snapshots():
                if await rests() and await agree():
                    break
    except TimeoutError:
        assert told_by(book) == truth
    book.settle(inf)  # nothing is under way: who may have been the filter was not
    assert told_by(book) == truth
    return truth
