"""One host's connection: kept up for ever, with back-off, and a deadline on everything."""

from __future__ import annotations

import asyncio
import random
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any, cast

from msgspec.structs import replace

from mailtop.engine.clock import Clock, within
from mailtop.engine.lasting import Lasting
from mailtop.engine.together import Together
from mailtop.model.ask import Answer, Asking, Command, Look, Put, Sink, Source, Yields
from mailtop.model.errors import AskFailed, LinkLost, LoginRefused, MailtopError, TimedOut, Unanswered, Unreachable
from mailtop.model.snapshot import HostState
from mailtop.model.snapshot import Link as LinkState

CONNECT_WITHIN = 20.0
CHECKED_WITHIN = 70.0  # seconds from a person's answer on: the host may ask a telephone in turn
ASK_AGAIN = 600.0  # seconds until a person is asked once more that has not answered, unless somebody wants it sooner
REFUSED = 60.0  # seconds until a login that was refused is tried again, doubling: hosts lock out whoever insists
_LOOK = 0.2  # seconds between two looks whether a host waits for a person
SILENT_AFTER = 3  # so many deadlines in a row, from whatever ask, and the host itself is called silent
GRACE = 3.0  # what a client may take beyond an ask's own deadline before we stop waiting for its thread
LONG_READ = 1 << 16  # bytes of an answer; a longer one is read off the loop
THREADS = 12  # asks under way at once; each frees its thread by its own deadline


class Backoff:
    """Waits between two tries: doubling from `first` to `most` seconds, each with jitter, for ever.

    >>> waits = Backoff(1.0, 30.0, jitter=lambda: 1.0)
    >>> [waits.next() for _ in range(7)]
    [1.0, 2.0, 4.0, 8.0, 16.0, 30.0, 30.0]
    """

    def __init__(self, first: float, most: float, jitter: Callable[[], float] | None = None) -> None:
        self._first = self._wait = first
        self._most = most
        self._jitter = jitter or (lambda: random.uniform(0.5, 1.0))  # noqa: S311  (spreads reconnects, guards nothing)

    def next(self) -> float:
        """Return the next wait in seconds."""
        wait, self._wait = self._wait, min(self._wait * 2, self._most)
        return wait * self._jitter()

    def reset(self) -> None:
        """Start again at the first wait: it went well."""
        self._wait = self._first


class Link:
    """Keeps one `Source` connected, and asks it from threads of its own."""

    def __init__(
        self,
        host: str,
        make_source: Callable[[], Source],
        clock: Clock,
        backoff: Backoff | None = None,
        waits: Callable[[str], str] = lambda host: "",  # noqa: ARG005
    ) -> None:
        """`waits`: what a host waits to be told by a person before it lets us in, empty for nothing."""
        self.host = host
        self.generation = 0  # grows with every connection: what was denied may be asked again
        self._make_source = make_source
        self._clock = clock
        self._backoff = backoff or Backoff(1.0, 30.0)
        self._refusals = Backoff(REFUSED, ASK_AGAIN)
        self._waits = waits
        self._wanted = asyncio.Event()
        self._source: Source | None = None
        self._pool = ThreadPoolExecutor(THREADS, thread_name_prefix=f"ask-{host}")
        self._together = Together(self._pool)
        self._up = asyncio.Event()
        self._down = asyncio.Event()
        self._deadlines: list[str] = []  # of which containers, since something was answered
        self._lasting = Lasting()
        self._state = HostState(host, LinkState.CONNECTING, clock.now())

    @property
    def state(self) -> HostState:
        """What a face is told of this host."""
        return self._state

    @property
    def up(self) -> bool:
        """Is there a connection?"""
        return self._up.is_set()

    async def wait_up(self) -> None:
        """Return as soon as there is a connection."""
        await self._up.wait()

    @property
    def source(self) -> Source:
        """The connected source; raises LinkLost while there is none."""
        if self._source is None or not self._up.is_set():
            raise LinkLost(self.host, self._state.note or "not connected")
        return self._source

    async def keep(self) -> None:
        """Connect, stay connected, reconnect: until cancelled."""
        while True:
            try:
                await self._connect()
            except LoginRefused as error:
                wait = ASK_AGAIN if isinstance(error, Unanswered) else self._refusals.next()
                self._say(LinkState.DOWN, str(error), retry_in=wait)
                self._wanted.clear()
                await within(self._wanted, wait)
                continue
            except Unreachable as error:
                wait = self._backoff.next()
                self._say(LinkState.DOWN, str(error), retry_in=wait)
                await self._clock.sleep(wait)
                continue
            self._backoff.reset()
            self._refusals.reset()
            await self._watch()

    async def _connect(self) -> None:
        """Connect within the deadline, all of it in a thread: even reading ssh's configuration may take its time."""
        loop, made, given_up = asyncio.get_running_loop(), list[Source](), threading.Event()

        def connect() -> None:
            source = self._make_source()
            made.append(source)
            if not given_up.is_set():
                source.connect()
            if given_up.is_set():  # it may have been closed before there was anything to close
                source.close()

        try:
            async with asyncio.timeout(CONNECT_WITHIN) as limit:
                connecting = loop.run_in_executor(self._pool, connect)
                connecting.add_done_callback(lambda ended: ended.cancelled() or ended.exception())
                await self._patiently(connecting, limit)
                await connecting
        except BaseException as error:
            given_up.set()
            for source in made:
                await loop.run_in_executor(None, source.close)
            if isinstance(error, Unreachable) or not isinstance(error, TimeoutError | MailtopError | OSError):
                raise
            if isinstance(error, MailtopError):
                raise Unreachable(self.host, str(error)) from error
            late = f"no connection within {CONNECT_WITHIN:.0f} s"
            raise Unreachable(self.host, late if isinstance(error, TimeoutError) else str(error)) from error
        source = made[0]
        self._source, self._deadlines = source, []
        self._lasting.clear()
        self.generation += 1
        self._down.clear()
        self._say(LinkState.UP)
        self._up.set()

    async def _patiently(self, connecting: asyncio.Future[None], limit: asyncio.Timeout) -> None:
        """Wait for a connection; the time that a person takes is not the host's."""
        asked = False
        while not connecting.done():
            await asyncio.wait((connecting,), timeout=_LOOK)
            words = self._waits(self.host)
            if words or asked:
                limit.reschedule(asyncio.get_running_loop().time() + CHECKED_WITHIN)
            if words or asked:
                self._say(LinkState.CONNECTING, f"{self.host}: waits for an answer: {words}" if words else "")
            asked = bool(words)

    def retry(self) -> None:
        """A person is there: connect now, where only the want of an answer, or of another key, kept us from it."""
        self._wanted.set()

    async def _watch(self) -> None:
        """Return when the connection is lost, having closed it."""
        source = self._source
        assert source is not None  # noqa: S101  (told to mypy: _connect has just set it)
        try:
            while source.alive():
                if await within(self._down, 1.0):
                    break
        finally:
            self._up.clear()
            self._source = None
            if self._state.link is LinkState.UP:
                self._say(LinkState.DOWN, f"{self.host}: connection lost")
            await asyncio.get_running_loop().run_in_executor(None, source.close)

    async def ask(self, container: str, ask: Look | Put, by: str) -> Answer:
        """Ask, within the ask's deadline and a little; raises AskFailed."""
        source = self.source
        held = self._lasting.answer(container, ask, self._clock.monotonic())
        if held is not None:
            return held
        sink = _Sink(ask.sink) if isinstance(ask, Command) and ask.sink is not None else None
        if sink is not None and isinstance(ask, Command):
            ask = replace(ask, sink=sink)
        if isinstance(ask, Command) and not ask.large:
            asked = self._together.ask(source.ask, container, ask, by)
        else:
            asked = asyncio.get_running_loop().run_in_executor(self._pool, source.ask, container, ask, by)
        try:
            async with asyncio.timeout(ask.timeout + GRACE):
                answer = await asked
        except TimeoutError as error:
            self._deadline_passed(container)
            raise TimedOut(self._where(container), f"{by}: no answer within {ask.timeout:.0f} s") from error
        except TimedOut:
            self._deadline_passed(container)
            raise
        except LinkLost:
            if not source.alive():
                self._down.set()
            raise
        except OSError as error:
            raise LinkLost(self._where(container), error.strerror or str(error)) from error
        except AskFailed:
            self._lasting.forget(container)
            raise
        finally:
            if sink is not None:
                sink.shut = True
        self._deadlines.clear()
        self._lasting.take(container, ask, answer, self._clock.monotonic())
        return answer

    def _where(self, container: str) -> str:
        return f"{self.host}/{container}" if container else self.host

    def _deadline_passed(self, container: str) -> None:
        """One container that is frozen lets all its probes pass their deadlines at once: that is not the host's."""
        self._deadlines.append(container)
        if len(self._deadlines) >= SILENT_AFTER and "" in self._deadlines and self._up.is_set():
            self._say(LinkState.DOWN, f"{self.host}: connected, but answers nothing")
            self._up.clear()
            self._down.set()

    def _say(self, link: LinkState, note: str = "", retry_in: float = 0.0) -> None:
        now = self._clock.now()
        since = self._state.since if self._state.link is link else now
        self._state = HostState(self.host, link, since, note, now + retry_in if retry_in else 0.0)

    def blame(self, note: str) -> None:
        """Say why there is no connection, where a bug of ours ended the task that keeps one."""
        self._up.clear()
        self._say(LinkState.DOWN, note)

    async def close(self) -> None:
        """End the connection; threads that still wait are woken by it."""
        self._up.clear()
        if self._source is not None:
            await asyncio.get_running_loop().run_in_executor(None, self._source.close)
        self._pool.shutdown(wait=False, cancel_futures=True)


class _Sink:
    """An ask's sink while somebody waits for the answer. Then it is shut: what more comes ends the program there."""

    def __init__(self, sink: Sink) -> None:
        self._sink = sink
        self.shut = False

    def __call__(self, octets: bytes) -> None:
        if self.shut:
            raise LinkLost("answer", "nobody waits for it any more")
        self._sink(octets)


async def drive(
    asking: Asking[Yields],
    link: Link,
    container: str,
    by: str,
    fitted: Callable[[Look], Look] = lambda ask: ask,
) -> Yields:
    """Carry a conversation: put its asks to the host, send back answers, throw in failures; return its result.

    `fitted` may put an ask in another way, such as by sudo. An answer that takes long to read is read in a thread: a
    million queue lines would stop the loop for seconds.
    """
    said: Callable[[], Look] = partial(next, asking)
    size, reading = 0, False
    try:
        while True:
            reading = size > LONG_READ
            ask, result = await asyncio.to_thread(_heard, said) if reading else _heard(said)
            reading = False
            if ask is None:
                (found,) = result
                return cast(Yields, found)
            size = 0
            try:
                answer = await link.ask(container, fitted(ask), by)
            except AskFailed as error:
                said = partial(asking.throw, error)
            else:
                said, size = partial(asking.send, answer), _length(ask, answer)
    finally:
        if not reading:  # cancelled meanwhile, the thread goes on to the next ask, which nobody will put
            asking.close()


def _length(ask: Look, answer: Answer) -> int:
    """How long an answer is to be read; a streamed one is read, but what was read is to be put together."""
    return LONG_READ + 1 if isinstance(ask, Command) and ask.sink is not None else len(answer.stdout)


def _heard(said: Callable[[], Look]) -> tuple[Look | None, tuple[Any, ...]]:
    """Let a conversation go on: its next ask, or None and its result."""
    try:
        return said(), ()
    except StopIteration as stop:
        return None, (stop.value,)
