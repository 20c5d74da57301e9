"""The dashboard: what the frame's keys and commands do, and what screens and sheets may ask of it."""

from __future__ import annotations

from textual.message import Message

from mailtop.model.errors import MailtopError
from mailtop.model.operation import Selection
from mailtop.model.snapshot import Health, PageAsk
from mailtop.ui import destinations, messages
from mailtop.ui.commands import FIXED, Command, complete, parse
from mailtop.ui.helping import help_lines
from mailtop.ui.meaning import Meant
from mailtop.ui.output import write_lines, write_log, write_rows
from mailtop.ui.prompt import Prompt
from mailtop.ui.sheets import preview, receipt
from mailtop.ui.sheets.choice import Choice, Option
from mailtop.ui.sheets.words import Words
from mailtop.ui.stage import Stage
from mailtop.ui.theme import theme_names
from mailtop.ui.view import Sheet


class MailtopApp(Stage, inherit_bindings=False):
    """The dashboard on a console."""

    def told(self, message: Message) -> object:
        """What a screen or sheet says. What opens or closes something does so before the next key is heard."""
        match message:
            case messages.AskLine():
                self.on_ask_line(message)
            case messages.OpenSheet():
                self.on_open_sheet(message)
            case messages.CloseSheet():
                self.on_close_sheet()
            case _:
                return super().told(message)
        return None

    # what the frame's keys and commands do

    def do_close(self) -> None:
        """`q`: widen, and at the root quit."""
        if not self._view.back():
            self.do_leave()

    def do_back(self) -> None:
        """`esc`: widen; at the root, end a full listing that runs."""
        if not self._view.back() and self._listing():
            self._orders.order_stop()

    def _listing(self) -> bool:
        scene = self._feed.scene
        return scene is not None and any(queue.listing is not None for queue in scene.snapshot.queues)

    def do_leave(self) -> None:
        """Quit; while an act runs, ask."""
        if not self._acting.running:
            self.exit(0)
            return
        stay, go = (
            Option("stay", False, "its receipt comes when it is done"),
            Option("quit", True, letter="Q", role="warn"),
        )
        title = "An act is running; it goes on when you quit"
        self._open(Choice(title, [stay, go], lambda leave: self.exit(0) if leave else None, self.told))

    def do_help(self) -> None:
        """The keys of this screen, and the commands."""
        lines = help_lines(self._here.title, self._table(), self._commands())
        self._open(Words("Keys", lines, wide=78))

    def do_command(self) -> None:
        """Type a command."""
        commands = self._commands()
        done, offer = self._command, lambda words: complete(words, commands)
        self._prompt = Prompt(":", done, offer, history=self._typed)

    def do_palette(self) -> None:
        """Choose a command."""
        options = [Option(f":{command.name}", command, command.help) for command in self._commands()]
        self._open(Choice("Commands", options, self._chosen, self.told))

    def do_go(self, name: str) -> None:
        """Another screen."""
        self._here = next(screen for screen in self._screens if screen.name == name)

    def do_later(self, words: str) -> None:
        """Honest about what is not there yet."""
        self.say(words)

    def do_undo(self) -> None:
        """Choose what to take back."""
        scene = self._feed.scene
        self._acting.choose_undo(scene.snapshot.receipts if scene is not None else ())

    def do_destinations(self) -> None:
        """What mailtop has changed of destinations, and what takes it back."""
        scene = self._feed.scene
        sheet = destinations.listed(scene, self.told) if scene is not None else None
        if sheet is None:
            self.say("no destination is paused, throttled or rerouted by mailtop")
        else:
            self._open(sheet)

    def do_whole(self, act: str) -> None:
        """An act on every queue as a whole: a preview a host."""
        scene = self._feed.scene
        if scene is not None and scene.read_only:
            self.say(scene.why_read_only, Health.WARN)
        else:
            self._acting.plan(act, [Meant(Selection(everything=True), "the queue as a whole", None)])

    def do_domain(self, words: str) -> None:
        """Pause, throttle, reroute, restore or finish a destination."""
        scene = self._feed.scene
        if scene is not None and scene.read_only:
            self.say(scene.why_read_only, Health.WARN)
        elif scene is not None:
            destinations.typed(words, scene.acts, self.told)

    def do_logs(self) -> None:
        """The log of what is under the cursor; of everything, where there is no cursor."""
        where = self._view.log_filter()
        self.do_go("logs")
        self._view.narrow(PageAsk("logs", where=where), "")

    def do_theme(self, name: str) -> None:
        """Another theme, at once."""
        self.restyle(name)

    def do_reload(self) -> None:
        """Read the theme's file anew."""
        self.reload()

    # what screens and sheets say

    def on_say(self, message: messages.Say) -> None:
        """A line for the operator."""
        self.say(message.words, message.health)

    def on_open_sheet(self, message: messages.OpenSheet) -> None:
        """Another sheet on top, or in the place of one."""
        if message.instead_of in self._sheets:
            self._sheets.remove(message.instead_of)
        self._open(message.sheet)
        self.draw()

    def on_close_sheet(self) -> None:
        """The top sheet goes; behind a preview or receipt comes the next plan's preview."""
        if self._sheets:
            closed = self._sheets.pop()
            if isinstance(closed, receipt.Sheet):
                self._acting.next_preview()
            elif isinstance(closed, preview.Sheet) and not closed.running:
                self._acting.forget()
        self.draw()

    def on_ask_line(self, message: messages.AskLine) -> None:
        """Something is to be typed."""
        self._prompt = message.prompt
        self.draw()

    def on_go_to(self, message: messages.GoTo) -> None:
        """Another screen, narrowed."""
        if message.screen in {screen.name for screen in self._screens}:
            self.do_go(message.screen)
            if message.ask is not None:
                self._view.narrow(message.ask, message.label)
        self.draw()

    def on_copy(self, message: messages.Copy) -> None:
        """Through the terminal, so that it works over SSH."""
        self.copy_to_clipboard(message.words)
        self.say(f"copied {message.what}")

    def on_plan_act(self, message: messages.PlanAct) -> None:
        """Plan it; the preview follows."""
        self._acting.plan(message.action, message.meant)

    def on_plan_undo(self, message: messages.PlanUndo) -> None:
        """Plan what takes it back."""
        self._acting.undo(message.receipt)

    def on_approve(self, message: messages.Approve) -> None:
        """The operator's yes."""
        sheet = next((s for s in self._sheets if isinstance(s, preview.Sheet) and s.preview is message.preview), None)
        if self._feed.alarm:  # it would be carried out whenever the engine comes back, and nobody sees it then
            if sheet is not None:
                sheet.running = False
            self.say("not approved: there is no news from the engine; nothing was sent", Health.WARN)
            return
        self._acting.approve(message.preview, message.approval, sheet)
        self.draw()

    def on_write_out(self, message: messages.WriteOut) -> None:
        """Write a file."""
        self._orders.ask(self._write(message))

    # inside

    def _open(self, sheet: Sheet) -> None:
        if isinstance(sheet, Words):
            sheet.post = self.told
        if isinstance(sheet, preview.Sheet):
            self.set_timer(preview.DEAF + 0.05, self.draw)  # the buttons light up
        self._sheets.append(sheet)

    def _commands(self) -> list[Command]:
        going = [Command(s.name, s.summary, "do_go", argument=s.name) for s in self._screens]
        return [*going, *FIXED, Command("theme", "other colours, at once", "do_theme", "a theme", theme_names())]

    def _command(self, words: str) -> None:
        self._prompt = None
        if not words.strip(" :"):
            return
        try:
            command, argument = parse(words, self._commands())
        except MailtopError as error:
            self.say(str(error), Health.WARN)
            return
        self._call(command.do, argument)

    def _chosen(self, command: Command) -> None:
        if command.takes:
            self.do_command()
            assert self._prompt is not None  # noqa: S101 - do_command has just made it
            self._prompt.insert(f"{command.name} ")
            self.draw()
        else:
            self._command(command.name)

    async def _write(self, message: messages.WriteOut) -> None:
        name = message.path.rpartition("/")[2]
        if message.ask is None:
            number = await write_lines(message.path, message.lines)
        elif message.ask.kind == "logs":
            number = await write_log(
                message.path, self._engine, message.ask, lambda at, of: self.say(f"{name}: {at} of {of} lines")
            )
        else:
            progress = lambda at, of: self.say(f"{name}: {at} of {of} rows")  # noqa: E731
            number, missing = await write_rows(message.path, self._engine, message.ask, progress)
            if missing:
                self.say(f"{name}: {number} rows written, and some are missing: {missing}", Health.WARN)
                return
        self.say(f"{name}: {number} rows written")
