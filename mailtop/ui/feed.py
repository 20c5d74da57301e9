"""What comes from the engine: snapshots as they are, pages as the screen wants them."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Coroutine, Sequence

from mailtop.engine.console import Console
from mailtop.model.errors import MailtopError
from mailtop.model.operation import Receipt
from mailtop.model.snapshot import Health, Page, PageAsk, Snapshot
from mailtop.model.topology import Hop
from mailtop.ui.view import Act, Scene

_HISTORY = 120  # snapshots


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
        read_only: bool,
        acts: Sequence[Act],
    ) -> None:
        self.scene: Scene | None = None
        self._console = console
        self._start = start
        self._drawn = drawn
        self._said = said
        self._read_only = read_only
        self._acts = tuple(acts)
        self._rates: dict[Hop, deque[float | None]] = {}
        self._asked: set[PageAsk] = set()
        self._refused: set[PageAsk] = set()  # until the next snapshot

    async def follow(self) -> None:
        """Take snapshots until the engine ends them."""
        try:
            async for snapshot in self._console.snapshots():
                self.see(snapshot)
        except MailtopError as error:
            self._said(f"the engine has ended: {error}; what is shown grows old", Health.CRIT)
        else:
            self._said("the engine has ended; what is shown grows old", Health.CRIT)

    def see(self, snapshot: Snapshot) -> None:
        """Make a scene of a snapshot."""
        self._decided(snapshot)
        for hop in snapshot.hops:
            self._rates.setdefault(hop.hop, deque(maxlen=_HISTORY)).append(hop.rate.value)
        read_only = self._read_only or snapshot.read_only
        self.scene = Scene(
            snapshot,
            rates={hop: tuple(rates) for hop, rates in self._rates.items()},
            acts=() if read_only else self._acts,
            operate=not read_only and snapshot.unlocked_until > snapshot.at,
            read_only=read_only,
        )
        self._refused.clear()
        self._drawn()

    def again(self) -> None:
        """The operator did something: what was refused may be asked for anew."""
        self._refused.clear()

    def fetch(
        self,
        asks: Sequence[PageAsk],
        take: Callable[[Page], None],
        fail: Callable[[PageAsk, MailtopError], None],
    ) -> None:
        """Fetch these pages, unless they are on their way or were refused since the last snapshot."""
        for ask in asks:
            if ask not in self._asked and ask not in self._refused:
                self._asked.add(ask)
                self._start(self._fetch(ask, take, fail))

    async def _fetch(
        self, ask: PageAsk, take: Callable[[Page], None], fail: Callable[[PageAsk, MailtopError], None]
    ) -> None:
        try:
            page = await self._console.page(ask)
        except MailtopError as error:
            self._refused.add(ask)
            fail(ask, error)
        else:
            if self.scene is not None and page.version < self.scene.snapshot.versions.get(ask.kind, 0):
                self._refused.add(ask)  # an older one than is known of: not again before the next snapshot
            take(page)
        finally:
            self._asked.discard(ask)
        self._drawn()

    def _decided(self, snapshot: Snapshot) -> None:
        """Say it when the log has decided about messages in delivery."""
        before = {receipt.id for receipt in self.scene.snapshot.receipts if receipt.open} if self.scene else set()
        for receipt in snapshot.receipts:
            if receipt.id in before and not receipt.open:
                self._said(f"the log has decided on {receipt.target}: {summary(receipt)}", Health.OK)


def summary(receipt: Receipt) -> str:
    """A receipt in a few words: `395 done, 3 delivered`."""
    fates = dict.fromkeys(outcome.fate for outcome in receipt.outcomes)
    return ", ".join(f"{receipt.count(fate)} {fate.value}" for fate in fates) or receipt.error or "no message"
