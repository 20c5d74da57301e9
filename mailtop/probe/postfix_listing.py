"""The whole queue, as `postqueue -j` lists it.

It costs the host a file read for each message, by one single-threaded showq: 45 to 65 µs of CPU with all in the page
cache, many times that from a cold disk. So it says what it cost, and the budget decides when it runs again; the
operator may ask for one at any time.
"""

from __future__ import annotations

from collections.abc import Iterable

from mailtop.model.ask import Asking, Command
from mailtop.model.topology import Role, Target
from mailtop.parse.postqueue import Listing, ListingReader
from mailtop.probe import Found, Needs, Probe

COST = 60e-6
"""Seconds of host CPU a message."""

ASK = Command(("postqueue", "-j"), timeout=600.0, large=True, limit=1 << 30)
REMEDY = "add the user to group postdrop, or allow it in authorized_mailq_users"


def run(target: Target) -> Asking[Iterable[Found]]:  # noqa: ARG001 — the same question to all
    """List. The engine, which knows the time, puts it on the listing by asking the reader itself where it streams."""
    answer = yield ASK
    reader = ListingReader()
    reader.feed(answer.ok("postqueue -j", REMEDY if b"not authorized" in answer.stderr else ""))
    return (reader.finish(0.0, answer.cut),)


def cost(found: tuple[Found, ...], took: float) -> float:  # noqa: ARG001 — most of the time is the wire's
    """What the listing cost, from its length."""
    return 0.02 + COST * sum(len(one) for one in found if isinstance(one, Listing))


PROBE = Probe("postfix_listing", Role.MTA, run, every=30.0, needs=Needs(binary=("postqueue",)), cost=cost)
