"""What happens when: one loop, and the console that a face talks to."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Coroutine
from functools import partial
from math import isnan

from msgspec.structs import replace

from mailtop.config import Settings
from mailtop.engine.audit import AuditLog
from mailtop.engine.catching_up import catch_up
from mailtop.engine.clock import Clock, within
from mailtop.engine.executor import Executor
from mailtop.engine.paging import page
from mailtop.engine.planning import planned, undone
from mailtop.engine.playing import Playing
from mailtop.engine.questions import Questions
from mailtop.engine.receipts import Receipts
from mailtop.engine.watching import Watching
from mailtop.model.ask import Source
from mailtop.model.errors import UsageError
from mailtop.model.operation import Approval, Preview, Receipt, Selection
from mailtop.model.snapshot import Page, PageAsk, Series, Snapshot
from mailtop.model.survey import Survey
from mailtop.probe.postfix_listing import PROBE as LISTING
from mailtop.transport.recording import Tape
from mailtop.transport.replay import Due

AGAIN_AFTER = 1.0  # seconds until a task of the engine's own that died of a bug is started again
PACES = (0.25, 60.0)  # seconds between two snapshots, at least and at most
AFTER_ASKING = 0.1  # seconds: probes ask on the beat, and most answers are here by then

FIRST_TICKS, FIRST_PACE = 30, 0.05  # snapshots and seconds: first answers are shown as they come, not a second later

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
        audit: AuditLog,
        read_only: str = "",
        playing: Playing | None = None,
        tape: Tape | None = None,
        questions: Questions | None = None,
    ) -> None:
        """`sources`: what makes the source of each host of `settings.hosts`; `tape`: a recording to write.

        `read_only`: why nothing may be changed, empty where it may. `questions`: what the sources ask through.
        """
        self._settings = settings
        self._clock = clock
        self._playing = playing
        self._tape = tape
        self._read_only = read_only
        self._questions = questions or Questions(clock.now)
        self._new_watching = partial(
            Watching,
            settings,
            sources,
            clock,
            driven=playing is not None,
            asked=playing.player.probes if playing is not None else None,
            waits=self._questions.waits,
        )
        self._watching = self._new_watching()
        self._executor = Executor(
            lambda name: self._watching.linked(name),
            lambda name: self._watching.books.queued(name),
            lambda name: self._watching.books.facts(name),
            audit,
            Receipts(audit, clock.now()),
            clock,
            operator=operator,
            read_only=read_only,
            rights=lambda target: self._watching.watches[target.host].rights.of(target.container),
            paused=lambda name: self._watching.books.paused(name),
        )
        self._interval = _pace(settings.interval)
        self._paused = False
        self._unseen = False  # is there something to show, though it is paused?
        self._snapshot: Snapshot | None = None
        self._seq = 0
        self._changed = asyncio.Condition()
        self._due = asyncio.Event()
        self._tasks: set[asyncio.Task[None]] = set()
        self._acts: set[asyncio.Task[Receipt]] = set()
        self._evidence: object = None  # of what became of acts, when it was last weighed
        self._ended = False

    # its life

    async def start(self, head_start: float = 0.0) -> None:
        """Connect to everything and begin to watch; returns at once.

        `head_start`: seconds that a face which is just drawing its first screen has almost to itself.
        """
        self._watching.open(0.0 if self._playing is not None else head_start)
        self._keep("tick", self._tick)
        if self._playing is not None:
            self._keep("play", partial(self._play, self._playing))

    def _keep(self, name: str, work: Callable[[], Coroutine[None, None, None]]) -> None:
        """Run `work` and, should a bug end it, log that and run it again: nothing may freeze the face for ever."""
        if self._ended:
            return
        task = asyncio.create_task(work(), name=name)
        self._tasks.add(task)

        def ended(task: asyncio.Task[None]) -> None:
            self._tasks.discard(task)
            if not task.cancelled() and task.exception() is not None:
                _log.error("%s ended", name, exc_info=task.exception())
                asyncio.get_running_loop().call_later(AGAIN_AFTER, self._keep, name, work)

        task.add_done_callback(ended)

    @property
    def acting(self) -> bool:
        """Is an act under way? It is finished, and written down, whoever has gone meanwhile."""
        return bool(self._acts)

    async def finish_acts(self) -> None:
        """Wait for acts under way: each ends by its own deadlines."""
        while self._acts:
            await asyncio.wait(self._acts)

    async def close(self) -> None:
        """Finish acts, then end all tasks and connections."""
        await self.finish_acts()
        self._ended = True
        self._questions.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._watching.close()
        if self._tape is not None:
            await asyncio.to_thread(self._tape.close)
        async with self._changed:
            self._changed.notify_all()

    async def _play(self, playing: Playing) -> None:
        """Play the recording, and again from the beginning: with new books, for it is the same mail."""

        async def run(due: Due) -> None:
            await self._watching.watches[due.host].run(due.container, due.by)

        async def moved() -> None:
            await catch_up(self._watching.watches.values(), playing.player)
            self._picture()  # which nobody sees; but since when an alert fires, and the series, are known by it

        while True:
            await playing.play(run, moved, self._show)
            await self._watching.close()
            playing.rewind()
            self._watching = self._new_watching()
            self._watching.open()
            await catch_up(self._watching.watches.values(), playing.player)

    def _show(self) -> None:
        """Give a snapshot now, paused or not."""
        self._unseen = True
        self._due.set()

    async def _tick(self) -> None:
        """A snapshot at each interval, or at once when something asks for one; while paused, one that says so."""
        while True:
            self._due.clear()
            if self._unseen or not self._paused or self._snapshot is None or not self._snapshot.paused:
                self._unseen = False
                await self._publish()
            eager = self._seq <= FIRST_TICKS
            await within(self._due, min(self._interval, FIRST_PACE) if eager else self._interval, AFTER_ASKING)

    def _picture(self) -> Snapshot:
        """What is known now, brought up to now."""
        now, executor = self._clock.now(), self._executor
        logs = self._watching.follow_on(now)
        if (evidence := self._watching.books.evidence) != self._evidence:
            self._evidence = evidence
            executor.receipts.settle(self._watching.books.decide, now)
        self._seq += 1
        return replace(
            self._watching.picture(self._seq, now, logs),
            questions=self._questions.open,
            receipts=executor.receipts.shown,
            interval=self._interval,
            read_only=bool(self._read_only),
            unlocked_until=executor.unlocked_until if executor.unlocked else 0.0,
            replay=self._playing.speed if self._playing is not None else 0.0,
            played=self._playing.played if self._playing is not None else (0.0, 0.0),
            recording=self._tape is not None and not self._tape.failed,
            paused=self._paused,
        )

    async def _publish(self) -> None:
        snapshot = self._picture()
        async with self._changed:
            self._snapshot = snapshot
            self._changed.notify_all()

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
        if ask.kind == "logs":
            return await self._watching.logs.page(ask)
        return page(self._watching, ask, self._clock.now())

    async def series(self, keys: tuple[str, ...], seconds: float) -> tuple[Series, ...]:
        """See Console."""
        now = self._clock.now()
        return tuple(self._watching.series(key, seconds, now) for key in keys)

    async def plan(self, action: str, selection: Selection) -> tuple[Preview, ...]:
        """See Console."""
        return await planned(self._watching, self._executor, action, selection, self._clock.now())

    async def approve(self, approval: Approval) -> Receipt:
        """See Console. An act that has begun is finished, and written down, though its face may be gone."""
        act = asyncio.create_task(self._executor.execute(approval), name="act")
        self._acts.add(act)
        act.add_done_callback(self._acts.discard)
        receipt = await asyncio.shield(act)
        self._evidence = None
        await self.refresh(receipt.target)
        return receipt

    async def undo(self, receipt: str) -> tuple[Preview, ...]:
        """See Console."""
        return await undone(self._executor, receipt)

    async def unlock(self, seconds: float) -> None:
        """See Console."""
        self._executor.unlock(seconds)
        self._due.set()

    async def refresh(self, target: str = "", what: str = "") -> None:
        """See Console."""
        for watch in self._watching.watches.values():
            if what == "listing":
                watch.refresh(target, LISTING.name, force=True)
            else:
                watch.refresh(target)
        self._due.set()

    async def stop_listing(self, target: str = "") -> None:
        """See Console."""
        for watch in self._watching.watches.values():
            watch.stop(target, LISTING.name)
        self._due.set()

    async def interval(self, seconds: float) -> None:
        """See Console."""
        self._interval = _pace(seconds)
        for watch in self._watching.watches.values():
            for collector in watch.collectors.values():
                collector.pace = max(1.0, self._interval)

    async def pause(self, paused: bool) -> None:
        """See Console."""
        self._paused = paused
        if self._playing is not None:
            self._playing.paused = paused
        self._due.set()

    async def step(self, by: int) -> None:
        """See Console."""
        if self._playing is None:
            raise UsageError("step", "this is no recording", "[ and ] step through one: mailtop replay FILE")
        self._playing.step(by)
        self._paused = True

    async def survey(self) -> tuple[Survey, ...]:
        """See Console."""
        from mailtop.engine.survey import survey  # for two commands only

        hosts = self._settings.hosts
        watches = self._watching.watches.items()
        return tuple(await asyncio.gather(*(survey(watch, hosts[name]) for name, watch in watches)))

    async def answer(self, question: str, text: str | None) -> None:
        """See Console."""
        self._questions.answer(question, text)
        self._due.set()


def _pace(seconds: float) -> float:
    """An interval that neither spins nor sleeps for ever; what is no number is the usual one."""
    return 1.0 if isnan(seconds) else min(max(seconds, PACES[0]), PACES[1])
