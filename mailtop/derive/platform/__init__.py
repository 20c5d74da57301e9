"""What only several targets together tell: one holder of the VIP, one writable database. A sibling file each."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from functools import cache

from mailtop.model.board import Block, Metric, Table
from mailtop.model.plugin import plugins
from mailtop.model.sample import Fact, Sample
from mailtop.model.snapshot import QueueState

TARGET = "platform"
"""What its blocks are of."""

HOLDER = "holder"
"""The fact that the top line shows: hosts by name, `none` where it is proven that there is none."""


@dataclass(frozen=True)
class Seen:
    """What is known at one moment. `hosts`: all that may be asked, in the platform's order; `blocks`: each as of now.

    `vips`: addresses that the configuration names. `queues`: of every Postfix.
    """

    hosts: tuple[str, ...]
    blocks: tuple[Block, ...]
    vips: tuple[str, ...] = ()
    queues: tuple[QueueState, ...] = field(default=())

    def of(self, probe: str) -> tuple[Block, ...]:
        """What one probe tells, of each of its targets."""
        return tuple(one for one in self.blocks if one.probe == probe)


@dataclass(frozen=True)
class Derived:
    """One block of the whole platform, from blocks of its targets. Nothing found: there is nothing to be shown.

    `of`: the probes that it rests on; while what they found is from different moments, a change is no trouble yet: it
    is judged when each has been asked anew. `order`: later ones see what earlier ones told.
    """

    name: str
    screen: str
    title: str
    find: Callable[[Seen], Iterable[Sample | Fact | Table]]
    metrics: tuple[Metric, ...] = ()
    of: tuple[str, ...] = ()
    order: int = 50


@cache
def derived() -> tuple[Derived, ...]:
    """All that is derived, in order."""
    return tuple(sorted(plugins(__name__, Derived), key=lambda one: one.order))


def host_of(target: str) -> str:
    """Return the host that a target is on, or is.

    >>> host_of("mail1/maildb")
    'mail1'
    """
    return target.partition("/")[0]
