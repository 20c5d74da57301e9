"""From a key to a receipt: plan, preview, approval. Nothing here runs anything; the engine's executor does."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Coroutine, Sequence
from typing import Any

from msgspec.structs import replace

from mailtop.engine.console import Console
from mailtop.model.errors import MailtopError
from mailtop.model.operation import Approval, Fate, Preview, Receipt, Selection
from mailtop.model.snapshot import Health
from mailtop.model.text import Foreign, shown
from mailtop.ui.figures import count
from mailtop.ui.meaning import Meant
from mailtop.ui.messages import OpenSheet, PlanUndo, Say
from mailtop.ui.outcome import summary, undoable
from mailtop.ui.sheets import preview as previews
from mailtop.ui.sheets import receipt as receipts
from mailtop.ui.sheets.choice import Choice, Option
from mailtop.ui.view import Post

_PLAN_WITHIN = 60.0  # seconds; an engine with a bug may never answer
_Planning = tuple[Coroutine[Any, Any, tuple[Preview, ...]], Meant]


class Acting:
    """Plans wait in line: one preview, one approval and one receipt a host."""

    def __init__(
        self,
        console: Console,
        operator: str,
        monotonic: Callable[[], float],
        post: Post,
        start: Callable[[Coroutine[Any, Any, None]], object],
    ) -> None:
        self.running: set[str] = set()  # plans that are being carried out
        self._console = console
        self._operator = operator
        self._monotonic = monotonic
        self._post = post
        self._start = start
        self._waiting: deque[tuple[Preview, str, tuple[int, int]]] = deque()
        self._planning = False

    def plan(self, action: str, meant: Sequence[Meant]) -> None:
        """Plan an act on all that is meant, then show the first preview."""
        self._begin([(self._console.plan(action, one.selection), one) for one in meant])

    def undo(self, receipt: Receipt) -> None:
        """Plan what takes a receipt back, then show its preview."""
        words = f"what receipt {receipt.id} did: {summary(receipt)}"
        self._begin([(self._console.undo(receipt.id), Meant(Selection(), words, receipt.count(Fate.DONE)))])

    def approve(self, preview: Preview, approval: Approval, sheet: previews.Sheet | None) -> None:
        """Carry one plan out; the preview says so meanwhile."""
        self.running.add(preview.plan)
        self._start(self._carry_out(preview, approval, sheet))

    def next_preview(self) -> None:
        """Show the plan that waits next, if one does."""
        if self._waiting:
            preview, words, place = self._waiting.popleft()
            self._post(OpenSheet(previews.Sheet(preview, words, self._operator, self._monotonic, self._post, place)))

    def forget(self) -> None:
        """Cancel: the plans that wait are dropped, and that is said."""
        if self._waiting:
            self._post(Say(f"cancelled, and {len(self._waiting)} more with it; nothing was sent"))
            self._waiting.clear()

    def choose_undo(self, taken: Sequence[Receipt]) -> None:
        """Offer what can be taken back."""
        back = [receipt for receipt in taken if undoable(receipt)]
        options = [
            Option(
                f"{r.action.rpartition('.')[2]}{_of(r)} on {r.target}",
                r,
                f"{summary(r)}, taken back by {r.undo.rpartition('.')[2]}",
                str(n),
            )
            for n, r in enumerate(reversed(back), 1)
        ]
        if options:
            self._post(OpenSheet(Choice("Take back", options, lambda r: self._post(PlanUndo(r)), self._post)))
        else:
            self._post(Say("nothing can be taken back"))

    def _begin(self, plans: Sequence[_Planning]) -> None:
        if self._planning:  # a second H while the first is being planned would only stack previews
            for plan, _ in plans:
                plan.close()
            return
        self._planning = True
        self._waiting.clear()
        self._start(self._plan(plans))

    async def _plan(self, plans: Sequence[_Planning]) -> None:
        found: list[tuple[Preview, str]] = []
        try:
            async with asyncio.timeout(_PLAN_WITHIN):
                for plan, meant in plans:
                    found += [(preview, meant.words) for preview in _compared(await plan, meant.shown)]
        except MailtopError as error:
            self._post(Say(str(error), Health.WARN))
            return
        except TimeoutError:
            self._post(Say(f"engine: no plan within {_PLAN_WITHIN:.0f} s; nothing was sent, try again", Health.WARN))
            return
        finally:
            for plan, _ in plans:
                plan.close()
            self._planning = False
        if not found:
            self._post(Say("nothing to act on: no message of this selection is in the queue any more", Health.WARN))
        self._waiting.extend((*one, (number, len(found))) for number, one in enumerate(found, 1))
        self.next_preview()

    async def _carry_out(self, preview: Preview, approval: Approval, sheet: previews.Sheet | None) -> None:
        try:
            receipt = await self._console.approve(approval)
        except MailtopError as error:
            self._post(Say(str(error), Health.CRIT))
            if sheet is not None:
                sheet.running = False
            return
        finally:
            self.running.discard(preview.plan)
        label = f"{preview.label} {preview.domain}".rstrip()
        self._post(OpenSheet(receipts.Sheet(receipt, label, self._post), instead_of=sheet))


def _of(receipt: Receipt) -> str:
    """Which destination an act was about; nothing where it was about messages."""
    about = receipt.action.startswith("destination.") and receipt.outcomes
    return f" {shown(Foreign(receipt.outcomes[0].id.encode()), 30)}" if about else ""


def _compared(found: Sequence[Preview], shown: int | None) -> Sequence[Preview]:
    """The previews of one selection, with a warning where they hold more than the screen showed for it."""
    total = sum(preview.count for preview in found)
    if shown is None or total <= shown:
        return found
    together = " together" if len(found) > 1 else ""
    warning = f"{count(total)} messages now{together}: more than the {count(shown)} that the screen showed"
    return [replace(preview, warnings=(warning, *preview.warnings)) for preview in found]
