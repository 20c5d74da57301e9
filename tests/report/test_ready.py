"""When a first reading is complete."""

from __future__ import annotations

import asyncio

from msgspec.structs import replace

from mailtop.model.snapshot import Health, HostState, Link, ProbeState
from mailtop.report.ready import LISTING, first_reading
from tests.engine.test_wire import SNAPSHOT
from tests.ui.still import StillConsole


def listing(target: str, tried: float) -> ProbeState:
    return ProbeState(target, LISTING, Health.UNKNOWN, tried=tried)


async def test_no_listing_is_waited_for_on_a_host_that_is_down() -> None:
    hosts = (HostState("mail1", Link.UP, 1.0), HostState("mail2", Link.DOWN, 1.0, "mail2: connection refused"))
    probes = (listing("mail1/postfix", 2.0), listing("mail2/postfix", 0.0))
    console = StillConsole(replace(SNAPSHOT, hosts=hosts, probes=probes, logs=(), queues=()))
    async with asyncio.timeout(5):
        assert (await first_reading(console, listing=True)).hosts == hosts


async def test_a_listing_of_a_host_that_is_up_is_waited_for() -> None:
    hosts = (HostState("mail1", Link.UP, 1.0),)
    console = StillConsole(replace(SNAPSHOT, hosts=hosts, probes=(listing("mail1/postfix", 0.0),), logs=(), queues=()))
    reading = asyncio.create_task(first_reading(console, listing=True))
    await asyncio.sleep(0.05)
    assert not reading.done()
    console.show(probes=(listing("mail1/postfix", 3.0),))
    async with asyncio.timeout(5):
        assert (await reading).probes[0].tried == 3.0
