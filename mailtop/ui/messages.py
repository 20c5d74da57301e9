"""What a panel, screen or sheet may say to the frame; it says nothing else, and calls nobody."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from textual.message import Message

from mailtop.model.operation import Approval, Preview, Receipt
from mailtop.model.snapshot import Health, PageAsk
from mailtop.ui.prompt import Prompt

if TYPE_CHECKING:
    from mailtop.ui.meaning import Meant
    from mailtop.ui.view import Sheet


class Say(Message):
    """A line for the operator, gone after some seconds."""

    def __init__(self, words: str, health: Health = Health.OK) -> None:
        super().__init__()
        self.words = words
        self.health = health


class OpenSheet(Message):
    """Lay a sheet over the screen, or put it in the place of another."""

    def __init__(self, sheet: Sheet, instead_of: Sheet | None = None) -> None:
        super().__init__()
        self.sheet = sheet
        self.instead_of = instead_of


class CloseSheet(Message):
    """Take the top sheet away."""


class AskLine(Message):
    """Let the operator type a line."""

    def __init__(self, prompt: Prompt) -> None:
        super().__init__()
        self.prompt = prompt


class GoTo(Message):
    """Show another screen, narrowed to what `ask` says."""

    def __init__(self, screen: str, ask: PageAsk | None = None, label: str = "") -> None:
        super().__init__()
        self.screen = screen
        self.ask = ask
        self.label = label


class Copy(Message):
    """Put text on the operator's clipboard, through the terminal."""

    def __init__(self, words: str, what: str) -> None:
        super().__init__()
        self.words = words
        self.what = what


class PlanAct(Message):
    """Plan an act on what is meant; nothing has run."""

    def __init__(self, action: str, meant: Sequence[Meant]) -> None:
        super().__init__()
        self.action = action
        self.meant = meant


class PlanUndo(Message):
    """Plan what takes a receipt back."""

    def __init__(self, receipt: Receipt) -> None:
        super().__init__()
        self.receipt = receipt


class Approve(Message):
    """The operator's yes to one plan, or to its dry run."""

    def __init__(self, preview: Preview, approval: Approval) -> None:
        super().__init__()
        self.preview = preview
        self.approval = approval


class WriteOut(Message):
    """Write what an ask yields, or some lines, to a file."""

    def __init__(self, path: str, ask: PageAsk | None = None, lines: Sequence[str] = ()) -> None:
        super().__init__()
        self.path = path
        self.ask = ask
        self.lines = lines
