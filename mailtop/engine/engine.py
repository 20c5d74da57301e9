"""What happens when: one loop that owns every dict, and the console that a face talks to."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Iterable
from functools import partial
from pathlib import Path

from msgspec.structs import replace

from mailtop import __version__
from mailtop.config import HostSettings, Settings
from mailtop.derive.cells import host_cells
from mailtop.derive.firing import firing
from mailtop.derive.hops import hop_states
from mailtop.engine import pages
from mailtop.engine.audit import AuditLog
from mailtop.engine.budget import affordable
from mailtop.engine.clock import Clock, SystemClock, within
from mailtop.engine.executor import Executor
from mailtop.engine.follow import Follower
from mailtop.engine.link import Link
from mailtop.engine.mta import Mta
from mailtop.engine.playing import Playing
from mailtop.engine.process import Setup
from mailtop.engine.receipts import Receipts
from mailtop.engine.sources import live, recorded
from mailtop.engine.watch import Watch
from mailtop.ledger.counts import counts
from mailtop.metrics.store import Store
from mailtop.model.ask import Chunk, Follow, Source
from mailtop.model.errors import Refused, UsageError
from mailtop.model.operation import Approval, Outcome, Preview, Receipt, Selection
from mailtop.model.sample import Sample
from mailtop.model.snapshot import Health, HostState, LogState, Page, PageAsk, ProbeState, Series, Snapshot
from mailtop.model.topology import Role, Target
from mailtop.parse.batch import Batch
from mailtop.parse.postfix_log import PostfixLog
from mailtop.parse.stamp import Stamps
from mailtop.probe import Found, Probe, probes
from mailtop.probe.postfix_listing import COST
from mailtop.probe.postfix_listing import PROBE as LISTING
from mailtop.transport.recording import SCHEMA, Header, Tape
from mailtop.transport.replay import Due, Replay

TICK_AGAIN = 1.0  # seconds from a tick that failed, by a bug of ours, to the next

_log = logging.getLogger(__name__)


class Engine:
    """The whole of mailtop but its face. Implements `Console`."""

    def __init__(
        self,
        settings: Settings,
        sources: dict[str, Callable[[], Source]],
        clock: Clock,
        *,
        operator: str,
        audit: Path,
        read_only: bool = False,
        playing: Playing | None = None,
        tape: Tape | None = None,
    ) -> None:
        """`sources`: what makes the source of each host of `settings.hosts`; `tape`: a recording to write."""
        self._settings = settings
        self._sources = sources
        self._clock = clock
        self._operator = operator
        self._playing = playing
        self._tape = tape
        self._read_only = read_only or playing is not None
        log = AuditLog(audit)
        self._executor = Executor(
            self._linked, self._queued, log, Receipts(log, clock.now()), clock, read_only=self._read_only
        )
        self._watches: dict[str, Watch] = {}
        self._mtas: dict[str, Mta] = {}
        self._roles: dict[str, tuple[Role, ...]] = {}
        self._store = Store()
        self._host_samples: dict[str, dict[str, tuple[Sample, ...]]] = {}
        self._interval = settings.interval
        self._paused = False
        self._seq = 0
        self._snapshot: Snapshot | None = None
        self._changed = asyncio.Condition()
        self._due = asyncio.Event()
        self._firing_since: dict[tuple[str, str], float] = {}
        self._tasks: list[asyncio.Task[None]] = []
        self._ended = False

    @classmethod
    def of(cls, setup: Setup) -> Engine:
        """The engine that a `Setup` describes; raises from the tree for a recording that is none."""
        audit = Path(setup.audit) if setup.audit else Path("/dev/null")
        if setup.recording:
            playing = Playing(Path(setup.recording), setup.speed)
            return cls._of_recording(setup, playing, audit)
        settings, clock, tape = setup.settings, SystemClock(), None
        sources = {name: live(name, host) for name, host in settings.hosts.items()}
        if setup.record_to:
            header = Header(SCHEMA, __version__, clock.now(), _platform(settings), tuple(settings.hosts))
            tape = Tape(Path(setup.record_to), header)
            sources = {name: recorded(name, make, tape.write, clock.now) for name, make in sources.items()}
        return cls(settings, sources, clock, operator=setup.operator, audit=audit, read_only=setup.read_only, tape=tape)

    @classmethod
    def _of_recording(cls, setup: Setup, playing: Playing, audit: Path) -> Engine:
        header = playing.player.recording.header

        def source(name: str) -> Callable[[], Source]:
            return lambda: Replay(playing.player, name)

        settings = Settings(
            platform=type(setup.settings.platform)(name=header.platform),
            hosts={name: HostSettings() for name in header.hosts},
            flow=setup.settings.flow,
            interval=setup.settings.interval,
        )
        sources = {name: source(name) for name in header.hosts}
        return cls(settings, sources, playing.clock, operator=setup.operator, audit=audit, playing=playing)

    # its life

    async def start(self) -> None:
        """Connect to everything and begin to watch; returns at once."""
        self._open()
        self._keep_ticking()
        if self._playing is not None:
            self._tasks.append(asyncio.create_task(self._play(self._playing)))

    def _open(self) -> None:
        driven = self._playing is not None
        roles = {service.target: service.role for service in self._settings.services.values()}
        for name, host in self._settings.hosts.items():
            link = Link(name, self._sources[name], self._clock)
            watch = Watch(
                link,
                self._clock,
                probes(),
                roles,
                docker=host.docker,
                shell=host.shell,
                deliver=self._deliver,
                follower=self._follower,
                gate=self._gate,
            )
            self._watches[name] = watch
            watch.start(driven=driven)

    async def close(self) -> None:
        """End all tasks and connections."""
        self._ended = True
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await asyncio.gather(*(watch.close() for watch in self._watches.values()))
        if self._tape is not None:
            await asyncio.to_thread(self._tape.close)
        async with self._changed:
            self._changed.notify_all()

    async def _play(self, playing: Playing) -> None:
        async def run(due: Due) -> None:
            await self._watches[due.host].run(due.container, due.by)

        await playing.play(run)

    def _keep_ticking(self) -> None:
        """A bug in what is made of what is known is logged and tried again: it may not freeze the face for ever."""
        if not self._ended:
            task = asyncio.create_task(self._tick(), name="tick")
            self._tasks.append(task)
            task.add_done_callback(self._ticked)

    def _ticked(self, task: asyncio.Task[None]) -> None:
        self._tasks.remove(task)
        if not task.cancelled():
            _log.error("the tick ended", exc_info=task.exception())
            asyncio.get_running_loop().call_later(TICK_AGAIN, self._keep_ticking)

    async def _tick(self) -> None:
        """A snapshot at each interval, or at once when something asks for one."""
        while True:
            self._due.clear()
            if not self._paused:
                await self._publish()
            await within(self._due, self._interval)

    async def _publish(self) -> None:
        now, executor = self._clock.now(), self._executor
        logs = self._watching.follow_on(now)
        executor.receipts.settle(self._watching.decide, now)
        self._seq += 1
        snapshot = replace(
            self._watching.picture(self._seq, now, logs),
            receipts=executor.receipts.shown,
            interval=self._interval,
            read_only=bool(self._read_only),
            unlocked_until=executor.unlocked_until if executor.unlocked else 0.0,
            replay=self._playing.speed if self._playing is not None else 0.0,
            recording=self._tape is not None and not self._tape.failed,
            paused=self._paused,
        )

    def _host(self, watch: Watch, probes: dict[str, dict[str, ProbeState]], now: float) -> HostState:
        """A host's connection, with its own figures while there is one."""
        state = watch.link.state
        if not watch.link.up or not watch.shell:
            return state
        cells = host_cells(self._host_samples.get(state.name, {}), probes.get(state.name, {}), now)
        return replace(state, cells=cells)

    def _lost(self, host: str) -> str:
        """Why a host is not reached, empty while it is."""
        link = self._watches[host].link
        return "" if link.up else link.state.note or "not connected"

    def _listing(self, mta: Mta, now: float) -> float | None:
        """How far a full listing is that runs now, 0.0 … 0.99, by what such a length usually takes."""
        collector = self._watches[mta.target.host].collectors.get((mta.target.name, LISTING.name))
        if collector is None or not collector.running_since:
            return None
        return min(0.99, (now - collector.running_since) / (1.0 + COST * (mta.messages or 0)))

    # the console

    async def snapshots(self) -> AsyncIterator[Snapshot]:
        """See Console."""
        seq = -1
        while not self._ended:
            async with self._changed:
                while not self._ended and (self._snapshot is None or self._snapshot.seq == seq):
                    await self._changed.wait()
                snapshot = self._snapshot
            if snapshot is not None and not self._ended:
                seq = snapshot.seq
                yield snapshot

    async def page(self, ask: PageAsk) -> Page:
        """See Console."""
        now = self._clock.now()
        books = [mta for mta in self._mtas.values() if ask.target in ("", mta.target.name)]
        if ask.target and not books:
            raise UsageError(ask.target[:60], "is no queue that mailtop knows", "name it as host/container")
        version = sum(mta.version for mta in self._mtas.values())
        known = [mta.known() for mta in books]
        at = min((at for _, at in known), default=0.0)
        rests = "log" if any(name == "log" for name, _ in known) else "listing"
        if ask.kind == "causes":
            total, causes = pages.causes(ask, [partial(mta.page_causes, now=now) for mta in books])
            return Page(ask, version, total, at, rests, causes=causes)
        if ask.kind == "shape":
            total, shapes = pages.shape(ask, [partial(mta.page_shape, now=now) for mta in books])
            return Page(ask, version, total, at, rests, shapes=shapes)
        if ask.kind == "messages":
            total, rows = pages.messages(ask, [partial(mta.page_messages, now=now) for mta in books])
            return Page(ask, version, total, at, rests, messages=rows)
        raise UsageError(f"page {ask.kind[:20]!r}", "is none", "use causes, shape or messages")

    async def series(self, keys: tuple[str, ...], seconds: float) -> tuple[Series, ...]:
        """See Console."""
        now = self._clock.now()
        return tuple(self._store.series(key, seconds, now) for key in keys)

    async def plan(self, action: str, selection: Selection) -> tuple[Preview, ...]:
        """See Console."""
        if not selection.names_something:
            raise Refused(action, "says not on what", "mark rows with space, or set a filter that matches some")
        now, previews = self._clock.now(), []
        for mta in self._mtas.values():
            rows = mta.queue.select(selection, now, mta.book.hop_of)
            if rows:
                items = mta.queue.items(rows)
                previews.append(await self._executor.plan(action, mta.target.name, items, self._operator))
        if not previews:
            raise Refused(action, "nothing is selected", "mark rows with space, or set a filter that matches some")
        return tuple(previews)

    async def approve(self, approval: Approval) -> Receipt:
        """See Console."""
        receipt = await self._executor.execute(approval)
        await self.refresh(receipt.target)
        return receipt

    async def undo(self, receipt: str) -> tuple[Preview, ...]:
        """See Console."""
        done, items = self._executor.receipts.undoable(receipt)
        return (await self._executor.plan(done.undo, done.target, items, self._operator, undoes=receipt),)

    async def unlock(self, seconds: float) -> None:
        """See Console."""
        self._executor.unlock(seconds)
        self._due.set()

    async def refresh(self, target: str = "", what: str = "") -> None:
        """See Console."""
        for watch in self._watches.values():
            if what == "listing":
                watch.refresh(target, LISTING.name, force=True)
            else:
                watch.refresh(target)
        self._due.set()

    async def interval(self, seconds: float) -> None:
        """See Console."""
        self._interval = min(max(seconds, 0.25), 60.0)
        for watch in self._watches.values():
            for collector in watch.collectors.values():
                collector.pace = max(1.0, self._interval)

    async def pause(self, paused: bool) -> None:
        """See Console."""
        self._paused = paused
        self._due.set()

    async def answer(self, question: str, text: str) -> None:  # noqa: ARG002  (nothing asks yet)
        """See Console."""
        raise UsageError("answer", f"no question {question[:40]!r} is open")

    def _queued(self, target: str) -> int | None:
        mta = self._mtas.get(target)
        return mta.messages if mta is not None else None

    def _linked(self, name: str) -> tuple[Link, Target]:
        """Find a target for the executor; raises Refused for one that is not there."""
        host, _, container = name.partition("/")
        watch = self._watches.get(host)
        if watch is None or name not in watch.targets:
            raise Refused(name, "is no target that mailtop knows", "see mailtop snapshot for those it found")
        return watch.link, Target(host, container, watch.targets[name].roles)


def _platform(settings: Settings) -> str:
    return settings.platform.name or ", ".join(settings.hosts)
