"""What is asked of a target. A sibling file holds one thing asked, and exposes it as one constant.

A probe is a generator without I/O: it yields asks, is sent answers, and returns what it found. Adding one is one new
file and its cases in `tests/probe/cases`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Protocol

from mailtop.config import Settings
from mailtop.model.ask import Answer, Asking, Command, Engine
from mailtop.model.board import Metric, Table, Trend
from mailtop.model.destination import Standings
from mailtop.model.needs import Needs
from mailtop.model.plugin import plugins
from mailtop.model.sample import Event, Fact, Sample
from mailtop.model.topology import Role, Target
from mailtop.parse.postqueue import Listing

__all__ = [
    "Board",
    "Cost",
    "Found",
    "Listener",
    "Listening",
    "Metric",
    "Needs",
    "Poll",
    "Probe",
    "Table",
    "Trend",
    "listeners",
    "probes",
]

NOTHING = Needs()

Found = Sample | Fact | Event | Listing | Standings | Table
"""What a probe can find. Samples and facts carry no time: the engine stamps them."""

Cost = Callable[[tuple[Found, ...], float], float]
"""CPU seconds that a run cost the host, from what it found and how long it took: the budget stretches its interval."""


def _little(found: tuple[Found, ...], took: float) -> float:  # noqa: ARG001
    """A program or two: how long it took is mostly the way, and tells nothing about the host's CPU."""
    return 0.015


@dataclass(frozen=True)
class Board:
    """Where what a probe finds is shown, and how it is judged. `screen`: by name; `title`: one or two words.

    Samples without a metric are kept as series, and not shown. `order`: among the blocks of a target. `aside`: what it
    shows stands there alone: a command that prints the queue, or acts on it, does not wait for it. `trends`: what may
    run out, of which the engine tells when, as far as it can. `misses`: a metric's name, of which there is a sample for
    each thing that is there; one that is there no more is told as 0 for a day.
    """

    screen: str
    title: str
    metrics: tuple[Metric, ...] = ()
    order: int = 50
    aside: bool = True
    trends: tuple[Trend, ...] = ()
    misses: str = ""


Run = Callable[[Target], Asking[Iterable[Found]]]
"""A fresh conversation with one target."""


@dataclass(frozen=True)
class Probe:
    """One thing asked. `role`: of the targets it is for, or several, None = the host itself.

    `by_settings`: how it runs on a platform whose settings say more than it can find; `run` is as if they said nothing.

    `every`: seconds between runs. `run(target)` returns a fresh conversation; whatever it raises from `MailtopError`
    makes its cells unknown or denied, never zero. `board`: where it is shown, None: nowhere by itself.
    """

    name: str
    role: Role | tuple[Role, ...] | None
    run: Run
    every: float = 10.0
    needs: Needs = NOTHING
    cost: Cost = _little
    board: Board | None = None
    by_settings: Callable[[Settings], Run] | None = None

    def is_for(self, target: Target) -> bool:
        """Is this asked of a target: by its roles, or of the host itself?"""
        if self.role is None:
            return target.name == target.host
        roles = self.role if isinstance(self.role, tuple) else (self.role,)
        return any(role in target.roles for role in roles)


class Listening(Protocol):
    """What one log has told so far."""

    def read(self, lines: Sequence[bytes], times: Sequence[float]) -> None:
        """Take whole lines in the order of the log, each with its time, seconds since the epoch by our clock."""

    def found(self, now: float) -> Iterable[Found]:
        """Return what is to be shown now."""


@dataclass(frozen=True)
class Listener:
    """What is gathered from the log of each target of a role. `begin` returns a fresh one for a log from its start."""

    name: str
    role: Role
    begin: Callable[[], Listening]
    board: Board


class Poll(Probe):
    """The common probe: one constant ask, and a pure reader of its answer."""

    def __init__(
        self,
        name: str,
        role: Role | None,
        ask: Command | Engine,
        read: Callable[[Answer], Iterable[Found]],
        every: float = 10.0,
        needs: Needs = NOTHING,
        cost: Cost = _little,
        board: Board | None = None,
    ) -> None:
        def run(target: Target) -> Asking[Iterable[Found]]:  # noqa: ARG001 — the same question to all of its role
            answer = yield ask
            return tuple(read(answer))

        super().__init__(name, role, run, every, needs, cost, board)


@cache
def probes() -> tuple[Probe, ...]:
    """All probes there are."""
    return plugins(__name__, Probe)


@cache
def listeners() -> tuple[Listener, ...]:
    """All that is gathered from logs which no book is made of."""
    return plugins(__name__, Listener)
