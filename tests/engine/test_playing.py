"""The demo's recording through the whole engine: it fills the screens, takes no acts, and begins anew at its end."""

from __future__ import annotations

import asyncio
from bisect import bisect_right
from collections.abc import AsyncIterator, Callable
from importlib.resources import files
from pathlib import Path

import pytest

from mailtop.config import Settings
from mailtop.engine.audit import NoAudit
from mailtop.engine.engine import Engine
from mailtop.engine.making import engine_of
from mailtop.engine.process import Setup
from mailtop.model.errors import Refused, UsageError
from mailtop.model.operation import Selection
from mailtop.model.snapshot import Link, PageAsk, Snapshot
from mailtop.transport.recording import SCHEMA, Header, LinkChanged, Tape

FAST = 100.0


@pytest.fixture
async def demo() -> AsyncIterator[Engine]:
    recording = str(files("mailtop") / "demo.recording")
    engine = engine_of(Setup(Settings(interval=0.25), "ann", recording=recording, speed=FAST))
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


async def test_a_probe_that_its_recording_never_asked_is_no_unknown_of_it(demo: Engine) -> None:
    snapshot = await until(demo, lambda snapshot: any(queue.listed for queue in snapshot.queues))

    assert demo._playing is not None
    assert {probe.probe for probe in snapshot.probes} <= demo._playing.player.probes


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


async def paused_at_start(engine: Engine) -> Snapshot:
    await until(engine, lambda snapshot: any(queue.listed for queue in snapshot.queues))
    await engine.pause(True)
    return await until(engine, lambda snapshot: snapshot.paused)


async def stepped(engine: Engine, by: int) -> Snapshot:
    """Step, and wait for the snapshot of the moment that it goes to."""
    await engine.step(by)
    assert engine._playing is not None
    to = engine._playing.to
    return await until(engine, lambda snapshot: snapshot.at == to)


async def test_steps_go_to_the_next_second_with_news_and_back_to_the_one_before(demo: Engine) -> None:
    await paused_at_start(demo)
    start = await stepped(demo, -1)  # by its own seconds, which a play at such a speed leaps over

    on = [await stepped(demo, 1) for _ in range(5)]
    back = [await stepped(demo, -1) for _ in range(4)]

    assert start.at < on[0].at < on[1].at < on[2].at < on[3].at < on[4].at
    assert [one.at for one in back] == [one.at for one in reversed(on[:-1])]
    assert all(one.paused for one in on + back)
    assert [told(one) for one in back] == [told(one) for one in reversed(on[:-1])]


async def test_a_step_onto_a_lost_connection_shows_it_and_one_back_shows_it_up_again(tmp_path: Path) -> None:
    file = tmp_path / "outage.recording"
    tape = Tape(file, Header(SCHEMA, "1", 1000.0, "example.test", ("mail1",)))
    for at, up in ((1000.5, True), (1010.2, False), (1030.0, True)):
        tape.write(LinkChanged(at, "mail1", up, "" if up else "the line is cut"))
    tape.close()
    engine = engine_of(Setup(Settings(interval=0.25), "ann", recording=str(file)))
    await engine.start()
    try:
        await until(engine, lambda snapshot: snapshot.hosts[0].link is Link.UP)
        await engine.pause(True)
        seen = [await stepped(engine, by) for by in (1, 1, -1, 1)]
    finally:
        await engine.close()

    assert [(one.at, one.hosts[0].link) for one in seen] == [
        (1001.0, Link.UP), (1011.0, Link.DOWN), (1001.0, Link.UP), (1011.0, Link.DOWN),
    ]  # fmt: skip


def told(snapshot: Snapshot) -> object:
    """What a recording proves at a moment: log lines read, links, and what every queue holds."""
    return (
        [(log.target, log.health, log.lines) for log in snapshot.logs],
        [(host.name, host.link) for host in snapshot.hosts],
        [(queue.target, [(name, reading.value) for name, reading in queue.counts]) for queue in snapshot.queues],
    )


async def test_a_step_at_either_end_is_refused_and_a_live_platform_has_none(demo: Engine) -> None:
    await paused_at_start(demo)
    playing = demo._playing
    assert playing is not None

    with pytest.raises(UsageError, match="beginning"):
        await demo.step(-1000)
    frames = playing.player.frames
    end = await stepped(demo, len(frames) - bisect_right(frames, playing.player.position))
    assert end.played[0] == pytest.approx(end.played[1])
    with pytest.raises(UsageError, match="end"):
        await demo.step(1)
    live = Engine(Settings(), {}, playing.clock, operator="ann", audit=NoAudit())
    with pytest.raises(UsageError, match="no recording"):
        await live.step(1)
