"""One followed log: resumed after every cut, nothing lost that the source still has, nothing counted twice."""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Callable
from typing import Generic, TypeVar

from mailtop.engine.clock import Clock
from mailtop.engine.link import Backoff, Link
from mailtop.model.ask import Chunk, Follow, Source
from mailtop.model.errors import Denied, MailtopError, Missing
from mailtop.model.snapshot import Health, LogState
from mailtop.model.topology import Target

Batch = TypeVar("Batch")

HAND_OVER_WITHIN = 60.0  # the loop takes a batch in microseconds; this only ends a thread whose loop is gone
CONNECTING = "connecting to the log"

_log = logging.getLogger(__name__)


class Follower(Generic[Batch]):
    """Follows one log on one target. A thread reads and parses; each batch is handed once to the engine's loop."""

    def __init__(
        self,
        target: Target,
        follow: Follow,
        link: Link,
        clock: Clock,
        parse: Callable[[Chunk], Batch],
        deliver: Callable[[Target, Batch, Chunk], None],
    ) -> None:
        self.target = target
        self.state = LogState(target.name, follow.source, Health.UNKNOWN, note="not read yet")
        self._follow = follow
        self._link = link
        self._clock = clock
        self._parse = parse
        self._deliver = deliver
        self._lines = 0
        self._unreadable = 0
        self._gap = 0.0
        self._fault = ""
        self._cancelled = threading.Event()

    async def keep(self) -> None:
        """Follow for as long as there is a connection, and again after every end: until cancelled."""
        backoff = Backoff(0.5, 10.0)
        cancelled = self._cancelled = threading.Event()
        try:
            while True:
                await self._link.wait_up()
                before = self._lines
                self.say(Health.UNKNOWN, CONNECTING)
                try:
                    await self._read(self._link.source, cancelled)
                    self.say(Health.UNKNOWN, "the log ended: its daemon stopped")
                except MailtopError as error:
                    self.say(Health.DENIED if isinstance(error, Denied) else Health.UNKNOWN, str(error))
                if self._lines > before:
                    backoff.reset()
                await self._clock.sleep(backoff.next())
        finally:
            cancelled.set()

    async def _read(self, source: Source, cancelled: threading.Event) -> None:
        """Return when the source ends; raises what the source raised."""
        loop = asyncio.get_running_loop()
        done: asyncio.Future[None] = loop.create_future()
        threading.Thread(
            target=self._pump, args=(source, loop, done, cancelled), name=f"follow-{self.target.name}", daemon=True
        ).start()
        try:
            await done
        finally:
            done.cancel()

    def _pump(
        self,
        source: Source,
        loop: asyncio.AbstractEventLoop,
        done: asyncio.Future[None],
        cancelled: threading.Event,
    ) -> None:
        """In the thread: read, parse, hand over, and wait until the loop has taken it: that bounds the memory."""
        error: Exception | None = None
        try:
            for chunk in source.follow(self.target.container, self._follow):
                taken = threading.Event()
                loop.call_soon_threadsafe(self._take, self._parsed(chunk), chunk, taken, cancelled)
                if not taken.wait(HAND_OVER_WITHIN) or cancelled.is_set():
                    return
        except OSError as failure:
            error = Missing(self.target.name, failure.strerror or str(failure))
        except Exception as failure:  # noqa: BLE001  (what a thread does not pass on is lost: a bug would look like the log's end)
            error = failure
        finally:
            if not loop.is_closed():
                loop.call_soon_threadsafe(_finish, done, error)

    def _parsed(self, chunk: Chunk) -> Batch | Exception:
        try:
            return self._parse(chunk)
        except Exception as error:  # noqa: BLE001  (one line that a parser of ours trips over must not end the log)
            return error

    def _take(self, batch: Batch | Exception, chunk: Chunk, taken: threading.Event, cancelled: threading.Event) -> None:
        """Move on behind a chunk, whatever comes of it: what made us stumble once would do so for ever."""
        if cancelled.is_set():  # another thread reads this log by now
            taken.set()
            return
        lines = chunk.lines.count(b"\n")
        self._follow = Follow(self._follow.source, chunk.resume, self._follow.since)
        self._lines += lines
        self._gap += chunk.gap
        try:
            if isinstance(batch, Exception):
                raise batch
            self._deliver(self.target, batch, chunk)
        except Exception as error:  # noqa: BLE001  (neither must one that the book trips over)
            _log.exception("%s: %d lines of its log are lost", self.target.name, lines)
            self._unreadable += lines
            self._fault = f"mailtop's own fault: {error!r}; please report it"
            self.say(Health.UNKNOWN, self._fault, chunk.stamp)
        else:
            self.say(Health.OK, self._fault, chunk.stamp)
        finally:
            taken.set()

    def say(self, health: Health, note: str, last_at: float = 0.0) -> None:
        """Tell the face how this log is."""
        state = self.state
        self.state = LogState(
            state.target,
            state.source,
            health,
            self._lines,
            self._unreadable,
            self._gap,
            last_at or state.last_at,
            note,
        )


def _finish(done: asyncio.Future[None], error: Exception | None) -> None:
    if done.done():
        return
    if error is None:
        done.set_result(None)
    else:
        done.set_exception(error)
