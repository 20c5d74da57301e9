"""What became of an act, message by message; kept open, and live, until the log has decided."""

from __future__ import annotations

from typing import ClassVar

from mailtop.model.operation import Fate, Receipt
from mailtop.model.snapshot import Health
from mailtop.model.text import shown
from mailtop.ui.figures import SIGNS, clock, count
from mailtop.ui.ink import BLANK, Line, plain, text
from mailtop.ui.keys import SHEET, Bound
from mailtop.ui.messages import CloseSheet, Copy, PlanUndo
from mailtop.ui.outcome import grade, undoable
from mailtop.ui.view import Post, Scene, Size

KEYS = (
    *SHEET,
    Bound("receipt.close", "enter", "", "close this", "close"),
    Bound("receipt.undo", "Z", "undo …", "the preview of what takes it back", "undo"),
)

_FATES: tuple[tuple[Fate, str, str], ...] = (
    (Fate.DONE, "ok", "done"),
    (Fate.GONE, "dim", "were gone before it came"),
    (Fate.CHANGED, "warn", "ids that mean another message now: left alone"),
    (Fate.REFUSED, "crit", "refused"),
    (Fate.IN_DELIVERY, "accent", "in delivery, the log decides"),
    (Fate.UNDER_WAY, "accent", "asked for, the log decides"),
    (Fate.DELIVERED, "warn", "left all the same"),
    (Fate.UNKNOWN, "unknown", "unknown: the connection ended before it could be read back"),
)
_SAID = 6  # refusals shown in full


class Sheet:
    """One receipt; the newest of its id in the snapshot is what is drawn."""

    place: ClassVar[str] = "receipt"
    wide: ClassVar[int] = 72

    def __init__(self, receipt: Receipt, label: str, post: Post) -> None:
        self.receipt = receipt
        dry = "dry run: " if receipt.dry_run else ""
        self.title = f"Receipt   {dry}{label} on {receipt.target}"
        self._post = post
        self._top = 0
        self._drawn: list[Line] = []

    def draw(self, scene: Scene, size: Size) -> list[Line]:
        """Counts by fate, the program's words, what takes it back."""
        self.receipt = next((r for r in scene.snapshot.receipts if r.id == self.receipt.id), self.receipt)
        self._drawn = lines = [*self._head(), BLANK, *self._fates(), *self._words(), BLANK, *self._foot()]
        self._top = max(0, min(self._top, len(lines) - size.rows))
        return lines[self._top : self._top + size.rows]

    @property
    def useless(self) -> frozenset[str]:
        """No undo where there is none, or nothing for it to take back."""
        return frozenset() if undoable(self.receipt) else frozenset(("receipt.undo",))

    def typed(self, key: str, character: str | None) -> bool:  # noqa: ARG002 - a sheet's shape
        """Nothing is typed here."""
        return False

    def close(self) -> None:
        """Away; the receipt stays in the audit."""
        self._post(CloseSheet())

    def undo(self) -> None:
        """To the preview of what takes it back, where there is one."""
        if undoable(self.receipt):
            self._post(PlanUndo(self.receipt))

    def copy(self) -> None:
        """The receipt as text."""
        self._post(Copy("\n".join([self.title, *(plain(line).rstrip() for line in self._drawn)]), "the receipt"))

    def down(self) -> None:
        """One line on."""
        self._top += 1

    def up(self) -> None:
        """One line back."""
        self._top -= 1

    def _head(self) -> list[Line]:
        receipt, health = self.receipt, grade(self.receipt)
        if receipt.dry_run:
            would = {Health.WARN: "; not all of it would work", Health.CRIT: "; it would fail"}
            state = (f"{SIGNS[health]} a dry run: nothing was sent{would.get(health, '')}", health.value)
        elif receipt.open:
            role = "accent" if health is Health.OK else health.value
            state = ("… open: the log has not decided about every message", role)
        else:
            words = {Health.OK: "done", Health.WARN: "done in part"}
            state = (f"{SIGNS[health]} {words.get(health, 'not done')}", health.value)
        return [(state, (f"   {clock(receipt.at)}  by {receipt.by}  {receipt.id}", "dim"))]

    def _fates(self) -> list[Line]:
        lines: list[Line] = []
        for fate, role, words in _FATES:
            number = self.receipt.count(fate)
            if fate is Fate.DONE and grade(self.receipt) is not Health.OK:
                role = "warn"
            if number:
                would = "would be " if fate is Fate.DONE and self.receipt.dry_run else ""
                lines.append(((f"{count(number):>8}  ", role), (f"{would}{words}", "text")))
        return lines or [text("       —  no message", "dim")]

    def _words(self) -> list[Line]:
        receipt = self.receipt
        telling = [outcome for outcome in receipt.outcomes if outcome.fate is Fate.REFUSED][:_SAID]
        telling += [o for o in receipt.outcomes if o.fate is Fate.DONE and o.said][: _SAID - len(telling)]
        lines: list[Line] = [((f"          {o.id}  ", "dim"), (shown(o.said, 200), "text")) for o in telling]
        if receipt.said:
            lines += [BLANK, (("it said   ", "dim"), (shown(receipt.said, 200), "text"))]
        if receipt.error:
            lines += [BLANK, text(f"✖ {receipt.error}", "crit")]
        return lines

    def _foot(self) -> list[Line]:
        receipt = self.receipt
        if receipt.dry_run:
            return [text("nothing to take back", "dim")]
        if receipt.undone:
            return [text("taken back", "dim")]
        if undoable(receipt):
            by = receipt.undo.rpartition(".")[2]
            return [(("Z", "key"), (f" or :undo takes it back by {by}, after its own preview", "dim"))]
        return [text("nothing to take back" if receipt.undo else "nothing takes it back", "dim")]
