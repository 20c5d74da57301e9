"""From a key to a receipt: plan, preview, approval. Nothing here runs anything; the engine's executor does."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Coroutine, Sequence
from typing import Any

from mailtop.engine.console import Console
from mailtop.model.errors import MailtopError
from mailtop.model.operation import Approval, Preview, Receipt, Selection
from mailtop.model.snapshot import Health
from mailtop.ui.feed import summary
from mailtop.ui.messages import OpenSheet, PlanUndo, Say
from mailtop.ui.sheets import preview as previews
from mailtop.ui.sheets import receipt as receipts
from mailtop.ui.sheets.choice import Choice, Option
from mailtop.ui.view import Post


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
        self._waiting: deque[tuple[Preview, tuple[int, int]]] = deque()
        self._planning = False

    def plan(self, action: str, selections: Sequence[Selection]) -> None:
        """Plan an act on every selection, then show the first preview."""
        self._begin(*(self._console.plan(action, selection) for selection in selections))

    def undo(self, receipt: Receipt) -> None:
        """Plan what takes a receipt back, then show its preview."""
        self._begin(self._console.undo(receipt.id))

    def approve(self, preview: Preview, approval: Approval, sheet: previews.Sheet | None) -> None:
        """Carry one plan out; the preview says so meanwhile."""
        self.running.add(preview.plan)
        self._start(self._carry_out(preview, approval, sheet))

    def next_preview(self) -> None:
        """Show the plan that waits next, if one does."""
        if self._waiting:
            preview, place = self._waiting.popleft()
            self._post(OpenSheet(previews.Sheet(preview, self._operator, self._monotonic, self._post, place)))

    def forget(self) -> None:
        """Cancel: the plans that wait are dropped, and that is said."""
        if self._waiting:
            self._post(Say(f"cancelled, and {len(self._waiting)} more with it; nothing was sent"))
            self._waiting.clear()

    def choose_undo(self, taken: Sequence[Receipt]) -> None:
        """Offer what can be taken back."""
        back = [r for r in taken if r.undo and r.ok and not r.dry_run and not r.undone]
        options = [
            Option(
                f"{r.action.rpartition('.')[2]} on {r.target}",
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

    def _begin(self, *plans: Coroutine[Any, Any, tuple[Preview, ...]]) -> None:
        if self._planning:  # a second H while the first is being planned would only stack previews
            for plan in plans:
                plan.close()
            return
        self._planning = True
        self._waiting.clear()
        self._start(self._plan(plans))

    async def _plan(self, plans: Sequence[Coroutine[Any, Any, tuple[Preview, ...]]]) -> None:
        found: list[Preview] = []
        try:
            for plan in plans:
                found += await plan
        except MailtopError as error:
            self._post(Say(str(error), Health.WARN))
            return
        finally:
            for plan in plans:
                plan.close()
            self._planning = False
        if not found:
            self._post(Say("nothing to act on: no message of this selection is in the queue any more", Health.WARN))
        self._waiting.extend((preview, (number, len(found))) for number, preview in enumerate(found, 1))
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
        self._post(OpenSheet(receipts.Sheet(receipt, preview.label, self._post), instead_of=sheet))
