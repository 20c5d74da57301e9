"""`mailtop record`: what a dashboard would see, written down without a screen."""

from __future__ import annotations

import asyncio
from argparse import Namespace
from contextlib import suppress
from typing import TextIO

from mailtop.engine.console import Console


async def run(console: Console, options: Namespace, out: TextIO, err: TextIO) -> int:  # noqa: ARG001  (a face's form)
    """Record until ctrl-c, or for so many seconds."""
    err.write(f"mailtop: recording to {options.to}; ctrl-c ends it\n")
    with suppress(TimeoutError, asyncio.CancelledError):
        async with asyncio.timeout(options.seconds or None):
            async for _ in console.snapshots():
                pass
    return 0
