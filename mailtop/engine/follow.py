"""One followed log: resumed after every cut, nothing lost that the source still has, nothing counted twice."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from typing import Generic, TypeVar

from mailtop.engine.clock import Clock
from mailtop.engine.link import Backoff, Link
from mailtop.model.ask import Chunk, Follow, Source
from mailtop.model.errors import MailtopError, Missing
from mailtop.model.snapshot import Health, LogState
from mailtop.model.topology import Target

Batch = TypeVar("Batch")

QUIET_AFTER = 1.0  # seconds without a line or an error: the log is followed, and quiet
HAND_OVER_WITHIN = 60.0  # the loop takes a batch in microseconds; this only ends a thread whose loop is gone


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
        self._gap = 0.0
        self._cancelled = threading.Event()

    async def keep(self) -> None:
        """Follow for as long as there is a connection, and again after every end: until cancelled."""
        backoff = Backoff(0.5, 10.0)
        try:
            while True:
                await self._link.wait_up()
                before = self._lines
                try:
                    await self._read(self._link.source)
                    self._say(Health.UNKNOWN, "the log ended: its daemon stopped")
                except Missing as error:
                    self._say(Health.UNKNOWN, str(error))
                except MailtopError as error:
                    self._say(Health.UNKNOWN, str(error))
                if self._lines > before:
                    backoff.reset()
                await self._clock.sleep(backoff.next())
        finally:
            self._cancelled.set()

    async def _read(self, source: Source) -> None:
        """Return when the source ends; raises what the source raised."""
        loop = asyncio.get_running_loop()
        done: asyncio.Future[None] = loop.create_future()
        threading.Thread(
            target=self._pump, args=(source, loop, done), name=f"follow-{self.target.name}", daemon=True
        ).start()
        try:
            await asyncio.wait((done,), timeout=QUIET_AFTER)
            if not done.done() and self.state.health is not Health.OK:
                self._say(Health.OK, "")  # followed, and nothing said yet: a quiet log is no failure
            await done
        finally:
            done.cancel()

    def _pump(self, source: Source, loop: asyncio.AbstractEventLoop, done: asyncio.Future[None]) -> None:
        """In the thread: read, parse, hand over, and wait until the loop has taken it: that bounds the memory."""
        error: BaseException | None = None
        try:
            for chunk in source.follow(self.target.container, self._follow):
                batch = self._parse(chunk)
                taken = threading.Event()
                loop.call_soon_threadsafe(self._take, batch, chunk, taken)
                if not taken.wait(HAND_OVER_WITHIN) or self._cancelled.is_set():
                    return
        except MailtopError as failure:
            error = failure
        except OSError as failure:
            error = Missing(self.target.name, failure.strerror or str(failure))
        except RuntimeError:
            return  # the loop is closed: nobody waits for this thread any more
        finally:
            if not loop.is_closed():
                loop.call_soon_threadsafe(_finish, done, error)

    def _take(self, batch: Batch, chunk: Chunk, taken: threading.Event) -> None:
        self._follow = Follow(self._follow.source, chunk.resume, self._follow.since)
        self._lines += chunk.lines.count(b"\n")
        self._gap += chunk.gap
        self._deliver(self.target, batch, chunk)
        self._say(Health.OK, "", chunk.stamp)
        taken.set()

    def _say(self, health: Health, note: str, last_at: float = 0.0) -> None:
        state = self.state
        self.state = LogState(
            state.target, state.source, health, self._lines, state.unreadable, self._gap, last_at or state.last_at, note
        )


def _finish(done: asyncio.Future[None], error: BaseException | None) -> None:
    if done.done():
        return
    if error is None:
        done.set_result(None)
    else:
        done.set_exception(error)
