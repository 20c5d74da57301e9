"""Boards from a whole engine: blocks of now, blocks that are old, and the alerts of what is wrong."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from mailtop.config import HostSettings, PlatformSettings, Settings
from mailtop.engine.audit import AuditLog
from mailtop.engine.boards import Boards
from mailtop.engine.clock import SystemClock
from mailtop.engine.engine import Engine
from mailtop.model.ask import Answer, Command, Look, Put
from mailtop.model.board import Block
from mailtop.model.errors import LinkLost, TimedOut
from mailtop.model.sample import Sample
from mailtop.model.snapshot import Health, PageAsk
from tests.engine.mail_host import MailHost

BLOCKS = "Filesystem 1024-blocks Used Available Capacity Mounted on\n/dev/vda 100 {used} {free} 1% /\n"


class Host(MailHost):
    """Its disk is as full as `used` says; `hangs` for ever, says df."""

    used = 50
    hangs = False

    def ask(self, container: str, ask: Look | Put, by: str = "") -> Answer:
        if isinstance(ask, Command) and ask.argv[0] == "df":
            if self.hangs:
                raise TimedOut("mail1", "df: no answer within 5 s")
            return Answer(BLOCKS.format(used=self.used, free=100 - self.used).encode())
        if isinstance(ask, Command) and "/proc/meminfo" in ask.argv:
            return Answer(b"MemTotal:  4000 kB\nMemAvailable:  3000 kB\nSwapTotal:  0 kB\nSwapFree:  0 kB\n")
        if isinstance(ask, Command) and ask.argv[0] == "cat" and "/proc/loadavg" in ask.argv:
            return Answer(b"0.50 0.40 0.30 1/100 123\n1000.00 900.00\n")
        return super().ask(container, ask, by)


@pytest.fixture
def host() -> Host:
    return Host()


@pytest.fixture
async def engine(host: Host, tmp_path: Path) -> AsyncIterator[Engine]:
    settings = Settings(PlatformSettings("example.com"), {"mail1": HostSettings()}, interval=0.05)
    audit = AuditLog(tmp_path / "audit.jsonl")
    engine = Engine(settings, {"mail1": lambda: host}, SystemClock(), operator="ann", audit=audit)
    await engine.start()
    yield engine
    await engine.close()


async def block(engine: Engine, probe: str, condition: Callable[[Block], bool]) -> Block:
    """Wait until a probe's block is so."""
    async with asyncio.timeout(10):
        async for _ in engine.snapshots():
            found = (await engine.page(PageAsk("board", where="hosts"))).blocks
            for one in found:
                if one.probe == probe and condition(one):
                    return one
    raise AssertionError("the engine ended")


async def test_a_block_comes_with_its_figures_and_their_age(engine: Engine) -> None:
    load = await block(engine, "host_load", lambda one: one.health is Health.OK)

    assert [(one.label, one.of, one.reading.value) for one in load.figures] == [
        ("load", "1", 0.5), ("load", "5", 0.4), ("load", "15", 0.3), ("up", "", 1000.0),
    ]  # fmt: skip
    assert load.at > 0


def test_what_was_there_is_missed_for_a_day() -> None:
    boards = Boards()

    def told(at: float, *ports: str) -> list[str]:
        found = boards.take("mail1/x", "ports", [Sample("port_open", 1, (("port", port),)) for port in ports], at)
        return [str(one) for one in found]

    assert told(100.0, "25", "587") == ["port_open{port=25} 1", "port_open{port=587} 1"]
    assert told(200.0, "25") == ["port_open{port=25} 1", "port_open{port=587} 0"]
    assert told(300.0, "25", "587") == ["port_open{port=25} 1", "port_open{port=587} 1"]
    assert told(300.0 + 90_000, "25") == ["port_open{port=25} 1"]


async def test_a_full_disk_is_an_alert_until_it_is_not(engine: Engine, host: Host) -> None:
    host.used = 95
    await engine.refresh()
    await block(engine, "host_disk", lambda one: one.health is Health.CRIT)
    async with asyncio.timeout(10):
        async for snapshot in engine.snapshots():
            alerts = [one for one in snapshot.alerts if one.rule == "filesystem_used_bytes_ratio"]
            if alerts and host.used == 95:
                assert (alerts[0].target, alerts[0].see, alerts[0].health) == ("mail1 /", "hosts", Health.CRIT)
                host.used = 40
                await engine.refresh()
            elif not alerts:
                break


async def test_a_probe_that_fails_has_an_old_block_that_says_why_and_others_go_on(engine: Engine, host: Host) -> None:
    await block(engine, "host_disk", lambda one: one.health is Health.OK)
    host.hangs = True
    await engine.refresh()
    disk = await block(engine, "host_disk", lambda one: one.stale)

    assert (disk.health, "no answer within 5 s" in disk.note) == (Health.UNKNOWN, True)
    assert disk.figures[0].reading.value == 50.0
    assert disk.figures[0].reading.health is Health.UNKNOWN
    assert (await block(engine, "host_load", lambda one: True)).health is Health.OK


async def test_a_lost_host_s_blocks_are_unknown(engine: Engine, host: Host) -> None:
    await block(engine, "host_load", lambda one: one.health is Health.OK)
    host.always["connect"] = host.faults["connect"] = LinkLost("mail1", "no route")
    host.close()
    await engine.refresh()
    lost = await block(engine, "host_load", lambda one: one.stale)

    assert lost.health is Health.UNKNOWN
    assert lost.note


async def test_what_nobody_looks_at_is_asked_more_seldom_and_at_once_when_somebody_does(engine: Engine) -> None:
    async with asyncio.timeout(10):
        async for snapshot in engine.snapshots():
            paces = {probe.probe: probe.every for probe in snapshot.probes if probe.last_ok}
            if "host_memory" in paces:
                break
    assert paces["host_memory"] == 60.0
    await block(engine, "host_memory", lambda one: not one.stale)
    async with asyncio.timeout(10):
        async for snapshot in engine.snapshots():
            paces = {probe.probe: probe.every for probe in snapshot.probes}
            if paces["host_memory"] == 10.0:
                break
