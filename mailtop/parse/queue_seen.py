"""The messages behind ids, as Postfix has them now: each by itself, or all by one listing."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress

from mailtop.model.ask import Answer, Asking, Command
from mailtop.model.errors import AskFailed, Denied, ParseError
from mailtop.model.mail import queue_id
from mailtop.parse.postfix_instance import instance_words
from mailtop.parse.postsuper import Seen, envelopes
from mailtop.parse.queue_list import listed

FEW = 200
"""So many ids are read one by one where that is cheaper than listing the whole queue."""

BY_ID, BY_LISTING = 8e-3, 60e-6
"""Seconds of host CPU to read one id with postcat, and for each message of a listing."""


def seen(instance: str, ids: Sequence[str], queued: int | None = None) -> Asking[dict[str, Seen]]:
    """Ask for the messages behind ids in whichever way costs the host less; those that are gone are missing.

    `instance`: Postfix's config_directory. `queued`: messages in the whole queue, where known.
    """
    if len(ids) <= FEW and (queued is None or len(ids) * BY_ID <= queued * BY_LISTING):
        found = yield from _one_by_one_or_listed(instance, ids)
    else:
        found = yield from _by_listing(instance, ids)
    missing = [id_ for id_ in ids if id_ not in found]
    if 0 < len(missing) <= FEW:  # a file that moves from queue to queue while we look can be missed once
        with suppress(Denied):
            found |= yield from _one_by_one(instance, missing)
    return found


def _one_by_one_or_listed(instance: str, ids: Sequence[str]) -> Asking[dict[str, Seen]]:
    """Only root may read a queue file; a listing, which more may have, tells the same of it."""
    try:
        return (yield from _one_by_one(instance, ids))
    except Denied as denied:
        try:
            return (yield from _by_listing(instance, ids))
        except AskFailed:
            raise denied from None


def _by_listing(instance: str, ids: Sequence[str]) -> Asking[dict[str, Seen]]:
    listing = yield from listed(instance)
    if listing.cut:
        raise ParseError("postqueue -j", "the queue is longer than can be read back", "act on fewer at a time")
    wanted = {id_.encode(): id_ for id_ in ids}
    found: dict[str, Seen] = {}
    for row, text in enumerate(listing.ids):
        if text in wanted:
            entry = listing.entry(row, "")
            found[wanted[text]] = Seen(entry.key.id, entry.queue.value, entry.sender, entry.arrival, entry.recipients)
    return found


def _one_by_one(instance: str, ids: Sequence[str]) -> Asking[dict[str, Seen]]:
    """postcat gives up at the first id that is gone, so each gets its own; xargs goes on to the next."""
    postcat = ("postcat", *instance_words(instance), "-qe")
    answer = yield Command(
        ("printf", "%s\\n", *map(queue_id, ids)),
        pipe=(("env", "TZ=UTC", "LC_ALL=C", "xargs", "-n", "1", *postcat),),
        timeout=60.0,
        large=True,
        limit=64 << 20,
    )
    found: dict[str, Seen] = {one.id: one for one in envelopes(answer.stdout)}
    if not found and answer.exit not in (0, 123):  # 123: postcat failed for some, which is what gone looks like
        answer.ok("postcat", "reading a queue file needs root")
    refused = [line for line in answer.stderr.splitlines() if line and b"No such file or directory" not in line]
    if refused:
        Answer(b"", refused[-1], 1).ok("postcat", "reading a queue file needs root")
    return found
