"""One host under watch: its link, what was found on it, and a task for each probe and each log."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Coroutine, Iterable, Mapping
from typing import Any

from mailtop.engine import discovery
from mailtop.engine.clock import Clock, within
from mailtop.engine.collector import Collector, Deliver
from mailtop.engine.discovery import Container, containers, target_of
from mailtop.engine.follow import Follower
from mailtop.engine.link import Link, drive
from mailtop.model.errors import Denied, LinkLost, MailtopError
from mailtop.model.snapshot import Health, ProbeState, TargetState
from mailtop.model.topology import Role, Target
from mailtop.probe import Probe

RESTART_AFTER = 5.0  # seconds until a task that died of a bug of ours is started again

_log = logging.getLogger(__name__)


class Watch:
    """Keeps collectors and followers for all that runs on one host.

    `follower` makes the follower of a target's log, or None for a target whose log is not read. `gate` says why a
    probe may not run by itself now, empty where it may.
    """

    def __init__(
        self,
        link: Link,
        clock: Clock,
        probes: Iterable[Probe],
        roles: Mapping[str, Role],
        *,
        docker: bool,
        shell: bool,
        deliver: Deliver,
        follower: Callable[[Target, Link], Follower[Any] | None],
        gate: Callable[[Target, Probe], str],
    ) -> None:
        self.link = link
        self.targets: dict[str, TargetState] = {}
        self.containers: dict[str, Container] = {}
        self.collectors: dict[tuple[str, str], Collector] = {}
        self.followers: dict[str, Follower[Any]] = {}
        self._clock = clock
        self._probes = tuple(probes)
        self._roles = roles
        self._docker = docker
        self.shell = shell
        self._deliver = deliver
        self._follower = follower
        self._gate = gate
        self._wake = asyncio.Event()
        self._tasks: set[asyncio.Task[None]] = set()
        self._driven = False
        self.discovery = ProbeState(
            link.host, discovery.NAME, Health.UNKNOWN, every=discovery.EVERY, note="not asked yet"
        )

    def start(self, *, driven: bool = False) -> None:
        """Start all tasks. `driven`: a recording says when things run, so only the link and logs keep themselves."""
        self._driven = driven
        self._keep("link", self.link.keep)
        if self.shell:
            self._add(Target(self.link.host), "")
        if self._docker and not driven:
            self._keep("discovery", self._discover)

    async def close(self) -> None:
        """End all tasks and the connection."""
        for task in self._tasks:
            task.cancel()
        await self.link.close()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def refresh(self, target: str = "", probe: str = "", *, force: bool = False) -> None:
        """Ask now: all probes, or those of one target or one name. `force`: whatever it costs."""
        self._wake.set()
        for (name, asked), collector in self.collectors.items():
            if target in ("", name) and probe in ("", asked):
                collector.refresh(force=force)

    def tried(self, target: str, probe: str) -> bool:
        """Has this probe run at all, well or not?"""
        collector = self.collectors.get((target, probe))
        return collector is not None and collector.state.tried > 0.0

    async def run(self, container: str, by: str) -> None:
        """Run one probe once, as a recording drives it."""
        if by == discovery.NAME:
            await self.discover()
            return
        name = Target(self.link.host, container).name
        collector = self.collectors.get((name, by))
        if collector is not None:
            await collector.run()

    async def _discover(self) -> None:
        while True:
            await self.link.wait_up()
            generation = self.link.generation
            self._wake.clear()  # what is asked for from here on wants an answer newer than this one
            await self.discover()
            denied = self.discovery.health is Health.DENIED
            while not await within(self._wake, discovery.EVERY):
                if not denied or self.link.generation != generation:
                    break  # a right that is missing is not asked for again before a reconnect

    async def discover(self) -> None:
        """Ask the Engine what runs, and start or end collectors accordingly."""
        try:
            found = await drive(containers(), self.link, "", discovery.NAME)
        except LinkLost:
            return  # the host's trouble, shown there
        except MailtopError as error:
            health = Health.DENIED if isinstance(error, Denied) else Health.UNKNOWN
            self._say(health, str(error), self.discovery.last_ok)
            return
        self.containers = {container.name: container for container in found}
        for container in found:
            target = target_of(self.link.host, container, self._roles)
            self._add(target, container.state)
        for name in [name for name in self.targets if "/" in name and name.split("/", 1)[1] not in self.containers]:
            self._say_gone(name)
        self._say(Health.OK, "", self._clock.now())

    def _say(self, health: Health, note: str, last_ok: float) -> None:
        host, every = self.link.host, discovery.EVERY
        self.discovery = ProbeState(
            host, discovery.NAME, health, last_ok, every=every, note=note, tried=self._clock.now()
        )

    def _say_gone(self, name: str) -> None:
        old = self.targets[name]
        if not old.roles:
            del self.targets[name]  # it was nothing to the platform
            return
        self.targets[name] = TargetState(name, old.host, old.roles, Health.CRIT, "gone", "the container is gone")

    def _add(self, target: Target, state: str) -> None:
        health = Health.OK if state in ("running", "") else Health.CRIT
        known = target.name in self.targets
        self.targets[target.name] = TargetState(target.name, target.host, target.roles, health, state)
        if known:
            return
        for probe in self._probes:
            if probe.role in target.roles if target.container else probe.role is None:
                collector = Collector(probe, target, self.link, self._clock, self._deliver, self._gate)
                self.collectors[target.name, probe.name] = collector
                if not self._driven:
                    self._keep(f"{target.name} {probe.name}", collector.keep)
        follower = self._follower(target, self.link) if target.container else None
        if follower is not None:
            self.followers[target.name] = follower
            self._keep(f"{target.name} log", follower.keep)

    def _keep(self, name: str, work: Callable[[], Coroutine[None, None, None]]) -> None:
        """Run `work` for ever: a bug in one plug-in is logged, and costs only its own cells."""
        task = asyncio.create_task(work(), name=name)
        self._tasks.add(task)

        def ended(task: asyncio.Task[None]) -> None:
            self._tasks.discard(task)
            if task.cancelled():
                return
            _log.error("%s ended", name, exc_info=task.exception())
            self._blame(name, task.exception())
            asyncio.get_running_loop().call_later(RESTART_AFTER, self._keep, name, work)

        task.add_done_callback(ended)

    def _blame(self, name: str, error: BaseException | None) -> None:
        target, _, probe = name.partition(" ")
        collector = self.collectors.get((target, probe))
        if collector is not None:
            collector.say(Health.UNKNOWN, f"mailtop's own fault: {error!r}; please report it")
