"""One probe's runs: ended by the operator, and by the end of the engine."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Callable, Iterable

import pytest

from mailtop.engine.clock import SystemClock
from mailtop.engine.collector import STOPPED, Collector
from mailtop.engine.link import Link
from mailtop.model.ask import Answer, Asking, Command, Look, Put
from mailtop.model.errors import Denied
from mailtop.model.sample import Fact
from mailtop.model.snapshot import Health
from mailtop.model.topology import Target
from mailtop.probe import Board, Found, Probe
from mailtop.transport.replay import ReplaySource


def asking(target: Target) -> Asking[Iterable[Found]]:
    answer = yield Command(("uptime",))
    return (Fact("said", answer.stdout.decode()),)


class Slow:
    """A host whose answer waits until a test lets it go."""

    def __init__(self) -> None:
        self.asked, self.go = threading.Event(), threading.Event()

    def __call__(self, ask: Look | Put) -> Answer:
        self.asked.set()
        self.go.wait(5)
        return Answer(b"up")


@pytest.fixture
async def slow() -> AsyncIterator[tuple[Collector, Slow, list[object]]]:
    host, delivered, clock = Slow(), list[object](), SystemClock()
    link = Link("mail1", lambda: ReplaySource({("", "uptime"): host}), clock)
    keeping = asyncio.create_task(link.keep())
    await link.wait_up()
    probe = Probe("uptime", None, asking, every=10.0)
    yield (
        Collector(probe, Target("mail1"), link, clock, lambda t, p, found, at: delivered.extend(found)),
        host,
        delivered,
    )
    host.go.set()
    keeping.cancel()
    await asyncio.gather(keeping, return_exceptions=True)
    await link.close()


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(5):
        while not condition():
            await asyncio.sleep(0.005)


async def test_what_the_operator_ends_delivers_nothing_says_so_and_can_run_again(
    slow: tuple[Collector, Slow, list[object]],
) -> None:
    collector, host, delivered = slow
    running = asyncio.create_task(collector.run())
    await until(host.asked.is_set)
    collector.stop()
    await running

    assert (collector.state.note, collector.running_since, delivered) == (STOPPED, 0.0, [])
    host.go.set()
    await collector.run()
    assert (collector.state.note, delivered) == ("", [Fact("said", "up")])


async def test_the_end_of_its_task_is_not_taken_for_the_operators_word(
    slow: tuple[Collector, Slow, list[object]],
) -> None:
    collector, host, _ = slow
    running = asyncio.create_task(collector.run())
    await until(host.asked.is_set)
    running.cancel()

    with pytest.raises(asyncio.CancelledError):
        await running
    assert collector.state.note == "not asked yet"


async def test_stopping_what_does_not_run_does_nothing(slow: tuple[Collector, Slow, list[object]]) -> None:
    collector, host, delivered = slow
    collector.stop()
    host.go.set()
    await collector.run()

    assert delivered == [Fact("said", "up")]


class Few(ReplaySource):
    """A host with few sessions."""

    def afford(self, thing: str) -> None:
        raise Denied(thing, "sessions are few")


@pytest.mark.parametrize(
    ("target", "board", "asked"),
    [
        (Target("mail1", "dovecot"), Board("sessions", "sessions"), False),
        (Target("mail1"), Board("hosts", "host"), True),
        (Target("mail1", "postfix"), None, True),
    ],
)
async def test_what_can_wait_asks_no_container_where_sessions_are_few(
    target: Target, board: Board | None, asked: bool
) -> None:
    delivered, clock = list[object](), SystemClock()
    link = Link("mail1", lambda: Few({(target.container, "uptime"): lambda ask: Answer(b"up")}), clock)
    keeping = asyncio.create_task(link.keep())
    await link.wait_up()
    probe = Probe("uptime", None, asking, board=board)
    collector = Collector(probe, target, link, clock, lambda t, p, found, at: delivered.extend(found))

    await collector.run()

    assert bool(delivered) is asked
    assert collector.state.health is (Health.OK if asked else Health.DENIED)
    keeping.cancel()
    await asyncio.gather(keeping, return_exceptions=True)
    await link.close()
