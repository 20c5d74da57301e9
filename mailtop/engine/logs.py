"""The logs of everything that runs: followed, and their last lines kept for whoever looks."""

from __future__ import annotations

from msgspec.structs import replace

from mailtop.engine.clock import Clock
from mailtop.engine.follow import GATHER, Follower
from mailtop.engine.link import Link
from mailtop.ledger.log_ring import LogRing
from mailtop.model.ask import Chunk, Follow
from mailtop.model.log import LogWindow
from mailtop.model.snapshot import Health, LogState, Page, PageAsk
from mailtop.model.topology import Target

LATELY = 900
"""Seconds of a log that are read back where no book is made of it: so much leads up to what somebody looks into."""


class Logs:
    """Belongs to the engine's loop. `driven`: a recording is played, which holds only the logs that were followed."""

    def __init__(self, clock: Clock, history: int, *, driven: bool) -> None:
        self._ring = LogRing()
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
        follow = Follow("docker", since=since, timed=True)
        gather = 0.0 if self._driven else GATHER
        return Follower(target, follow, link, self._clock, lambda _: None, self._take, gather)

    def keep(self, target: Target, chunk: Chunk, ahead: float = 0.0) -> None:
        """Keep lines. `ahead`: how many seconds the host's clock is ahead of ours, where that is known."""
        last = chunk.stamp - ahead if chunk.stamp else self._clock.now()
        self._ring.add(target.name, chunk.lines, last, chunk.times if not ahead else b"", ahead)

    def page(self, ask: PageAsk) -> Page:
        """One window of all lines. Raises UsageError for a filter that means nothing."""
        log = self._ring.page(ask.where, ask.window or LogWindow(back=ask.limit))
        return Page(ask, self._ring.version, log.held, self._clock.now(), "log", log=log)

    def state(self, follower: Follower[None], lost: str) -> LogState | None:
        """How a log is that no book reads; None where a recording does not have it. `lost`: why its host is not up."""
        state = follower.state
        if self._driven and not state.lines:
            return None
        return replace(state, health=Health.UNKNOWN, note=lost) if lost else state

    def _take(self, target: Target, _: None, chunk: Chunk) -> None:
        if chunk.lines:
            self.keep(target, chunk)
