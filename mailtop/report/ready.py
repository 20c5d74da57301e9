"""When a first reading of everything is complete: each host answered or failed, each probe ran, each log was read."""

from __future__ import annotations

import asyncio

from mailtop.engine.console import Console
from mailtop.model.errors import TimedOut
from mailtop.model.snapshot import HostState, Link, Snapshot

LISTING = "postfix_listing"
BEFORE = ("not read yet", "connecting to the log", "its log is still being read back")
"""What a log's note says until it is known up to now, or cannot be."""

WITHIN = 30.0  # seconds; then what there is has to do, and what is missing says so itself


async def first_reading(console: Console, *, listing: bool = False, within: float = WITHIN) -> Snapshot:
    """Wait for a complete snapshot and return it; after `within` seconds, the newest as it is.

    What is `aside` is not waited for, and a full listing, which may want to be asked for, only with `listing`."""
    newest: Snapshot | None = None
    asked: set[str] = set()
    try:
        async with asyncio.timeout(within) as limit:
            async for snapshot in console.snapshots():
                newest = snapshot
                if snapshot.questions:  # the time that a person takes is not the hosts'
                    limit.reschedule(asyncio.get_running_loop().time() + within)
                if not _complete(snapshot):
                    continue
                for queue in snapshot.queues if listing else ():
                    if queue.target not in asked:
                        asked.add(queue.target)
                        await console.refresh(queue.target, "listing")
                up = _up(snapshot)
                if not listing or all(p.tried for p in snapshot.probes if p.probe == LISTING and _host(p.target) in up):
                    return snapshot
    except TimeoutError as error:
        if newest is None:
            raise TimedOut("engine", f"it said nothing for {within:.0f} s") from error
    assert newest is not None  # noqa: S101  (told to mypy: snapshots() yields before it ends)
    return newest


def _complete(snapshot: Snapshot) -> bool:
    up = _up(snapshot)
    return (
        all(_settled(host) for host in snapshot.hosts)
        and all(
            probe.tried
            for probe in snapshot.probes
            if _host(probe.target) in up and probe.probe != LISTING and not probe.aside
        )
        and all(log.note not in BEFORE for log in snapshot.logs if _host(log.target) in up)
    )


def _up(snapshot: Snapshot) -> set[str]:
    return {host.name for host in snapshot.hosts if host.link is Link.UP}


def _host(target: str) -> str:
    return target.partition("/")[0]


def _settled(host: HostState) -> bool:
    return host.link is not Link.CONNECTING
