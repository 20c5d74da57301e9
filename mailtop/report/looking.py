"""Looking around for a report: everything is tried once, and whoever waits for long is told for what."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import TextIO

from mailtop.engine.console import Console
from mailtop.model.snapshot import Link, Snapshot
from mailtop.model.survey import Survey
from mailtop.report.ready import first_reading

QUIETLY = 1.0  # seconds
GATED = 3.0  # seconds for what waits for another answer first: a full listing, until the queue is counted
WITHIN = 60.0  # seconds: a host that answers nothing is then told as it is


async def looked(console: Console, err: TextIO, within: float = WITHIN) -> tuple[Survey, ...]:
    """Look around every host; says so on a terminal's `err` when it takes more than a moment."""
    looking = asyncio.create_task(_look(console, within))
    try:
        done, _ = await asyncio.wait((looking,), timeout=QUIETLY)
        if not done and err.isatty():
            err.write("mailtop: looking around …\n")
            err.flush()
        return await looking
    finally:
        looking.cancel()


async def _look(console: Console, within: float) -> tuple[Survey, ...]:
    await first_reading(console, within=within)
    with suppress(TimeoutError):
        async with asyncio.timeout(GATED):
            async for snapshot in console.snapshots():
                if all(probe.tried or probe.aside for probe in snapshot.probes if probe.target not in _down(snapshot)):
                    break
    return await console.survey()


def _down(snapshot: Snapshot) -> set[str]:
    """The targets of hosts that are not connected."""
    down = {host.name for host in snapshot.hosts if host.link is not Link.UP}
    return {probe.target for probe in snapshot.probes if probe.target.partition("/")[0] in down}
