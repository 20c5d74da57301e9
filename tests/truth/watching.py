"""An engine over the lab, and how a test waits for what a face would be shown."""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path

from maillab.reach import SSH_CONFIG

from mailtop.config import DnsSettings, HostSettings, PlatformSettings, Settings
from mailtop.engine.engine import Engine
from mailtop.engine.making import engine_of
from mailtop.engine.process import Setup
from mailtop.ledger.book import Ledger
from mailtop.model.board import Block
from mailtop.model.snapshot import (
    Health,
    HostState,
    Link,
    LogState,
    PageAsk,
    ProbeState,
    Reading,
    Snapshot,
    TargetState,
)

TICK = 0.2  # seconds between two snapshots
HISTORY = 5  # seconds of log that are read back: these tests look at what they cause themselves
HERE = HostSettings(shell=False)  # this machine's Engine, and no more


class Watching:
    """A running engine with the snapshots that it gave; `remember`: only so many of the newest."""

    def __init__(self, engine: Engine, remember: int | None = None) -> None:
        self.engine = engine
        self.seen: deque[Snapshot] = deque(maxlen=remember)

    def after(self, at: float) -> list[Snapshot]:
        """All the snapshots since a moment of theirs."""
        return [snapshot for snapshot in self.seen if snapshot.at > at]

    @property
    def now(self) -> Snapshot:
        """The newest snapshot."""
        return self.seen[-1]

    def book(self, target: str) -> Ledger:
        """The book that the engine keeps of one Postfix."""
        return self.engine._watching.books.mtas[target].book

    def since(self, target: str) -> int:
        """From which second on the engine has read a log."""
        host = target.partition("/")[0]
        return self.engine._watching.watches[host].followers[target]._follow.since

    async def until(self, what: str, condition: Callable[[Snapshot], object], within: float = 30.0) -> Snapshot:
        """The first new snapshot for which a condition holds."""
        try:
            async with asyncio.timeout(within):
                async for snapshot in self.engine.snapshots():
                    if condition(snapshot):
                        return snapshot
        except TimeoutError:
            raise AssertionError(f"not within {within:g} s: {what}\n{told(self.now)}") from None
        raise AssertionError("the engine ended")

    async def until_read(self, *targets: str) -> Snapshot:
        """Until all hosts are up, these targets are found, their logs followed and their queues counted."""

        def ready(snapshot: Snapshot) -> bool:
            logs = {log.target: log.health for log in snapshot.logs}
            return (
                all(host.link is Link.UP for host in snapshot.hosts)
                and all(logs.get(target) is Health.OK for target in targets)
                and all(count(snapshot, target, "deferred").value is not None for target in targets)
                and all(count(snapshot, target, "active").value is not None for target in targets)
            )

        return await self.until(f"{', '.join(targets)} read", ready)

    async def keep(self) -> None:
        """Keep every snapshot: until cancelled."""
        async for snapshot in self.engine.snapshots():
            self.seen.append(snapshot)

    async def block(
        self, screen: str, target: str, probe: str, what: str, condition: Callable[[Block], object]
    ) -> Block:
        """Wait a minute until a probe's block of a target is of now, and so; `target` empty: of any."""
        last = None
        try:
            async with asyncio.timeout(60):
                async for _ in self.engine.snapshots():
                    for one in (await self.engine.page(PageAsk("board", target, screen))).blocks:
                        last = one if one.probe == probe else last
                        if one.probe == probe and not one.stale and condition(one):
                            return one
        except TimeoutError:
            raise AssertionError(f"not within a minute: {what}\n{last}") from None
        raise AssertionError("the engine ended")


def hosts_over_ssh(**users: str) -> dict[str, HostSettings]:
    """Both of the lab's hosts over SSH; `mail1="guest"` gives another user than root."""
    names = {"mail1": "mail1", "mail2": "mail2"} | {name: f"{user}@{name}" for name, user in users.items()}
    return {name: HostSettings(ssh=way, ssh_config=str(SSH_CONFIG)) for name, way in names.items()}


@asynccontextmanager
async def watching(
    hosts: dict[str, HostSettings],
    folder: Path,
    remember: int | None = None,
    platform: PlatformSettings = PlatformSettings("the lab"),  # noqa: B008 - frozen
    dns: DnsSettings = DnsSettings(),  # noqa: B008 - frozen
) -> AsyncIterator[Watching]:
    """An engine in this process, operated by ann, with `folder/audit.jsonl`."""
    settings = Settings(platform, hosts, interval=TICK, history=HISTORY, dns=dns)
    engine = engine_of(Setup(settings, operator="ann", audit=str(folder / "audit.jsonl")))
    with _own_faults() as faults:
        await engine.start()
        watched = Watching(engine, remember)
        keeping = asyncio.create_task(watched.keep())
        try:
            yield watched
        finally:
            await engine.close()
            await keeping
    assert not faults


@contextmanager
def _own_faults() -> Iterator[list[str]]:
    """What mailtop itself and its event loop log as errors: bugs, whatever the lab goes through."""
    faults: list[str] = []
    handler = logging.Handler(logging.ERROR)
    handler.emit = lambda record: faults.append(logging.Formatter().format(record))  # type: ignore[method-assign]  # a handler that keeps
    loggers = [logging.getLogger(name) for name in ("mailtop", "asyncio")]
    for logger in loggers:
        logger.addHandler(handler)
    try:
        yield faults
    finally:
        for logger in loggers:
            logger.removeHandler(handler)


def host(snapshot: Snapshot, name: str) -> HostState:
    """One host's connection."""
    return next(host for host in snapshot.hosts if host.name == name)


def log(snapshot: Snapshot, target: str) -> LogState:
    """One log; one that is not there yet is unknown."""
    return next((log for log in snapshot.logs if log.target == target), LogState(target, "", Health.UNKNOWN))


def probe(snapshot: Snapshot, target: str, name: str) -> ProbeState:
    """One probe on one target; one that is not there yet is unknown."""
    states = (state for state in snapshot.probes if (state.target, state.probe) == (target, name))
    return next(states, ProbeState(target, name, Health.UNKNOWN))


def state_of(snapshot: Snapshot, target: str) -> TargetState:
    """One target."""
    return next(state for state in snapshot.targets if state.name == target)


def count(snapshot: Snapshot, target: str, queue: str) -> Reading:
    """How many messages a queue directory holds; a queue that is not there yet is unknown."""
    return next((dict(state.counts)[queue] for state in snapshot.queues if state.target == target), Reading())


def told(snapshot: Snapshot) -> str:
    """What a failed test prints: the connections, and everything that is not well."""
    lines = [f"{one.name}: {one.link} {one.note}" for one in snapshot.hosts]
    lines += [f"{one.target} log: {one.health} {one.lines} lines, {one.note}" for one in snapshot.logs]
    lines += [f"{one.target} {one.probe}: {one.health} {one.note}" for one in snapshot.probes if one.note]
    lines += [
        f"{one.target}: " + ", ".join(f"{name} {reading.value} {reading.health}" for name, reading in one.counts)
        for one in snapshot.queues
    ]
    return "\n".join(lines)
