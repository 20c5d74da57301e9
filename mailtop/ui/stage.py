"""The stage of the dashboard: one widget, one loop; keys in, lines out, and nothing that a key means."""

from __future__ import annotations

import asyncio
import gc
import os
import signal
from collections.abc import Callable, Coroutine, Mapping, Sequence
from typing import Any, ClassVar

from textual import events
from textual.app import App, ComposeResult
from textual.binding import BindingType
from textual.message import Message
from textual.screen import Screen as TextualScreen

from mailtop.engine.console import Console
from mailtop.model.errors import ConfigError
from mailtop.model.plugin import plugins
from mailtop.model.question import Question
from mailtop.model.snapshot import Health
from mailtop.model.text import shown
from mailtop.ui import tty
from mailtop.ui.acting import Acting
from mailtop.ui.bindings import shipped_actions, tables
from mailtop.ui.canvas import Canvas
from mailtop.ui.feed import Feed
from mailtop.ui.frame import framed, key_line, prompt_line
from mailtop.ui.ink import Line
from mailtop.ui.keys import FRAME, Bound, Keymap, pressed
from mailtop.ui.orders import Orders
from mailtop.ui.prompt import Prompt
from mailtop.ui.sheets import question
from mailtop.ui.theme import Styles, load
from mailtop.ui.view import Act, Screen, Sheet, Size, View

_SAID = 8.0  # seconds a notice stays
_COUNT = 1.0  # seconds between two looks at how long nothing has come


class _Only(TextualScreen[None], inherit_bindings=False):
    """Textual's screen, without its keys."""


class Stage(App[int], inherit_bindings=False):
    """What is on the screen now: a view, the sheets over it, what is typed and what is said."""

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
        self._tasks: set[asyncio.Task[None]] = set()
        self._bug: BaseException | None = None
        self._unwatch: Callable[[], None] = lambda: None
        self._uncount: Callable[[], None] = lambda: None
        self._ink = Styles(load(theme), self._no_colour)
        self._canvas = Canvas(self._ink, ascii, self.draw)
        clock = monotonic or (lambda: asyncio.get_running_loop().time())
        self._feed = Feed(console, self._start, self.draw, self.say, clock, read_only, acts)
        self._orders = Orders(console, self._feed, self._ask, self.say, self._start)
        self._acting = Acting(console, operator, clock, self.told, self._start)

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
            self.restyle("16-colours")
        if not self.is_headless:
            loop = asyncio.get_running_loop()
            loop.add_signal_handler(signal.SIGTERM, self.exit, 0)  # else the terminal would stay as it is
            self._unwatch = tty.watch(
                end=lambda: loop.call_soon_threadsafe(self.exit, 0),
                reload=lambda: loop.call_soon_threadsafe(self.reload),
            )
        self._start(self._feed.follow())
        self._count()
        gc.freeze()  # what is loaded by now stays: no collection needs to look at it again while a key waits

    def on_unmount(self) -> None:
        """The terminal needs no watching any more, and nothing is waited for."""
        self._unwatch()
        self._uncount()
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
            elif self._sheets and isinstance(self._sheets[-1], question.Sheet):
                self._sheets[-1].pasted(event.text)
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
        lines = framed(scene, self._view, self._sheets, self._said, self._feed.alarm, self._foot(size.cells), size)
        self._canvas.show(lines)
        if scene is not None:
            self._feed.fetch(self._view.wants(scene), self._view.take, self._view.fail)
            self._hear()

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
        self._orders.stay_unlocked()
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

    def reload(self) -> None:
        """Read the theme's file anew."""
        load.cache_clear()
        self.restyle(self._ink.theme.name, "read anew: theme")

    def restyle(self, name: str, done: str = "") -> None:
        """Another theme, at once."""
        try:
            self._ink = Styles(load(name), self._no_colour)
        except ConfigError as error:
            self.say(str(error), Health.WARN)
            return
        self._canvas.restyle(self._ink)
        if done:
            self.say(done)

    def told(self, message: Message) -> object:
        """What a screen or sheet says."""
        return self.post_message(message)

    @property
    def _view(self) -> View:
        if self._here.name not in self._views:
            self._views[self._here.name] = self._here.make(self.told)
        return self._views[self._here.name]

    def _do(self, bound: Bound | None, target: object) -> None:
        """What a key means: to the frame (`do_`), to the engine (`order_`), or to what is on top."""
        scene = self._feed.scene
        if bound is None:
            return
        if bound.act and scene is not None and scene.read_only:
            self.say(scene.why_read_only, Health.WARN)
            return
        if bound.act and self._feed.alarm:
            self.say("no act while there is no news from the engine", Health.WARN)
            return
        self._call(bound.do, bound.argument, target)

    def _call(self, name: str, argument: str, target: object = None) -> None:
        owner = self if name.startswith("do_") else self._orders if name.startswith("order_") else target
        does = getattr(owner, name)
        does(argument) if argument else does()

    def _table(self) -> tuple[Bound, ...]:
        """The keys of what is on top; without those that act, where nothing may be changed."""
        table = self._keys.table(self._sheets[-1].place if self._sheets else self._here.name)
        scene = self._feed.scene
        if scene is None or not scene.read_only:
            return table
        return tuple(bound for bound in table if not bound.act)

    def _foot(self, cells: int) -> Line:
        if self._prompt is not None:
            return prompt_line(self._prompt, cells)
        frame = [self._keys.find(self._here.name, bound.key) or bound for bound in FRAME if bound.label]
        hints = [bound for bound in self._table() if bound.id not in {other.id for other in FRAME}]
        if self._sheets:
            useless = self._sheets[-1].useless
            return key_line((), "", [bound for bound in hints if bound.id not in useless], (), cells)
        return key_line(self._screens, self._here.name, hints, frame, cells)

    def _hush(self) -> None:
        self._said = None
        self.draw()

    def _ask(self, asked: Question, done: Callable[[str | None], object]) -> None:
        def settled(words: str | None) -> None:
            done(words)
            self._touched = words is None  # who answers may well be asked the next thing at once

        self._sheets.append(question.Sheet(asked, settled))

    def _hear(self) -> None:
        """A question opens by itself only while nobody is doing anything; later it is said, and `!` opens it.

        One that is asked no longer goes, at the next enter where it is being typed at: the host has hung up.
        """
        waiting = self._orders.questions()
        if self._sheets and isinstance(self._sheets[-1], question.Sheet):
            sheet = self._sheets[-1]
            if sheet.question.id not in [one.id for one in waiting] and not sheet.lapsed:
                if sheet.over():
                    self._sheets.pop()
                self.draw()
            return
        if not waiting or self._prompt is not None:
            return
        if not self._touched and not self._sheets:
            self._orders.order_answer()
            self.draw()
        elif self._said is None:
            self.say(f"{waiting[0].host} asks: {shown(waiting[0].words, 200)}   ! answers", Health.WARN)

    def _count(self) -> None:
        """Once a second: how long has nothing come, how long does a pause last? Draws only where one counts."""
        if self._feed.alarm or self._feed.paused:
            self.draw()
        self._uncount = asyncio.get_running_loop().call_later(_COUNT, self._count).cancel

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
