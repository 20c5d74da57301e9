"""One probe on one target: when it runs, what it found, how it is."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from functools import partial
from zlib import crc32

from msgspec.structs import replace

from mailtop.engine.budget import interval
from mailtop.engine.capabilities import UNKNOWN, Capabilities
from mailtop.engine.clock import Clock, within
from mailtop.engine.link import Link, drive
from mailtop.model.errors import Denied, LinkLost, MailtopError
from mailtop.model.snapshot import Health, ProbeState
from mailtop.model.topology import Target
from mailtop.probe import Found, Probe

STOPPED = "ended by the operator"
AGAIN = 60.0  # seconds after which what failed is tried again, at most
LATER = 1.5  # seconds from the start on until what stands on a screen of its own is asked: the queue comes first
GATED = 0.5  # seconds until a gate that was closed is tried again: it costs the host nothing
Deliver = Callable[[Target, str, Iterable[Found], float], None]


async def _untold(container: str) -> Capabilities:  # noqa: ARG001 — as Rights.of
    return UNKNOWN


class Collector:
    """Runs one probe again and again; a failure is its own cells' only."""

    def __init__(
        self,
        probe: Probe,
        target: Target,
        link: Link,
        clock: Clock,
        deliver: Deliver,
        gate: Callable[[Target, Probe], str] = lambda target, probe: "",  # noqa: ARG005
        rights: Callable[[str], Awaitable[Capabilities]] = _untold,
        calm: Callable[[Probe], float] = lambda probe: 1.0,  # noqa: ARG005
    ) -> None:
        """`gate` says why it may not run by itself now, empty where it may. `rights`: what we may do in a container.
        `calm`: how many times its interval it may take its time, for nobody looks.

        All probes of one target run on one beat, so that what is asked of it goes there together (see `Link.ask`); the
        beats of targets differ.
        """
        self.probe = probe
        self.target = target
        self.pace = 1.0
        self._link = link
        self._clock = clock
        self._deliver = deliver
        self._gate = gate
        self._rights = rights
        self._calm = calm
        self._forced = False
        self.running_since = self._asked_at = 0.0
        self._running: asyncio.Task[Iterable[Found]] | None = None
        self._stopped = False
        self._wake = asyncio.Event()
        self._denied_in = 0  # the link generation in which this was denied
        self._cost = 0.0
        self._beat = crc32(target.name.encode()) % 60_000 / 1000  # seconds: spreads load, and is the same at each start
        self._aside = probe.board is not None and probe.board.aside
        self.state = ProbeState(
            target.name, probe.name, Health.UNKNOWN, every=probe.every, note="not asked yet", aside=self._aside
        )

    async def keep(self) -> None:
        """Run at the probe's pace while there is a connection: until cancelled."""
        await self._link.wait_up()
        if self._aside and await within(self._wake, LATER):
            self._wake.clear()
        while True:
            await self._link.wait_up()
            pause = self._pause()
            why = "" if self._forced else self._gate(self.target, self.probe)
            if why:
                self.state = replace(self.state, note=why)
                pause = GATED
            elif self._denied_in != self._link.generation:
                self._forced = False
                await self.run()
                pause = self._until_due()
            if await within(self._wake, pause):
                self._wake.clear()

    def _pause(self) -> float:
        """Seconds until the next run: after a failure sooner, so that its end is not noticed an hour late."""
        failed = self.state.tried > 0.0 and self.state.health is Health.UNKNOWN
        every = min(self.probe.every, AGAIN) if failed else self.probe.every
        return max(0.25, interval(every * self.pace * self._calm(self.probe), self._cost))

    def _until_due(self) -> float:
        """Seconds until the target's next beat at this probe's pace, half a pause away at least."""
        every = self._pause()
        left = every - (self._clock.monotonic() - self._beat) % every
        return left if left >= every / 2 else left + every

    def refresh(self, *, force: bool = False) -> None:
        """Run now instead of at the next interval; `force`: whatever the gate says."""
        self._denied_in = 0
        self._forced = self._forced or force
        self._wake.set()

    def hasten(self) -> None:
        """Run now, where that is allowed: somebody looks."""
        self._wake.set()

    def stop(self) -> None:
        """End a run that is under way: what was known before stays known."""
        if self._running is not None:
            self._stopped = True
            self._running.cancel()

    async def run(self) -> None:
        """Run once; deliver what was found, or say why nothing was."""
        started, self._asked_at = self._clock.monotonic(), self._clock.now()
        self.running_since, self._stopped = self._asked_at, False
        self._running = asyncio.create_task(self._asked(), name=f"{self.target.name} {self.probe.name} asks")
        try:
            found = tuple(await self._running)
        except asyncio.CancelledError:
            if not self._stopped or self._ending():
                raise
            self.state = replace(self.state, note=STOPPED)
            return
        except MailtopError as error:
            if isinstance(error, Denied):
                self._denied_in = self._link.generation
            if not isinstance(error, LinkLost):  # a lost link is the host's trouble and shown there
                self.say(Health.DENIED if isinstance(error, Denied) else Health.UNKNOWN, str(error))
            return
        finally:
            self.running_since, self._running = 0.0, None
        took, asked = self._clock.monotonic() - started, self._asked_at
        self._cost = self.probe.cost(found, took)
        self._deliver(self.target, self.probe.name, found, asked)  # true when asked; the answer may be seconds old
        self.state = ProbeState(
            self.target.name, self.probe.name, Health.OK, asked, took, self._pause(), tried=asked, aside=self._aside
        )

    def _ending(self) -> bool:
        """Is the task that runs this being cancelled itself?"""
        task = asyncio.current_task()
        return task is not None and task.cancelling() > 0

    async def _asked(self) -> Iterable[Found]:
        """Put the question, by sudo where that is the way; raises at once for a right that is known to be missing."""
        if self._aside and (self.target.container or self.probe.needs.engine):
            self._link.source.afford(self.target.name)
        rights = await self._rights(self.target.container)
        rights.check(self.probe.needs)
        self._asked_at = self._clock.now()  # to find out what we may do can take seconds
        fitted = partial(rights.fitted, needs=self.probe.needs)
        return await drive(self.probe.run(self.target), self._link, self.target.container, self.probe.name, fitted)

    def say(self, health: Health, note: str) -> None:
        """Tell the face how this probe is."""
        self.state = replace(self.state, health=health, note=note, tried=self._clock.now())
