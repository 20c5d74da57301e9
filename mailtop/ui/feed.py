"""What comes from the engine: snapshots as they are, pages as the screen wants them; and what it means if none come."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Coroutine, Sequence

from mailtop.engine.console import Console
from mailtop.model.errors import MailtopError, TimedOut
from mailtop.model.snapshot import Health, Page, PageAsk, Snapshot
from mailtop.model.topology import Hop
from mailtop.ui.aging import aged
from mailtop.ui.figures import whole
from mailtop.ui.outcome import grade, summary
from mailtop.ui.view import Act, Scene

ANSWER_WITHIN = 15.0  # seconds; a page that is not here by then is asked for anew

_HISTORY = 120  # snapshots
_PATIENCE = 5.0  # seconds without a snapshot, or three intervals, until it is said


class Feed:
    """Keeps the newest scene, and fetches each wanted page once at a time.

    `start` runs a coroutine in the background; `drawn` is called whenever something new is there.
    """

    def __init__(
        self,
        console: Console,
        start: Callable[[Coroutine[object, object, None]], object],
        drawn: Callable[[], object],
        said: Callable[[str, Health], object],
        monotonic: Callable[[], float],
        read_only: bool,
        acts: Sequence[Act],
    ) -> None:
        self.ended = ""  # why no more snapshots will come, and what to do
        self._scene: Scene | None = None
        self._console = console
        self._start = start
        self._drawn = drawn
        self._said = said
        self._monotonic = monotonic
        self._read_only = read_only
        self._acts = tuple(acts)
        self._rates: dict[Hop, deque[float | None]] = {}
        self._asked: set[PageAsk] = set()
        self._refused: set[PageAsk] = set()  # until the next snapshot
        self._heard: float | None = None
        self._paused_at: float | None = None
        self._pauses: bool | None = None  # what the operator chose last

    async def follow(self) -> None:
        """Take snapshots until the engine ends them."""
        self._heard = self._monotonic()
        try:
            async for snapshot in self._console.snapshots():
                self.see(snapshot)
        except MailtopError as error:
            self.ended = f"{error.reason}; {error.remedy or 'start mailtop again'}"
        else:
            self.ended = "it was told to; start mailtop again"
        self._drawn()

    def see(self, snapshot: Snapshot) -> None:
        """Make a scene of a snapshot."""
        self._decided(snapshot)
        self._heard = self._monotonic()
        if self._pauses is None and snapshot.paused is not self.paused:
            self._paused_at = self._heard if snapshot.paused else None
        if self._scene is not None and snapshot.at < self._scene.snapshot.at:  # a replay that went back
            self._rates.clear()
        for hop in snapshot.hops:
            self._rates.setdefault(hop.hop, deque(maxlen=_HISTORY)).append(hop.rate.value)
        read_only = self._read_only or snapshot.read_only
        self._scene = Scene(
            snapshot,
            rates={hop: tuple(rates) for hop, rates in self._rates.items()},
            acts=() if read_only else self._acts,
            operate=not read_only and snapshot.unlocked_until > snapshot.at,
            read_only=read_only,
        )
        self._refused.clear()
        self._drawn()

    # how old it is

    @property
    def scene(self) -> Scene | None:
        """The newest scene, and how long it has been paused, or been the newest for too long."""
        scene, late = self._scene, self.silence
        if scene is None or not (late or self.paused):
            return scene
        if late:
            late = max(1.0, float(int(late)))
            scene = scene._replace(snapshot=aged(scene.snapshot, late), late=late)
        return scene if self._paused_at is None else scene._replace(paused=self._monotonic() - self._paused_at)

    @property
    def paused(self) -> bool:
        """Is what is shown frozen, as far as the operator knows?"""
        return self._paused_at is not None

    def pause(self, paused: bool) -> None:
        """The operator freezes what is shown, or goes on: known at once, whatever the engine says and when."""
        self._pauses = paused
        self._heard = self._monotonic()
        self._paused_at = self._heard if paused else None

    @property
    def silence(self) -> float:
        """For how many seconds no snapshot has come, once that is too long or for ever; else 0.0."""
        if self._heard is None or (self.paused and not self.ended):
            return 0.0
        late = self._monotonic() - self._heard
        interval = self._scene.snapshot.interval if self._scene is not None else 1.0
        if self.ended:
            return max(late, 0.001)
        return late if late > max(_PATIENCE, 3 * interval) else 0.0

    @property
    def alarm(self) -> str:
        """What must stay on the screen as long as it is so."""
        if self.ended:
            return f"engine ended: {self.ended}"
        late = self.silence
        return f"no news from the engine for {whole(late)}: all that is shown is older than that" if late else ""

    # pages

    def again(self) -> None:
        """The operator did something: what was refused may be asked for anew."""
        self._refused.clear()

    def fetch(
        self,
        asks: Sequence[PageAsk],
        take: Callable[[Page], None],
        fail: Callable[[PageAsk, MailtopError], None],
    ) -> None:
        """Fetch these pages, unless they are on their way, were refused since the last snapshot, or nobody answers."""
        if self.silence:
            return
        for ask in asks:
            if ask not in self._asked and ask not in self._refused:
                self._asked.add(ask)
                self._start(self._fetch(ask, take, fail))

    async def _fetch(
        self, ask: PageAsk, take: Callable[[Page], None], fail: Callable[[PageAsk, MailtopError], None]
    ) -> None:
        try:
            async with asyncio.timeout(ANSWER_WITHIN):  # an engine with a bug may never answer
                page = await self._console.page(ask)
        except (MailtopError, TimeoutError) as error:
            self._refused.add(ask)
            late = TimedOut("engine", f"no answer within {ANSWER_WITHIN:.0f} s", "r asks again; --log-file says more")
            if not self.silence:  # then that is said already, and old rows are better than none
                fail(ask, error if isinstance(error, MailtopError) else late)
        else:
            if self._scene is not None and page.version < self._scene.snapshot.versions.get(ask.kind, 0):
                self._refused.add(ask)  # an older one than is known of: not again before the next snapshot
            take(page)
        finally:
            self._asked.discard(ask)
        self._drawn()

    def _decided(self, snapshot: Snapshot) -> None:
        """Say it when the log has decided about messages in delivery."""
        before = {receipt.id for receipt in self._scene.snapshot.receipts if receipt.open} if self._scene else set()
        for receipt in snapshot.receipts:
            if receipt.id in before and not receipt.open:
                self._said(f"the log has decided on {receipt.target}: {summary(receipt)}", grade(receipt))
