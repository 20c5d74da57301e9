"""One followed log: quiet is told from not yet read, and a bug of ours from the log's end."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import suppress

import pytest

from mailtop.engine.clock import SystemClock
from mailtop.engine.follow import CONNECTING, Follower
from mailtop.engine.link import Link
from mailtop.model.ask import Chunk, Follow
from mailtop.model.errors import Denied
from mailtop.model.snapshot import Health
from mailtop.model.topology import Target
from tests.engine.mail_host import MailHost

POSTFIX = Target("mail1", "postfix")


@pytest.fixture
def host() -> MailHost:
    return MailHost()


@pytest.fixture
async def link(host: MailHost) -> AsyncIterator[Link]:
    link = Link("mail1", lambda: host, SystemClock())
    keeping = asyncio.create_task(link.keep())
    await link.wait_up()
    yield link
    keeping.cancel()
    with suppress(asyncio.CancelledError):
        await keeping
    await link.close()


class Watched:
    """A follower with what it delivered; `parse` is the test's."""

    def __init__(self, link: Link, parse: Callable[[Chunk], bytes] = lambda chunk: chunk.lines) -> None:
        self.heard: list[bytes] = []
        self.follower = Follower(POSTFIX, Follow(), link, SystemClock(), parse, self._take)
        self.keeping = asyncio.create_task(self.follower.keep())

    def _take(self, target: Target, batch: bytes, chunk: Chunk) -> None:
        self.heard.append(batch)
        if batch == b"the book trips\n":
            raise KeyError("hop")

    async def until(self, condition: Callable[[Follower[bytes]], bool]) -> None:
        async with asyncio.timeout(5):
            while not condition(self.follower):
                await asyncio.sleep(0.01)

    async def end(self) -> None:
        self.keeping.cancel()
        with suppress(asyncio.CancelledError):
            await self.keeping


async def test_a_log_is_unknown_until_the_stream_is_accepted_and_quiet_is_ok_then(host: MailHost, link: Link) -> None:
    host.dialled.clear()
    log = Watched(link)
    await log.until(lambda follower: follower.state.note == CONNECTING)
    assert log.follower.state.health is Health.UNKNOWN

    host.dialled.set()
    await log.until(lambda follower: follower.state.health is Health.OK)
    assert (log.follower.state.lines, log.follower.state.note) == (0, "")
    await log.end()


async def test_a_log_that_is_denied_says_so(host: MailHost, link: Link) -> None:
    host.faults["follow"] = Denied("mail1/postfix", "permission denied")
    log = Watched(link)

    await log.until(lambda follower: follower.state.health is Health.DENIED)
    assert log.follower.state.note == "mail1/postfix: permission denied"
    await log.end()


async def test_a_line_that_a_parser_trips_over_is_counted_and_passed_and_never_called_the_end(
    host: MailHost, link: Link, caplog: pytest.LogCaptureFixture
) -> None:
    def parse(chunk: Chunk) -> bytes:
        if chunk.lines == b"a trap\n":
            raise ZeroDivisionError
        return chunk.lines

    log = Watched(link, parse)
    host.say("a trap")
    await log.until(lambda follower: follower.state.unreadable == 1)
    assert log.follower.state.health.value == "unknown"
    assert log.follower.state.note == "mailtop's own fault: ZeroDivisionError(); please report it"

    host.say("more")
    await log.until(lambda follower: follower.state.lines == 2)
    assert log.follower.state.health is Health.OK
    assert "own fault" in log.follower.state.note  # it stays to be seen
    assert log.heard == [b"", b"more\n"]
    assert "ZeroDivisionError" in caplog.text
    await log.end()


async def test_a_book_that_trips_over_a_line_does_not_end_the_log(host: MailHost, link: Link) -> None:
    log = Watched(link)
    host.say("the book trips")
    await log.until(lambda follower: follower.state.lines == 1)
    host.say("more")

    await log.until(lambda follower: follower.state.lines == 2)
    assert (log.follower.state.health, log.follower.state.unreadable) == (Health.OK, 1)
    await log.end()


async def test_what_is_said_within_a_moment_goes_into_the_book_together(host: MailHost, link: Link) -> None:
    log = Watched(link)
    await log.until(lambda follower: follower.state.health is Health.OK)
    host.say("one")
    host.say("two")

    await log.until(lambda follower: follower.state.lines == 2)
    assert log.heard == [b"", b"one\ntwo\n"]
    await log.end()


async def test_of_what_is_said_together_only_the_part_that_a_parser_trips_over_is_lost(
    host: MailHost, link: Link
) -> None:
    def parse(chunk: Chunk) -> bytes:
        if b"trap" in chunk.lines:
            raise ZeroDivisionError
        return chunk.lines

    log = Watched(link, parse)
    await log.until(lambda follower: follower.state.health is Health.OK)
    host.say("a trap")
    host.say("more")

    await log.until(lambda follower: follower.state.lines == 2)
    assert (log.heard, log.follower.state.unreadable) == ([b"", b"more\n"], 1)
    await log.end()


async def test_a_bug_under_a_source_is_no_end_of_the_log(host: MailHost, link: Link) -> None:
    host.faults["follow"] = ZeroDivisionError()
    log = Watched(link)

    with pytest.raises(ZeroDivisionError):
        async with asyncio.timeout(5):
            await log.keeping
    assert log.follower.state.note == CONNECTING


async def test_a_follower_that_is_started_again_goes_on_behind_what_it_read(host: MailHost, link: Link) -> None:
    log = Watched(link)
    host.say("one")
    await log.until(lambda follower: follower.state.lines == 1)
    await log.end()

    host.say("two")
    log.keeping = asyncio.create_task(log.follower.keep())
    await log.until(lambda follower: follower.state.lines == 2)
    assert log.heard == [b"", b"one\n", b"", b"two\n"]
    await log.end()
