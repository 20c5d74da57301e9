"""One host's connection: up, down, silent, and back by itself."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Callable, Iterator

import pytest

from mailtop.engine.clock import SystemClock
from mailtop.engine.link import REFUSED, SILENT_AFTER, Backoff, Link, drive
from mailtop.model.ask import Answer, Asking, Chunk, Command, Follow, Look, Put
from mailtop.model.errors import (
    CommandFailed,
    HostKeyRefused,
    LinkLost,
    LoginRefused,
    TimedOut,
    Unanswered,
    Unreachable,
)
from mailtop.model.snapshot import Link as LinkState

UPTIME = Command(("uptime",))


class Wire:
    """A host's source by script: `faults` are raised by the next connects, `reply` answers or raises."""

    def __init__(self) -> None:
        self.faults: list[Exception] = []
        self.reply: Callable[[], Answer] = lambda: Answer(b"up")
        self.connects = 0
        self.living = threading.Event()

    def connect(self) -> None:
        self.connects += 1
        if self.faults:
            raise self.faults.pop(0)
        self.living.set()

    def ask(self, container: str, ask: Look | Put, by: str = "") -> Answer:
        return self.reply()

    def follow(self, container: str, follow: Follow) -> Iterator[Chunk]:
        return iter(())

    def afford(self, thing: str) -> None:
        pass

    def alive(self) -> bool:
        return self.living.is_set()

    def close(self) -> None:
        self.living.clear()


@pytest.fixture
def wire() -> Wire:
    return Wire()


@pytest.fixture
async def link(wire: Wire) -> AsyncIterator[Link]:
    link = Link("mail1", lambda: wire, SystemClock(), Backoff(0.01, 0.02))
    keeping = asyncio.create_task(link.keep())
    yield link
    keeping.cancel()
    await asyncio.gather(keeping, return_exceptions=True)
    await link.close()


async def until(condition: Callable[[], bool]) -> None:
    """Wait for a condition, at most 5 s."""
    async with asyncio.timeout(5):
        while not condition():
            await asyncio.sleep(0.005)


async def test_it_tries_for_ever_and_says_why_meanwhile(wire: Wire) -> None:
    wire.faults = [Unreachable("mail1", "connection refused"), HostKeyRefused("mail1", "unknown key", "ssh-keyscan")]
    notes = set()
    link = Link("mail1", lambda: wire, SystemClock(), Backoff(0.01, 0.02))
    keeping = asyncio.create_task(link.keep())

    while not link.up:
        notes.add(link.state.note)
        await asyncio.sleep(0)

    assert {"mail1: connection refused", "mail1: unknown key; ssh-keyscan"} <= notes
    assert link.state.link is LinkState.UP
    keeping.cancel()
    await asyncio.gather(keeping, return_exceptions=True)
    await link.close()


async def test_a_lost_connection_is_made_again_and_counts_as_a_new_generation(wire: Wire, link: Link) -> None:
    await link.wait_up()

    wire.living.clear()
    await until(lambda: wire.connects == 2 and link.up)

    assert link.generation == 2
    assert (await link.ask("", UPTIME, "x")).stdout == b"up"


async def test_no_connection_answers_at_once_with_the_reason(wire: Wire) -> None:
    link = Link("mail1", lambda: wire, SystemClock())

    with pytest.raises(LinkLost, match="not connected"):
        await link.ask("", UPTIME, "x")
    await link.close()


async def test_a_host_that_answers_nothing_is_called_silent_and_reconnected(wire: Wire, link: Link) -> None:
    await link.wait_up()

    def late() -> Answer:
        raise TimedOut("mail1", "no answer within 10 s")

    wire.reply = late
    for _ in range(SILENT_AFTER):
        with pytest.raises(TimedOut):
            await link.ask("", UPTIME, "x")

    assert link.state.note == "mail1: connected, but answers nothing"
    await until(lambda: wire.connects == 2 and link.up)


async def test_one_hung_command_among_answers_is_not_a_silent_host(wire: Wire, link: Link) -> None:
    await link.wait_up()

    def late() -> Answer:
        raise TimedOut("mail1", "df: no answer within 10 s")

    for _ in range(SILENT_AFTER * 2):
        wire.reply = late
        with pytest.raises(TimedOut):
            await link.ask("", UPTIME, "df")
        wire.reply = lambda: Answer(b"up")
        await link.ask("", UPTIME, "load")

    assert link.up
    assert wire.connects == 1


async def test_a_conversation_gets_answers_sent_and_failures_thrown_in(wire: Wire, link: Link) -> None:
    await link.wait_up()
    replies: Iterator[Answer | CommandFailed] = iter([Answer(b"1"), CommandFailed("x", "no"), Answer(b"3")])

    def reply() -> Answer:
        one = next(replies)
        if isinstance(one, CommandFailed):
            raise one
        return one

    def asking() -> Asking[list[bytes]]:
        first = yield UPTIME
        try:
            yield UPTIME
        except CommandFailed:
            return [first.stdout, (yield UPTIME).stdout]
        return []

    wire.reply = reply
    assert await drive(asking(), link, "", "x") == [b"1", b"3"]


async def test_an_answer_that_nobody_waits_for_any_more_is_ended_where_it_comes_from(wire: Wire, link: Link) -> None:
    await link.wait_up()
    pieces: list[bytes] = []
    refused, go_on = threading.Event(), threading.Event()
    asked: list[Look | Put] = []

    def source_ask(container: str, ask: Look | Put, by: str = "") -> Answer:
        assert isinstance(ask, Command)
        assert ask.sink is not None
        ask.sink(b"first")
        asked.append(ask)
        go_on.wait(5)
        try:
            ask.sink(b"second")
        except LinkLost:
            refused.set()
            raise
        return Answer(b"")

    wire.ask = source_ask  # type: ignore[method-assign]
    waiting = asyncio.create_task(link.ask("", Command(("postqueue",), large=True, sink=pieces.append), "x"))
    await until(lambda: bool(asked))
    waiting.cancel()
    await asyncio.gather(waiting, return_exceptions=True)
    go_on.set()

    await until(refused.is_set)
    assert pieces == [b"first"]


async def test_the_time_that_a_person_takes_is_not_the_hosts(wire: Wire, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mailtop.engine.link.CONNECT_WITHIN", 0.3)
    asked, answered = ["the password"], threading.Event()

    class Asking(Wire):
        def connect(self) -> None:
            answered.wait(10)
            super().connect()

    link = Link("mail1", Asking, SystemClock(), waits=lambda host: asked[0])
    keeping = asyncio.create_task(link.keep())
    await until(lambda: link.state.note == "mail1: waits for an answer: the password")
    assert link.state.link is LinkState.CONNECTING
    await asyncio.sleep(0.6)  # longer than a connection may take
    assert link.state.link is LinkState.CONNECTING
    asked[0] = ""
    await until(lambda: link.state.note == "")
    await asyncio.sleep(0.6)  # the host asks a telephone now
    assert link.state.link is LinkState.CONNECTING
    answered.set()
    await until(lambda: link.up)
    keeping.cancel()
    await asyncio.gather(keeping, return_exceptions=True)
    await link.close()


async def test_without_an_answer_nobody_is_asked_again_until_somebody_wants_it(wire: Wire) -> None:
    wire.faults = [Unanswered("mail1", "asked for the password: not answered", "r asks again")]
    link = Link("mail1", lambda: wire, SystemClock(), Backoff(0.01, 0.02))
    keeping = asyncio.create_task(link.keep())
    await until(lambda: link.state.note.endswith("r asks again"))
    await asyncio.sleep(0.1)  # many a back-off
    assert wire.connects == 1
    link.retry()
    await until(lambda: link.up)
    keeping.cancel()
    await asyncio.gather(keeping, return_exceptions=True)
    await link.close()


async def test_an_answer_that_lasts_is_asked_for_once_and_anew_after_a_failure_or_on_another_connection(
    wire: Wire, link: Link
) -> None:
    asked: list[int] = []

    def reply() -> Answer:
        asked.append(len(asked))
        return Answer(b"%d" % len(asked))

    wire.reply = reply
    where, other = Command(("postconf", "-h", "queue_directory"), lasts=60.0), Command(("find", "/var/spool"))
    await link.wait_up()
    assert [(await link.ask(on, where, "queue")).stdout for on in ("a", "a", "b", "a")] == [b"1", b"1", b"2", b"1"]

    await link.ask("b", other, "queue")
    assert (await link.ask("a", where, "queue")).stdout == b"1"
    wire.reply = lambda: Answer(b"", exit=1)
    await link.ask("a", other, "queue")
    wire.reply = reply
    assert (await link.ask("a", where, "queue")).stdout == b"4"

    generation = link.generation
    wire.close()
    await until(lambda: link.generation > generation and link.up)
    assert (await link.ask("a", where, "queue")).stdout == b"5"


async def test_a_login_that_was_refused_is_not_hammered(wire: Wire) -> None:
    wire.faults = [LoginRefused("mail1", "no key for ann (there is none)", "ssh-copy-id it there")]
    link = Link("mail1", lambda: wire, SystemClock(), Backoff(0.01, 0.02))
    keeping = asyncio.create_task(link.keep())
    await until(lambda: link.state.note.endswith("ssh-copy-id it there"))
    await asyncio.sleep(0.1)  # many a back-off
    assert wire.connects == 1
    assert link.state.retry_at - link.state.since >= REFUSED / 2
    link.retry()
    await until(lambda: link.up)
    keeping.cancel()
    await asyncio.gather(keeping, return_exceptions=True)
    await link.close()


@pytest.mark.parametrize("where", ["making", "connecting"])
async def test_a_connection_that_nobody_waits_for_any_more_is_ended(where: str) -> None:
    at, go_on = asyncio.Event(), threading.Event()
    loop = asyncio.get_running_loop()

    class Slow(Wire):
        def connect(self) -> None:
            hold("connecting")
            super().connect()

    def hold(here: str) -> None:
        if here == where:
            loop.call_soon_threadsafe(at.set)
            go_on.wait(10)

    def make() -> Wire:
        hold("making")
        return wire

    wire = Slow()
    link = Link("mail1", make, SystemClock())
    keeping = asyncio.create_task(link.keep())
    await at.wait()
    keeping.cancel()
    await asyncio.gather(keeping, return_exceptions=True)
    go_on.set()
    await asyncio.to_thread(link._pool.shutdown)
    assert not wire.alive()
    await link.close()
