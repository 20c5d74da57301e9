"""One host under watch: its link, what was found on it, and a task for each probe and each log."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Coroutine, Iterable, Mapping
from typing import Any

from mailtop.engine import discovery
from mailtop.engine.capabilities import Rights
from mailtop.engine.clock import Clock, within
from mailtop.engine.collector import Collector, Deliver
from mailtop.engine.discovery import Container, Finder, instances
from mailtop.engine.follow import Follower
from mailtop.engine.link import Link, drive
from mailtop.model.errors import Denied, LinkLost, MailtopError, Missing
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
    probe may not run by itself now, empty where it may; `calm`, how many times its interval it may take. `twin` names
    the host under which a machine, or an Engine, is shown already (host, `machine` or `engine`, its identity), empty
    where under none.
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
        calm: Callable[[Probe], float] = lambda probe: 1.0,  # noqa: ARG005
        twin: Callable[[str, str, str], str] = lambda host, what, identity: "",  # noqa: ARG005
        sudo: bool = True,
        socket: str = "",
        begun: asyncio.Event | None = None,
    ) -> None:
        """`begun`: probes, logs and a closer look wait for it; what containers there are is found out before."""
        self.link = link
        self.known: dict[str, Target] = {}
        self.targets: dict[str, TargetState] = {}
        self.containers: dict[str, Container] = {}
        self.finder = Finder(link.host, roles, docker=docker, shell=shell)
        self.rights = Rights(link, sudo=sudo, sockets=(socket,) if docker and socket else ())
        self.same = ""  # the host under which this machine is shown already
        self.engine_of = ""  # the host under which this Engine's containers are shown already
        self.note = ""  # what else is to be said of the host while it is up
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
        self._calm = calm
        self._twin = twin
        self._socket = socket
        self._begun = begun
        self._listed = False  # are the containers' states known, on this connection?
        self._generation = 0
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
        if not driven:
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

    def find(self) -> None:
        """Look around now."""
        self._wake.set()

    def stop(self, target: str, probe: str) -> None:
        """End a probe that runs, of one target or of all."""
        for (name, asked), collector in self.collectors.items():
            if probe == asked and target in ("", name):
                collector.stop()

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
        """Ask what runs, the Engine and the host itself, and start or end collectors accordingly."""
        try:
            trouble = await self._find()
        except LinkLost:
            return  # the host's trouble, shown there
        except MailtopError as error:
            trouble = error
        if trouble is not None:
            health = Health.DENIED if isinstance(trouble, Denied) else Health.UNKNOWN
            self._say(health, str(trouble), self.discovery.last_ok)
            return
        self._say(Health.OK, self.note, self._clock.now())

    async def _find(self) -> MailtopError | None:
        """Find all targets; return what is the matter with the Engine, where something is."""
        finder, host = self.finder, self.link.host
        if self._generation != self.link.generation:
            self._generation = self.link.generation
            self._listed = False
            finder.forget()
        await drive(finder.who(), self.link, "", discovery.NAME)
        self.same = self._twin(host, "machine", finder.machine)
        engine = self.engine_of = "" if self.same else self._twin(host, "engine", finder.engine)
        if self.same:
            self.note = f"the same machine as {self.same}, shown there"
        else:
            self.note = f"its containers are shown as {engine}'s: the same Docker Engine" if engine else ""
        if self.same:
            self._settle([(Target(host), "")] if self.shell else [])
            return None
        trouble = None if engine else await self._list()
        if trouble is None and not engine:
            self._settle(finder.targets())  # what their names tell, at once
        if self._begun is not None:
            await self._begun.wait()
        if await drive(finder.closer(self._clock.now()), self.link, "", discovery.NAME):
            for target in finder.postfixes():
                if not (engine and target.container):
                    await self._further(target)
        self._settle([one for one in finder.targets() if not (engine and one[0].container)])
        return trouble

    async def _list(self) -> MailtopError | None:
        try:
            await drive(self.finder.listed(), self.link, "", discovery.NAME)
        except LinkLost:
            raise
        except MailtopError as error:
            return None if await self._has_no_engine(error) else error
        found = {container.name: container for container in self.finder.containers}
        for name, container in found.items():
            if name in self.containers and self.containers[name].id != container.id:
                self.rights.forget(name)
        self.containers = found
        self._listed = True
        return None

    async def _has_no_engine(self, error: MailtopError) -> bool:
        """Is there simply no Docker on this host? Not where there was one, or where nobody can tell."""
        if self.containers or not self._socket or not self.shell or not isinstance(error, Missing):
            return False
        may = await self.rights.of("")
        return may.known and self._socket not in may.sockets

    async def _further(self, target: Target) -> None:
        """Ask a Postfix for its further instances; one without postmulti, or in trouble, has none to tell."""
        try:
            further = await drive(instances(target), self.link, target.container, "instances")
        except LinkLost:
            raise
        except MailtopError:
            return
        if self.finder.told(target, further) and target.name in self.known:
            self._forget(target.name)  # its log is others' too: its books begin anew

    def _settle(self, found: list[tuple[Target, str]]) -> None:
        """Watch what was found, and nothing else."""
        for target, state in found:
            self._add(target, state)
        names = {target.name for target, _ in found}
        for name in [name for name, target in self.known.items() if name not in names and target.name != target.host]:
            if self.note:
                self._forget(name)  # it is not gone: it is shown elsewhere
            else:
                self._lose(name)

    def _say(self, health: Health, note: str, last_ok: float) -> None:
        host, every = self.link.host, discovery.EVERY
        if health is not Health.OK:
            self._listed = False
        self.discovery = ProbeState(
            host, discovery.NAME, health, last_ok, every=every, note=note, tried=self._clock.now()
        )

    def _lose(self, name: str) -> None:
        """A container is gone: nothing asks it any more; and after a while nobody misses it."""
        old, now = self.targets[name], self._clock.now()
        if name not in self._gone_at:
            self._gone_at[name] = now
            self._stop(name)
            for collector in self._collectors_of(name):
                collector.say(Health.UNKNOWN, GONE)
            if name in self.followers:
                self.followers[name].say(Health.UNKNOWN, GONE)
        if old.roles and now - self._gone_at[name] < FORGET_AFTER:
            self.targets[name] = TargetState(name, old.host, old.roles, Health.CRIT, "gone", GONE)
            return
        self._forget(name)

    def _forget(self, name: str) -> None:
        self._stop(name)
        for kept in (self.known, self.targets, self.followers, self._gone_at):
            kept.pop(name, None)
        for key in [key for key in self.collectors if key[0] == name]:
            del self.collectors[key]

    def _stop(self, name: str) -> None:
        for task in [task for task, of in self._tasks.items() if of == name]:
            task.cancel()

    def _add(self, target: Target, state: str) -> None:
        name, health = target.name, Health.OK if state in ("running", "") else Health.CRIT
        known, back = self.known.get(name), self._gone_at.pop(name, None) is not None
        note = self.note if name == self.link.host else ""
        self.known[name] = target
        self.targets[name] = TargetState(name, target.host, target.roles, health, state, note)
        wanted = self._probes_of(target)
        if known == target and wanted == {probe for of, probe in self.collectors if of == name}:
            if back:
                self._start(name)
            return
        self._stop(name)
        for key in [key for key in self.collectors if key[0] == name and key[1] not in wanted]:
            del self.collectors[key]
        for probe in self._probes:
            if probe.name in wanted and (name, probe.name) not in self.collectors:
                self.collectors[name, probe.name] = Collector(
                    probe, target, self.link, self._clock, self._deliver, self._gate, self.rights.of, self._calm
                )
        follower = self._follower(target, self.link)
        if follower is None:
            self.followers.pop(name, None)
        else:
            self.followers.setdefault(name, follower)
        self._start(name)

    def _probes_of(self, target: Target) -> set[str]:
        """What is asked of a target: by its roles, and of the host itself; of one that is shown elsewhere, nothing."""
        if target.name == target.host and self.same:
            return set()
        return {probe.name for probe in self._probes if probe.is_for(target)}

    def _start(self, name: str) -> None:
        """Let all that is for a target run; what a recording drives does not run by itself."""
        for collector in self._collectors_of(name) if not self._driven else ():
            self._keep(f"{name} {collector.probe.name}", self._in_turn(collector.keep), name)
        if name in self.followers:
            self._keep(f"{name} log", self._in_turn(self.followers[name].keep), name)

    def _in_turn(self, work: Callable[[], Coroutine[None, None, None]]) -> Callable[[], Coroutine[None, None, None]]:
        begun = self._begun
        if begun is None or begun.is_set():
            return work

        async def later() -> None:
            await begun.wait()
            await work()

        return later

    def _collectors_of(self, name: str) -> list[Collector]:
        return [collector for (target, _), collector in self.collectors.items() if target == name]

    @property
    def seen(self) -> tuple[TargetState, ...]:
        """All targets; what was seen before the connection, or discovery, was lost is no state of now."""
        states = tuple(self.targets.values())
        if not self.link.up:
            return tuple(_was(state, self.link.state.note or "not connected yet") for state in states)
        if self.discovery.health is not Health.OK and not self._listed:
            return tuple(
                _was(state, self.discovery.note) if self.known[state.name].container else state for state in states
            )
        return states

    def rests(self, target: str) -> str:
        """Say of a target that Docker has ended, frozen or never started how it is; empty for one that runs.

        What was found of it is then of another time, whether or not anybody could ask since.
        """
        state = self.targets.get(target)
        return f"{target} is {state.state}" if state is not None and state.health is Health.CRIT else ""

    @property
    def unread(self) -> str:
        """Why nobody knows whether mail goes through this host; empty where its Postfixes are found, or it has none."""
        if self.same or any(Role.MTA in state.roles for state in self.targets.values()):
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
