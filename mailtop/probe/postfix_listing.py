"""The whole queue, as `postqueue -j` lists it.

It costs the host a file read for each message, by one single-threaded showq: 45 to 65 µs of CPU with all in the page
cache, many times that from a cold disk. So it says what it cost, and the budget decides when it runs again; the
operator may ask for one at any time.
"""

from __future__ import annotations

from collections.abc import Iterable

from mailtop.model.ask import Asking
from mailtop.model.topology import Role, Target
from mailtop.parse.postqueue import Listing
from mailtop.parse.queue_list import listed
from mailtop.probe import Found, Needs, Probe

COST = 60e-6
"""Seconds of host CPU a message."""


def run(target: Target) -> Asking[Iterable[Found]]:
    """List; the engine puts the time on it."""
    return ((yield from listed(target.instance)),)


def cost(found: tuple[Found, ...], took: float) -> float:  # noqa: ARG001 — most of the time is the wire's
    """What the listing cost, from its length."""
    return 0.02 + COST * sum(len(one) for one in found if isinstance(one, Listing))


PROBE = Probe("postfix_listing", Role.MTA, run, every=10.0, needs=Needs(binary=("postqueue",)), cost=cost)
