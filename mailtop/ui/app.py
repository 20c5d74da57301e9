"""The Textual application: one widget, one loop. It wires the engine's console to screens, sheets and keys."""

from __future__ import annotations

import asyncio
import gc
import os
import signal
from collections.abc import Callable, Coroutine, Mapping, Sequence
from functools import partial
from typing import Any, ClassVar

from textual import events
from textual.app import App, ComposeResult
from textual.binding import BindingType
from textual.screen import Screen as TextualScreen

from mailtop.engine.console import Console
from mailtop.model.errors import ConfigError, MailtopError
from mailtop.model.plugin import plugins
from mailtop.model.snapshot import Health, Question
from mailtop.ui import messages, tty
from mailtop.ui.acting import Acting
from mailtop.ui.bindings import shipped_actions, tables
from mailtop.ui.canvas import Canvas
from mailtop.ui.commands import FIXED, Command, complete, parse
from mailtop.ui.feed import Feed
from mailtop.ui.frame import framed, key_line, prompt_line
from mailtop.ui.helping import help_lines
from mailtop.ui.ink import Line
from mailtop.ui.keys import FRAME, Bound, Keymap, pressed
from mailtop.ui.output import write_lines, write_rows
from mailtop.ui.prompt import Prompt
from mailtop.ui.sheets import preview, receipt
from mailtop.ui.sheets.choice import Choice, Option
from mailtop.ui.sheets.words import Words
from mailtop.ui.theme import Styles, load, theme_names
from mailtop.ui.view import Act, Screen, Sheet, Size, View

UNLOCKED = 900.0  # seconds until acts lock again, counted from the last key
_SAID = 8.0  # seconds a notice stays
_PACES = (0.5, 1.0, 2.0, 5.0, 10.0, 30.0)


class _Only(TextualScreen[None], inherit_bindings=False):
    """Textual's screen, without its keys."""


class MailtopApp(App[int], inherit_bindings=False):
    """The dashboard on a console."""

    BINDINGS: ClassVar[list[BindingType]] = []
    ENABLE_COMMAND_PALETTE = False
    CSS = "Canvas { width: 100%; height: 100%; }"

    def __init__(
        self,
        console: Console,
        *,
        theme: str = "dark",
        ascii: bool = False,  # noqa: A002 - the option's own name
        read_only: bool = False,
        no_colour: bool | None = None,
        keys: Mapping[str, str] | None = None,
        operator: str = "",
        actions: Sequence[Act] | None = None,
        monotonic: Callable[[], float] | None = None,
    ) -> None:
        """Raises ConfigError for a theme that is not there, and for keys that clash."""
        self._no_colour = "NO_COLOR" in os.environ if no_colour is None else no_colour
        super().__init__(ansi_color=True)
        acts = tuple(shipped_actions() if actions is None else actions)
        self._engine = console
        self._screens = sorted(plugins("mailtop.ui.screens", Screen), key=lambda screen: "1234567890".index(screen.key))
        self._keys = Keymap(tables(self._screens, acts, read_only), keys or {})
        self._views: dict[str, View] = {}
        self._here = self._screens[0]
        self._sheets: list[Sheet] = []
        self._prompt: Prompt | None = None
        self._said: tuple[str, Health] | None = None
        self._said_timer: Any = None
        self._typed: list[str] = []
        self._touched = False
        self._answered: set[str] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._bug: BaseException | None = None
        self._unwatch: Callable[[], None] = lambda: None
        self._ink = Styles(load(theme), self._no_colour)
        self._canvas = Canvas(self._ink, ascii, self.draw)
        self._feed = Feed(console, self._start, self.draw, self.say, read_only, acts)
        clock = monotonic or (lambda: asyncio.get_running_loop().time())
        self._acting = Acting(console, operator, clock, self.post_message, self._start)

    def compose(self) -> ComposeResult:
        """The one widget."""
        yield self._canvas

    def get_default_screen(self) -> TextualScreen[None]:
        """Textual's screen without keys of its own."""
        return _Only(id="_default")

    def run(self, *args: Any, **options: Any) -> int | None:
        """Run until the operator quits or the terminal is gone.

        The mouse is left to the terminal, so that text can be selected and copied as everywhere.
        """
        options.setdefault("mouse", False)
        code = super().run(*args, **options)
        if self._bug is not None:
            raise self._bug
        return code

    def on_mount(self) -> None:
        """Start listening to the engine, and watching the terminal."""
        if self.console.color_system == "standard" and not (self._no_colour or self.is_headless):
            self._restyle("16-colours")
        if not self.is_headless:
            loop = asyncio.get_running_loop()
            loop.add_signal_handler(signal.SIGTERM, self.exit, 0)  # else the terminal would stay as it is
            self._unwatch = tty.watch(
                end=lambda: loop.call_soon_threadsafe(self.exit, 0),
                reload=lambda: loop.call_soon_threadsafe(self.do_reload),
            )
        self._start(self._feed.follow())
        gc.freeze()  # what is loaded by now stays: no collection needs to look at it again while a key waits

    def on_unmount(self) -> None:
        """The terminal needs no watching any more, and nothing is waited for."""
        self._unwatch()
        for task in self._tasks:
            task.cancel()

    async def on_event(self, event: events.Event) -> None:
        """Keys come straight here: no widget has focus, and none can lose it."""
        if isinstance(event, events.Key):
            self.press(event.key, event.character)
        elif isinstance(event, events.Paste):
            if self._prompt is not None:
                self._prompt.insert(event.text)
                self.draw()
        else:
            await super().on_event(event)

    @property
    def drawn(self) -> str:
        """What the terminal shows, as text."""
        return self._canvas.words()

    def draw(self) -> None:
        """Draw what there is; the canvas sends only what changed."""
        if not self._canvas.is_attached:
            return
        scene, size = self._feed.scene, Size(*self.size)
        lines = framed(scene, self._view, self._sheets, self._said, self._foot(size.cells), size)
        self._canvas.show(lines)
        if scene is not None:
            self._feed.fetch(self._view.wants(scene), self._view.take, self._view.fail)
            self._hear(scene.snapshot.questions)

    def say(self, words: str, health: Health = Health.OK) -> None:
        """Say a line for some seconds."""
        self._said = (words, health)
        if self._said_timer is not None:
            self._said_timer.stop()
        self._said_timer = self.set_timer(_SAID, self._hush)
        self.draw()

    def press(self, key: str, character: str | None) -> None:
        """One key: to what is being typed, else to the top sheet, else to the screen or the frame."""
        self._touched = True
        self._feed.again()
        self._stay_unlocked()
        if self._prompt is not None:
            prompt = self._prompt
            if not prompt.press(key, character) and self._prompt is prompt:
                self._prompt = None
        elif self._sheets:
            sheet = self._sheets[-1]
            if not sheet.typed(key, character):
                self._do(self._keys.find(sheet.place, pressed(key, character)), sheet)
        else:
            self._do(self._keys.find(self._here.name, pressed(key, character)), self._view)
        self.draw()

    # what the frame's keys and commands do

    def do_close(self) -> None:
        """`q`: widen, and at the root quit."""
        if not self._view.back():
            self.do_leave()

    def do_back(self) -> None:
        """`esc`: widen; at the root nothing."""
        self._view.back()

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
        self._open(Choice(title, [stay, go], lambda leave: self.exit(0) if leave else None, self.post_message))

    def do_help(self) -> None:
        """The keys of this screen, and the commands."""
        lines = help_lines(self._here.title, self._keys.table(self._here.name), self._commands())
        self._open(Words("Keys", lines, wide=78))

    def do_command(self) -> None:
        """Type a command."""
        commands = self._commands()
        done, offer = self._command, lambda words: complete(words, commands)
        self._prompt = Prompt(":", done, offer, history=self._typed)

    def do_palette(self) -> None:
        """Choose a command."""
        options = [Option(f":{command.name}", command, command.help) for command in self._commands()]
        self._open(Choice("Commands", options, self._chosen, self.post_message))

    def do_go(self, name: str) -> None:
        """Another screen."""
        self._here = next(screen for screen in self._screens if screen.name == name)

    def do_later(self, words: str) -> None:
        """Honest about what is not there yet."""
        self.say(words)

    def do_pause(self) -> None:
        """Freeze, or go on."""
        scene = self._feed.scene
        self._ask(self._engine.pause(not (scene is not None and scene.snapshot.paused)))

    def do_slower(self) -> None:
        """The next longer interval."""
        pace = self._pace()
        self.do_interval(str(next((longer for longer in _PACES if longer > pace), _PACES[-1])))

    def do_faster(self) -> None:
        """The next shorter interval."""
        pace = self._pace()
        self.do_interval(str(next((shorter for shorter in reversed(_PACES) if shorter < pace), _PACES[0])))

    def do_interval(self, seconds: str) -> None:
        """The pace of everything."""
        try:
            pace = float(seconds)
        except ValueError:
            pace = 0.0
        if not 0.1 <= pace <= 3600:
            self.say(f":interval: {seconds} is no number of seconds from 0.1 to 3600", Health.WARN)
            return
        self._ask(self._engine.interval(pace))
        self.say(f"every {pace:g} s")

    def do_refresh(self) -> None:
        """Ask now."""
        self._ask(self._engine.refresh())
        self.say("asking now")

    def do_list(self) -> None:
        """A full listing, whatever it costs."""
        self._ask(self._engine.refresh(what="listing"))
        self.say("listing the queues in full")

    def do_operate(self) -> None:
        """Unlock acts."""
        if self._feed.scene is not None and self._feed.scene.read_only:
            self.say("read-only: acts are off, and cannot be unlocked", Health.WARN)
            return
        self._ask(self._engine.unlock(UNLOCKED))
        self.say("OPERATE: acts are unlocked; they lock again after 15 idle minutes, or by :observe", Health.WARN)

    def do_observe(self) -> None:
        """Lock acts."""
        self._ask(self._engine.unlock(0.0))
        self.say("OBSERVE: acts are locked")

    def do_undo(self) -> None:
        """Choose what to take back."""
        scene = self._feed.scene
        self._acting.choose_undo(scene.snapshot.receipts if scene is not None else ())

    def do_theme(self, name: str) -> None:
        """Another theme, at once."""
        try:
            self._restyle(name)
        except ConfigError as error:
            self.say(str(error), Health.WARN)

    def do_reload(self) -> None:
        """Read the theme's file anew."""
        load.cache_clear()
        self.do_theme(self._ink.theme.name)
        self.say("read anew: theme")

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
        self._acting.plan(message.action, message.selections)

    def on_plan_undo(self, message: messages.PlanUndo) -> None:
        """Plan what takes it back."""
        self._acting.undo(message.receipt)

    def on_approve(self, message: messages.Approve) -> None:
        """The operator's yes."""
        sheet = next((s for s in self._sheets if isinstance(s, preview.Sheet) and s.preview is message.preview), None)
        self._acting.approve(message.preview, message.approval, sheet)
        self.draw()

    def on_write_out(self, message: messages.WriteOut) -> None:
        """Write a file."""
        self._ask(self._write(message))

    # inside

    @property
    def _view(self) -> View:
        if self._here.name not in self._views:
            self._views[self._here.name] = self._here.make(self.post_message)
        return self._views[self._here.name]

    def _open(self, sheet: Sheet) -> None:
        if isinstance(sheet, Words):
            sheet.post = self.post_message
        if isinstance(sheet, preview.Sheet):
            self.set_timer(preview.DEAF + 0.05, self.draw)  # the buttons light up
        self._sheets.append(sheet)

    def _do(self, bound: Bound | None, target: object) -> None:
        if bound is not None:
            does = getattr(self if bound.do.startswith("do_") else target, bound.do)
            does(bound.argument) if bound.argument else does()

    def _foot(self, cells: int) -> Line:
        if self._prompt is not None:
            return prompt_line(self._prompt, cells)
        frame = [self._keys.find(self._here.name, bound.key) or bound for bound in FRAME if bound.label]
        table = self._keys.table(self._sheets[-1].place if self._sheets else self._here.name)
        hints = [bound for bound in table if bound.id not in {other.id for other in FRAME}]
        if self._sheets:
            return key_line((), "", hints, (), cells)
        return key_line(self._screens, self._here.name, hints, frame, cells)

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
        does = getattr(self, command.do)
        does(argument) if argument else does()

    def _chosen(self, command: Command) -> None:
        if command.takes:
            self.do_command()
            assert self._prompt is not None  # noqa: S101 - do_command has just made it
            self._prompt.insert(f"{command.name} ")
            self.draw()
        else:
            self._command(command.name)

    def _hush(self) -> None:
        self._said = None
        self.draw()

    def _restyle(self, name: str) -> None:
        self._ink = Styles(load(name), self._no_colour)
        self._canvas.restyle(self._ink)

    def _pace(self) -> float:
        return self._feed.scene.snapshot.interval if self._feed.scene is not None else 1.0

    def _stay_unlocked(self) -> None:
        """A key is no idle minute: ask for the full time again, at most once a minute."""
        scene = self._feed.scene
        if scene is not None and scene.operate and scene.snapshot.unlocked_until - scene.now < UNLOCKED - 60:
            self._ask(self._engine.unlock(UNLOCKED))

    def _hear(self, questions: Sequence[Question]) -> None:
        """A question opens by itself only while nobody is doing anything; later it is said, and `!` opens it."""
        waiting = [question for question in questions if question.id not in self._answered]
        if not waiting:
            return
        if not self._touched and self._prompt is None and not self._sheets:
            self.do_answer()
        elif self._said is None and self._prompt is None:
            self.say(f"{waiting[0].host} asks: {waiting[0].prompt}   ! answers", Health.WARN)

    def do_answer(self) -> None:
        """Answer what a host asks."""
        questions = self._feed.scene.snapshot.questions if self._feed.scene is not None else ()
        for question in questions:
            if question.id not in self._answered:
                label = f"{question.host} asks: {question.prompt.rstrip(': ')}: "
                self._prompt = Prompt(label, partial(self._answer, question), secret=question.secret)
                return
        self.say("nobody asks anything")

    def _answer(self, question: Question, words: str) -> None:
        self._answered.add(question.id)
        self._ask(self._engine.answer(question.id, words))

    async def _write(self, message: messages.WriteOut) -> None:
        name = message.path.rpartition("/")[2]
        if message.ask is None:
            number = await write_lines(message.path, message.lines)
        else:
            progress = lambda at, of: self.say(f"{name}: {at} of {of} rows")  # noqa: E731
            number = await write_rows(message.path, self._engine, message.ask, progress)
        self.say(f"{name}: {number} rows written")

    def _ask(self, asking: Coroutine[Any, Any, None]) -> None:
        self._start(self._asked(asking))

    async def _asked(self, asking: Coroutine[Any, Any, None]) -> None:
        try:
            await asking
        except MailtopError as error:
            self.say(str(error), Health.WARN)

    def _start(self, work: Coroutine[Any, Any, None]) -> None:
        """Run in the background; a task costs less than one of Textual's workers, and keys come first."""
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        error = None if task.cancelled() else task.exception()
        if error is not None:  # a bug: end, and let `run` raise it
            self._bug = error
            self.exit(1)
