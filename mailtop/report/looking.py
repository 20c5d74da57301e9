"""Looking around for a report: everything is tried once, and whoever waits for long is told for what."""

from __future__ import annotations

import asyncio
from typing import TextIO

from mailtop.engine.console import Console
from mailtop.model.survey import Survey
from mailtop.report.ready import first_reading

QUIETLY = 1.0  # seconds
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
    return await console.survey()
