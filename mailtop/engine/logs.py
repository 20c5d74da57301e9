"""The logs of everything that runs: followed, and their last lines kept for whoever looks."""

from __future__ import annotations

import asyncio
from array import array
from collections.abc import Callable

from msgspec.structs import replace

from mailtop.engine.clock import Clock
from mailtop.engine.follow import GATHER, Follower
from mailtop.engine.link import Link
from mailtop.ledger.log_ring import Found, LogRing, Looking
from mailtop.model.ask import Chunk, Follow
from mailtop.model.log import LogWindow
from mailtop.model.snapshot import Health, LogState, Page, PageAsk
from mailtop.model.topology import Target
from mailtop.parse.log_times import zone_of_lines

LATELY = 900
"""Seconds of a log that are read back where no book is made of it: so much leads up to what somebody looks into."""

Heard = Callable[[Target, bytes, float, bytes], None]
"""Takes whole lines of a target's log, the last one's time, and the times of all as doubles, empty where not known."""


class Logs:
    """Belongs to the engine's loop. `driven`: a recording is played, which holds only the logs that were followed.

    `ahead`: how many seconds a host's clock is ahead of ours, 0.0 where nobody knows that it is. `heard` is given all
    lines that are kept.
    """

    def __init__(
        self,
        clock: Clock,
        history: int,
        ahead: Callable[[str], float],
        heard: Heard = lambda target, lines, last, times: None,  # noqa: ARG005
        *,
        driven: bool,
    ) -> None:
        self._ring = LogRing()
        self._ahead = ahead
        self._heard = heard
        self._clock = clock
        self._lately = min(LATELY, history)
        self._driven = driven

    @property
    def version(self) -> int:
        """Grows with every line that is kept."""
        return self._ring.version

    def follower(self, target: Target, link: Link) -> Follower[None]:
        """What follows a log that is only kept."""
        since = 1 if self._driven else max(1, int(self._clock.now()) - self._lately)
        follow = Follow("docker", since=since, timed=True, spare=True)
        gather = 0.0 if self._driven else GATHER
        return Follower(target, follow, link, self._clock, lambda _: None, self._take, gather)

    def keep(self, target: Target, chunk: Chunk) -> None:
        """Keep lines, their times by our clock."""
        ahead, times, zone = self._ahead(target.host), chunk.times, None
        if times and ahead:
            times = array("d", [at - ahead for at in array("d", times)]).tobytes()
        if chunk.stamp and not times:
            zone = zone_of_lines(chunk.lines, chunk.stamp)
        last = chunk.stamp - ahead if chunk.stamp else self._clock.now()
        self._ring.add(target.name, chunk.lines, last, times, ahead, zone)
        self._heard(target, chunk.lines, last, times)

    async def page(self, ask: PageAsk) -> Page:
        """One window of all lines. Raises UsageError for a filter that means nothing."""
        version = self._ring.version
        log = await _unhurried(self._ring.look(ask.where, ask.window or LogWindow(back=ask.limit)))
        return Page(ask, version, log.held, self._clock.now(), "log", log=log)

    def state(self, follower: Follower[None], lost: str) -> LogState | None:
        """How a log is that no book reads; None where a recording does not have it. `lost`: why its host is not up."""
        state = follower.state
        if self._driven and not state.lines:
            return None
        return replace(state, health=Health.UNKNOWN, note=lost) if lost else state

    def _take(self, target: Target, _: None, chunk: Chunk) -> None:
        if chunk.lines:
            self.keep(target, chunk)


async def _unhurried(looking: Looking[Found]) -> Found:
    """Let everybody else have the loop at each pause."""
    while True:
        try:
            next(looking)
        except StopIteration as ended:
            found: Found = ended.value
            return found
        await asyncio.sleep(0)
