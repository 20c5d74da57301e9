"""One followed log: resumed after every cut, nothing lost that the source still has, nothing counted twice."""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Callable
from typing import Generic, TypeVar

from msgspec.structs import replace

from mailtop.engine.clock import Clock
from mailtop.engine.link import Backoff, Link, drive
from mailtop.model.ask import Asking, Chunk, Follow, Source
from mailtop.model.errors import Denied, MailtopError, Missing
from mailtop.model.snapshot import Health, LogState
from mailtop.model.topology import Target

Batch = TypeVar("Batch")

GATHER = 0.1  # seconds of log that go into the book together: each piece costs as much again as 100 lines
PIECE = 256 << 10  # bytes that wait for no more
HAND_OVER_WITHIN = 60.0  # the loop takes a batch in microseconds; this only ends a thread whose loop is gone
NOT_READ = "not read yet"
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
        gather: float = GATHER,
        choose: Callable[[], Asking[str]] | None = None,
    ) -> None:
        """`gather`: seconds of log that go into the book together. `choose`: finds out the log's place, where `follow`
        has none, and again when there is no log any more where it was.
        """
        self.target = target
        self.state = LogState(target.name, follow.source, Health.UNKNOWN, note=NOT_READ)
        self._follow = follow
        self._link = link
        self._clock = clock
        self._parse = parse
        self._deliver = deliver
        self._gather = gather
        self._choose = choose
        self._astray = choose is not None and not follow.source
        self._lines = 0
        self._unreadable = 0
        self._gap = self._gap_at = 0.0
        self._lost = 0
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
                    if self._astray:
                        await self._find()
                    await self._read(self._link.source, cancelled)
                    self.say(Health.UNKNOWN, "the log ended: its daemon stopped")
                except MailtopError as error:
                    self.say(Health.DENIED if isinstance(error, Denied) else Health.UNKNOWN, str(error))
                    self._astray = self._choose is not None and isinstance(error, Denied | Missing)
                if self._lines > before:
                    backoff.reset()
                await self._clock.sleep(backoff.next())
        finally:
            cancelled.set()

    async def _find(self) -> None:
        """Find out where the log is; one that is kept elsewhere by now goes on behind its last line."""
        if self._choose is None:
            return
        source = await drive(self._choose(), self._link, self.target.container, "log")
        self._astray = False
        if source != self._follow.source:
            since = int(self.state.last_at) + 1 if self._follow.resume and self.state.last_at else self._follow.since
            self._follow = replace(self._follow, source=source, resume="", since=since)
            self.state = replace(self.state, source=source)

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
        """In the thread: read, and hand over what is much; what is little the loop takes itself in a moment."""
        error: Exception | None = None
        gathered = _Gathered()
        try:
            try:
                for chunk in source.follow(self.target.container, self._follow):
                    first = gathered.add(chunk) == 1
                    if not chunk.lines or gathered.size >= PIECE:  # the log is accepted; or there is enough
                        if not self._hand_over(gathered, loop, cancelled):
                            return
                    elif first:
                        loop.call_soon_threadsafe(loop.call_later, self._gather, self._look, gathered, cancelled)
            finally:
                self._hand_over(gathered, loop, cancelled)
        except OSError as failure:
            error = Missing(self.target.name, failure.strerror or str(failure))
        except Exception as failure:  # noqa: BLE001  (what a thread does not pass on is lost: a bug would look like the log's end)
            error = failure
        finally:
            if not loop.is_closed():
                loop.call_soon_threadsafe(_finish, done, error)

    def _hand_over(self, gathered: _Gathered, loop: asyncio.AbstractEventLoop, cancelled: threading.Event) -> bool:
        """In the thread: parse, hand over, and wait until the loop has taken it: that bounds the memory."""
        with gathered.lock:
            read = self._read_together(gathered.taken())
        for batch, chunk in read:
            taken = threading.Event()
            loop.call_soon_threadsafe(self._take, batch, chunk, taken, cancelled)
            if cancelled.is_set() or not taken.wait(HAND_OVER_WITHIN):
                return False
        return True

    def _look(self, gathered: _Gathered, cancelled: threading.Event) -> None:
        """On the loop: parse and take what there is by now, in the thread's place."""
        with gathered.lock:  # the parser has one user at a time, and pieces keep their order
            for batch, chunk in self._read_together(gathered.taken()):
                self._take(batch, chunk, threading.Event(), cancelled)

    def _read_together(self, chunks: list[Chunk]) -> list[tuple[Batch | Exception, Chunk]]:
        """Parse chunks as one; each by itself where the parser trips, so that little is lost."""
        if not chunks:
            return []
        lines, gap = b"".join(chunk.lines for chunk in chunks), sum(chunk.gap for chunk in chunks)
        times = b"".join(chunk.times for chunk in chunks)
        lost = sum(chunk.lost for chunk in chunks)
        together = Chunk(lines, chunks[-1].resume, chunks[-1].stamp, gap, times, lost)
        batch = self._parsed(together)
        if isinstance(batch, Exception) and len(chunks) > 1:
            return [(self._parsed(chunk), chunk) for chunk in chunks]
        return [(batch, together)]

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
        self._follow = replace(self._follow, resume=chunk.resume)
        self._lines += lines
        self._gap += chunk.gap
        self._lost += chunk.lost
        if chunk.gap or chunk.lost:
            self._gap_at = self._clock.now()
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
            self.say(Health.OK, self._fault, chunk.stamp if lines else 0.0)
        finally:
            taken.set()

    def behind(self, resume: str) -> bool:
        """Is somebody reading, or about to, who has not come to this point yet? Nobody does between two tries."""
        reading = self.state.health is Health.OK or self.state.note in (NOT_READ, CONNECTING)
        return reading and bool(resume) and self._follow.resume != resume

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
            self._gap_at,
            self._lost,
        )


class _Gathered:
    """What one thread has read and the loop has not yet taken. `size` in bytes."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.size = 0
        self._chunks: list[Chunk] = []

    def add(self, chunk: Chunk) -> int:
        """Keep one more; how many there are now."""
        with self.lock:
            self._chunks.append(chunk)
            self.size += len(chunk.lines)
            return len(self._chunks)

    def taken(self) -> list[Chunk]:
        """All of them, kept no longer; call it with the lock."""
        chunks, self._chunks, self.size = self._chunks, [], 0
        return chunks


def _finish(done: asyncio.Future[None], error: Exception | None) -> None:
    if done.done():
        return
    if error is None:
        done.set_result(None)
    else:
        done.set_exception(error)
