"""The preview of one plan, and the approval. Cancel has focus; nothing is heard for the first half second."""

from __future__ import annotations

import shlex
from collections.abc import Callable
from typing import ClassVar

from mailtop.model.operation import Approval, Danger, Item, Preview
from mailtop.model.snapshot import Health
from mailtop.model.text import Foreign, shown
from mailtop.ui.figures import clock, count, size, whole
from mailtop.ui.ink import BLANK, Line, Span, folded, text
from mailtop.ui.keys import SHEET, Bound
from mailtop.ui.messages import Approve, CloseSheet, Copy, Say
from mailtop.ui.view import Post, Scene, Size

DEAF = 0.5  # seconds: whoever typed ahead has not read it

KEYS = (
    *SHEET,
    Bound(
        "preview.approve", "A", "approve", "approve; where something must be typed, type it first", "approve", act=True
    ),
    Bound("preview.dry", "D", "dry run", "go through it all, and send nothing", "dry_run"),
    Bound("preview.next", "tab", "", "next button", "next_button"),
    Bound("preview.press", "enter", "", "press the button that has focus", "press"),
)

_GRAVE = {Danger.SENDS: "warn", Danger.DESTRUCTIVE: "crit"}
_BUTTONS = ("cancel", "approve", "dry run", "copy")


class Sheet:
    """One plan, as it will be carried out. `words`: what the operator chose it to hit."""

    place: ClassVar[str] = "preview"
    wide: ClassVar[int] = 78
    useless: ClassVar[frozenset[str]] = frozenset()

    def __init__(
        self,
        preview: Preview,
        words: str,
        operator: str,
        monotonic: Callable[[], float],
        post: Post,
        place: tuple[int, int] = (1, 1),
    ) -> None:
        self.preview = preview
        number, total = place
        of = f"   plan {number} of {total}" if total > 1 else ""
        noun = "message" if preview.count == 1 else "messages"
        what = f" {count(preview.count)} {noun}" if preview.count else f" {preview.domain}".rstrip()
        self.title = f"{preview.label}{what} on {preview.target}{of}"
        self.running = False
        self._words = words
        self._operator = operator
        self._monotonic = monotonic
        self._post = post
        self._shown_at: float | None = None
        self._button = "cancel"
        self._typing = False
        self._field = ""
        self._operate = False
        self._top = 0

    @property
    def deaf(self) -> bool:
        """Is it too early to hear a key?"""
        return self._shown_at is None or self._monotonic() - self._shown_at < DEAF

    def draw(self, scene: Scene, size: Size) -> list[Line]:
        """Commands first, then what they hit, what undoes them, and the buttons."""
        if self._shown_at is None:
            self._shown_at = self._monotonic()
        self._operate = scene.operate and not scene.read_only
        feet = [BLANK, *self._ask(), self._buttons()]
        if self.preview.domain:
            lines = self._destination(scene.now, size.cells)
        else:
            commands, warnings = self._commands(size.cells), self._warnings(size.cells)
            lines = [*self._meant(size.cells), *commands, BLANK, *self._blast(scene.now), *warnings]
        room = max(1, size.rows - len(feet))
        self._top = max(0, min(self._top, len(lines) - room))
        return lines[self._top : self._top + room] + feet

    def typed(self, key: str, character: str | None) -> bool:
        """Deaf at first, and while the act runs; then what must be typed is typed."""
        if self.deaf or (self.running and key not in ("escape", "q")):
            return True
        if not self._typing or key in ("escape", "tab"):
            self._typing = False
            return False
        if key == "enter":
            self._send(dry_run=False)
        elif key == "backspace":
            self._field = self._field[:-1]
        elif character and character.isprintable():
            self._field += character
        return True

    def approve(self) -> None:
        """`A`: the yes itself, or the field where it must be typed."""
        self._button = "approve"
        if not self._operate:
            self._post(Say("OBSERVE: `:operate` unlocks; a dry run needs no unlocking", Health.WARN))
        elif self.preview.typed:
            self._typing = True
        else:
            self._send(dry_run=False)

    def dry_run(self) -> None:
        """`D`: everything but sending."""
        self._send(dry_run=True)

    def copy(self) -> None:
        """The commands, to be read elsewhere; approves nothing."""
        self._post(Copy("\n".join(shlex.join(step.argv) for step in self.preview.commands), "the command"))

    def close(self) -> None:
        """Cancel; an act that runs goes on, and its receipt comes all the same."""
        if self.running:
            self._post(Say("the act goes on; its receipt comes when it is done"))
        self._post(CloseSheet())

    def next_button(self) -> None:
        """Focus moves on."""
        self._button = _BUTTONS[(_BUTTONS.index(self._button) + 1) % len(_BUTTONS)]

    def press(self) -> None:
        """The button that has focus; Cancel unless the operator moved."""
        {"cancel": self.close, "approve": self.approve, "dry run": self.dry_run, "copy": self.copy}[self._button]()

    def down(self) -> None:
        """One line on."""
        self._top += 1

    def up(self) -> None:
        """One line back."""
        self._top -= 1

    def _send(self, dry_run: bool) -> None:
        needed = self.preview.typed
        if not dry_run and needed and self._field != needed:
            self._post(Say(f"{self._field or 'nothing'} is not {needed}: not approved", Health.WARN))
            self._field = ""
            return
        self.running = True
        self._typing = False
        approval = Approval(self.preview.plan, by=self._operator, typed=self._field, dry_run=dry_run)
        self._post(Approve(self.preview, approval))

    def _meant(self, cells: int) -> list[Line]:
        parts = folded(self._words, cells - 12)
        label = "chosen"
        return [((f"{label if not n else '':<12}", "dim"), (part, "text")) for n, part in enumerate(parts) if part]

    def _destination(self, now: float, cells: int) -> list[Line]:
        """What changes in which file, how long, what to know; the many commands of it at the end."""
        lines = self._meant(cells)
        for change in self.preview.diff:
            role = "ok" if "  + " in change else "warn"
            lines += [
                text(f"{'' if not n else '    '}{part}", role) for n, part in enumerate(folded(change, cells - 4))
            ]
        until = f", until {clock(self.preview.until, seconds=False)}" if self.preview.until else ""
        lines += [BLANK, *((*line, (until, "text")) for line in self._blast(now)), BLANK]
        lines += [*self._warnings(cells), BLANK, text(f"in this order on {self.preview.target}:", "dim")]
        for step in self.preview.commands:
            words = shlex.join(step.argv) + (f"   {step.stdin}" if step.stdin else "")
            lines += [text(f"  {'' if not n else '  '}{part}") for n, part in enumerate(folded(words, cells - 4))]
        return lines

    def _commands(self, cells: int) -> list[Line]:
        where = f"in container {self.preview.container}" if self.preview.container else f"on {self.preview.target}"
        lines: list[Line] = []
        for number, step in enumerate(self.preview.commands):
            lead = f"{where}   " if not number else " " * (len(where) + 3)
            stdin = f"     {step.stdin}" if step.stdin else ""
            words = " ".join(step.argv)
            if len(lead) + len(words) + len(stdin) <= cells:
                lines.append(((lead, "dim"), (words, "title"), (stdin, "dim")))
            else:
                parts = folded(words + stdin, cells - len(lead))
                lines += [
                    ((lead if not n else " " * len(lead), "dim"), (part, "title")) for n, part in enumerate(parts)
                ]
            if step.expects:
                lines.append(text(f"{' ' * (len(where) + 3)}expects {step.expects}", "dim"))
        return lines

    def _blast(self, now: float) -> list[Line]:
        preview = self.preview
        grave = _GRAVE.get(preview.danger, "text")
        by = next((step.undo for step in preview.commands if step.undo), preview.undo.rpartition(".")[2])
        undo = f"undone by {by}" if preview.undo else "nothing undoes it"
        danger = {Danger.SENDS: "mail that leaves cannot be recalled", Danger.DESTRUCTIVE: "destructive"}.get(
            preview.danger, preview.danger.value
        )
        facts = (
            [f"{count(preview.count)} message{'' if preview.count == 1 else 's'}", size(preview.size)]
            if preview.count
            else []
        )
        if preview.oldest:
            facts.append(f"oldest {whole(now - preview.oldest)}")
        lines: list[Line] = [text(" · ".join(facts))] if facts else []
        lines.append(((danger, grave), (", ", "text"), (undo, "text" if preview.undo else grave)))
        lines += _most("senders", preview.senders, "<>")
        lines += _most("recipients", preview.domains, "—")
        for number, item in enumerate(preview.samples[:5]):
            lines.append((("for example " if not number else " " * 12, "dim"), *_sample(item)))
        return lines

    def _warnings(self, cells: int) -> list[Line]:
        lines: list[Line] = []
        if self.preview.in_delivery and not any("in delivery" in warning for warning in self.preview.warnings):
            are = "is" if self.preview.in_delivery == 1 else "are"
            lines.append(text(f"▲ {count(self.preview.in_delivery)} {are} in delivery and may still leave", "warn"))
        for warning in self.preview.warnings:
            parts = folded(warning, cells - 2)
            lines += [text(f"{'▲ ' if not n else '  '}{part}", "warn") for n, part in enumerate(parts)]
        return lines

    def _ask(self) -> list[Line]:
        if self.running:
            return [text("sent; reading back what became of it …", "accent")]
        if not self.preview.typed:
            return []
        field: tuple[Span, ...] = ((f" {self._field}", "title+field"), ("▏" if self._typing else " ", "accent+field"))
        hint = "then enter" if self._typing else "A first"
        return [((f"type {self.preview.typed} to approve ", "warn"), *field, (f"  {hint}", "dim"))]

    def _buttons(self) -> Line:
        ready = not self.deaf and not self.running
        pieces: list[Span] = []
        for button, key in zip(_BUTTONS, ("esc", "A", "D", "y"), strict=True):
            able = ready and (button != "approve" or self._operate)
            words = button.capitalize() if button == self._button else button
            if button == self._button:
                pieces.append((f"[ {words} ]", "title+cursor" if able else "faint"))
            else:
                pieces += [(f"{key} ", "key" if able else "faint"), (words, "text" if able else "faint")]
            pieces.append(("   ", "text"))
        if not self._operate:
            pieces.append(("OBSERVE: :operate unlocks", "dim"))
        return tuple(pieces)


def _most(label: str, pairs: tuple[tuple[Foreign, int], ...], none: str) -> list[Line]:
    if not pairs:
        return []
    words = " · ".join(f"{shown(name, 40) or none} {count(number)}" for name, number in pairs[:4])
    return [((f"{label:<12}", "dim"), (words, "text"))]


def _sample(item: Item) -> Line:
    return (
        (f"{item.id:<14} ", "text"),
        (f"{clock(item.arrival, seconds=False)}  ", "dim"),
        (f"{shown(item.sender, 40) or '<>'} → {shown(item.recipient, 40)}", "text"),
    )
