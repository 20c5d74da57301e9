"""The demo's recording through the whole engine: it fills the screens, takes no acts, and begins anew at its end."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from importlib.resources import files

import pytest

from mailtop.config import Settings
from mailtop.engine.engine import Engine
from mailtop.engine.process import Setup
from mailtop.model.errors import Refused
from mailtop.model.operation import Selection
from mailtop.model.snapshot import Link, PageAsk, Snapshot

FAST = 100.0


@pytest.fixture
async def demo() -> AsyncIterator[Engine]:
    recording = str(files("mailtop") / "demo.recording")
    engine = Engine.of(Setup(Settings(interval=0.25), "ann", recording=recording, speed=FAST))
    await engine.start()
    yield engine
    await engine.close()


async def until(engine: Engine, condition: Callable[[Snapshot], bool]) -> Snapshot:
    async with asyncio.timeout(30):
        async for snapshot in engine.snapshots():
            if condition(snapshot):
                return snapshot
    raise AssertionError("the engine ended")


async def test_it_shows_the_outburst_its_cause_and_the_archive_that_is_down(demo: Engine) -> None:
    snapshot = await until(
        demo, lambda snapshot: any("piler" in alert.summary for alert in snapshot.alerts) and bool(snapshot.queues)
    )
    cause = (await demo.page(PageAsk("causes"))).causes[0]

    assert all(host.link is Link.UP for host in snapshot.hosts)
    assert (cause.sender, cause.next_hop) == (b"news@shop.example", b"outlook.test")
    assert cause.deferred >= 200


async def test_nothing_can_be_done_in_it(demo: Engine) -> None:
    await until(demo, lambda snapshot: any(queue.listed for queue in snapshot.queues))

    with pytest.raises(Refused, match="this is a recording"):
        await demo.unlock(900)
    with pytest.raises(Exception, match="record"):
        await demo.plan("queue.hold", Selection(everything=True))


async def test_it_begins_anew_at_its_end_with_new_books(demo: Engine) -> None:
    first = await until(demo, lambda snapshot: bool(snapshot.logs) and snapshot.logs[0].lines > 5000)
    again = await until(demo, lambda snapshot: snapshot.at < first.at and bool(snapshot.logs))

    assert again.logs[0].lines < first.logs[0].lines
