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
FORGET_AFTER = 600.0  # seconds for which a container that is gone is missed
GONE = "the container is gone"

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
        self._tasks: dict[asyncio.Task[None], str] = {}  # and the target that each is for, empty for the host's own
        self._gone_at: dict[str, float] = {}
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
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await self.link.close()
        await asyncio.gather(*tasks, return_exceptions=True)

    def refresh(self, target: str = "", probe: str = "", *, force: bool = False) -> None:
        """Ask now: all probes, or those of one target or one name. `force`: whatever it costs."""
        self.link.retry()
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
            self._lose(name)
        self._say(Health.OK, "", self._clock.now())

    def _say(self, health: Health, note: str, last_ok: float) -> None:
        host, every = self.link.host, discovery.EVERY
        self.discovery = ProbeState(
            host, discovery.NAME, health, last_ok, every=every, note=note, tried=self._clock.now()
        )

    def _lose(self, name: str) -> None:
        """A container is gone: nothing asks it any more; and after a while nobody misses it."""
        old, now = self.targets[name], self._clock.now()
        if name not in self._gone_at:
            self._gone_at[name] = now
            for task in [task for task, of in self._tasks.items() if of == name]:
                task.cancel()
            for collector in self._collectors_of(name):
                collector.say(Health.UNKNOWN, GONE)
            if name in self.followers:
                self.followers[name].say(Health.UNKNOWN, GONE)
        if old.roles and now - self._gone_at[name] < FORGET_AFTER:
            self.targets[name] = TargetState(name, old.host, old.roles, Health.CRIT, "gone", GONE)
            return
        for known in (self.targets, self.followers, self._gone_at):
            known.pop(name, None)
        for key in [key for key in self.collectors if key[0] == name]:
            del self.collectors[key]

    def _add(self, target: Target, state: str) -> None:
        health = Health.OK if state in ("running", "") else Health.CRIT
        known, back = target.name in self.targets, self._gone_at.pop(target.name, None) is not None
        self.targets[target.name] = TargetState(target.name, target.host, target.roles, health, state)
        if back:
            self._start(target.name)
        if known:
            return
        for probe in self._probes:
            if probe.role in target.roles if target.container else probe.role is None:
                collector = Collector(probe, target, self.link, self._clock, self._deliver, self._gate)
                self.collectors[target.name, probe.name] = collector
        follower = self._follower(target, self.link) if target.container else None
        if follower is not None:
            self.followers[target.name] = follower
        self._start(target.name)

    def _start(self, name: str) -> None:
        """Let all that is for a target run; what a recording drives does not run by itself."""
        for collector in self._collectors_of(name) if not self._driven else ():
            self._keep(f"{name} {collector.probe.name}", collector.keep, name)
        if name in self.followers:
            self._keep(f"{name} log", self.followers[name].keep, name)

    def _collectors_of(self, name: str) -> list[Collector]:
        return [collector for (target, _), collector in self.collectors.items() if target == name]

    @property
    def seen(self) -> tuple[TargetState, ...]:
        """All targets; what was seen before the connection, or discovery, was lost is no state of now."""
        states = tuple(self.targets.values())
        if not self.link.up:
            return tuple(_was(state, self.link.state.note or "not connected yet") for state in states)
        if self.discovery.health is not Health.OK:
            return tuple(_was(state, self.discovery.note) if "/" in state.name else state for state in states)
        return states

    @property
    def unread(self) -> str:
        """Why nobody knows whether mail goes through this host; empty where its Postfixes are found, or it has none."""
        if not self._docker or any(Role.MTA in state.roles for state in self.targets.values()):
            return ""
        if not self.discovery.last_ok:
            return self.link.state.note if not self.link.up else self.discovery.note
        host = f"{self.link.host}/"
        named = [name for name, role in self._roles.items() if role is Role.MTA and name.startswith(host)]
        return f"{named[0]}: there is no such container" if named else ""

    def _keep(self, name: str, work: Callable[[], Coroutine[None, None, None]], target: str = "") -> None:
        task = asyncio.create_task(self._for_ever(name, work), name=f"keep {name}")
        self._tasks[task] = target
        task.add_done_callback(lambda task: self._tasks.pop(task, None))

    async def _for_ever(self, name: str, work: Callable[[], Coroutine[None, None, None]]) -> None:
        """Run `work` for ever: a bug in one plug-in is logged, and costs only its own cells."""
        while True:
            task = asyncio.create_task(work(), name=name)
            try:
                await asyncio.wait((task,))
            except asyncio.CancelledError:
                task.cancel()
                await asyncio.wait((task,))
                raise
            _log.error("%s ended", name, exc_info=task.exception())
            self._blame(name, f"mailtop's own fault: {task.exception()!r}; please report it")
            await asyncio.sleep(RESTART_AFTER)

    def _blame(self, name: str, note: str) -> None:
        """Whose task died says so itself: no cell may wait without a word."""
        target, _, what = name.partition(" ")
        if name == "link":
            self.link.blame(note)
        elif name == "discovery":
            self._say(Health.UNKNOWN, note, self.discovery.last_ok)
        elif what == "log" and target in self.followers:
            self.followers[target].say(Health.UNKNOWN, note)
        elif (target, what) in self.collectors:
            self.collectors[target, what].say(Health.UNKNOWN, note)


def _was(state: TargetState, why: str) -> TargetState:
    last = f"{state.state} when last seen: " if state.state else ""
    return TargetState(state.name, state.host, state.roles, Health.UNKNOWN, "", f"{last}{why}")
