"""What the frame's keys and commands ask of the engine: its pace, a pause, fresh readings, unlocking, answers."""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Sequence
from functools import partial
from typing import Any

from mailtop.engine.console import Console
from mailtop.model.errors import MailtopError
from mailtop.model.question import Question
from mailtop.model.snapshot import Health
from mailtop.ui.feed import Feed

UNLOCKED = 900.0  # seconds until acts lock again, counted from the last key
_PACES = (0.5, 1.0, 2.0, 5.0, 10.0, 30.0)


class Orders:
    """Each `order_…` is what one key or command asks.

    `open` lets a question be answered (None refuses), `say` tells the operator something, `start` runs something.
    """

    def __init__(
        self,
        console: Console,
        feed: Feed,
        open: Callable[[Question, Callable[[str | None], object]], object],  # noqa: A002 - what it does
        say: Callable[[str, Health], object],
        start: Callable[[Coroutine[Any, Any, None]], object],
    ) -> None:
        self._console = console
        self._feed = feed
        self._open = open
        self._say = say
        self._start = start
        self._answered: set[str] = set()

    def order_pause(self) -> None:
        """Freeze what is shown, or go on."""
        self._pause(not self._feed.paused)

    def order_step(self, by: str) -> None:
        """Pause a replay, and go to another moment of it; further back takes as long as playing it again silently."""
        scene = self._feed.scene
        if scene is None or not scene.snapshot.replay:
            self._say("this is no replay: [ and ] step through a recording", Health.WARN)
            return
        if not self._feed.paused:
            self._feed.pause(True)
        self.ask(self._console.step(int(by)))

    def order_slower(self) -> None:
        """The next longer interval."""
        pace = self._pace()
        self.order_interval(str(next((longer for longer in _PACES if longer > pace), _PACES[-1])))

    def order_faster(self) -> None:
        """The next shorter interval."""
        pace = self._pace()
        self.order_interval(str(next((shorter for shorter in reversed(_PACES) if shorter < pace), _PACES[0])))

    def order_interval(self, seconds: str) -> None:
        """The pace of everything."""
        try:
            pace = float(seconds)
        except ValueError:
            pace = 0.0
        if not 0.1 <= pace <= 3600:
            self._say(f":interval: {seconds} is no number of seconds from 0.1 to 3600", Health.WARN)
            return
        self.ask(self._console.interval(pace))
        self._say(f"every {pace:g} s", Health.OK)

    def order_refresh(self) -> None:
        """Ask now."""
        self.ask(self._console.refresh())
        self._say("asking now", Health.OK)

    def order_list(self) -> None:
        """A full listing, whatever it costs."""
        self.ask(self._console.refresh(what="listing"))
        self._say("listing the queues in full", Health.OK)

    def order_stop(self) -> None:
        """End full listings that run."""
        self.ask(self._console.stop_listing())
        self._say("ending the listing; the one before stays", Health.OK)

    def order_operate(self) -> None:
        """Unlock acts; what is acted on must not stand still, so a pause ends."""
        scene = self._feed.scene
        if scene is not None and scene.read_only:
            self._say(scene.why_read_only, Health.WARN)
            return
        if self._feed.paused:
            self._pause(False)
        self.ask(self._console.unlock(UNLOCKED))
        self._say("OPERATE: acts are unlocked; 15 idle minutes or :observe lock them", Health.WARN)

    def order_observe(self) -> None:
        """Lock acts."""
        self.ask(self._console.unlock(0.0))
        self._say("OBSERVE: acts are locked", Health.OK)

    def order_answer(self) -> None:
        """Answer what a host asks."""
        questions = self.questions()
        if not questions:
            self._say("nobody asks anything", Health.OK)
            return
        self._open(questions[0], partial(self._answer, questions[0]))

    def questions(self) -> Sequence[Question]:
        """What is asked and not answered yet."""
        scene = self._feed.scene
        asked = scene.snapshot.questions if scene is not None else ()
        return [question for question in asked if question.id not in self._answered]

    def stay_unlocked(self) -> None:
        """A key is no idle minute: ask for the full time again, at most once a minute."""
        scene = self._feed.scene
        if scene is None or not scene.operate or scene.late:
            return
        if scene.snapshot.unlocked_until - scene.now < UNLOCKED - 60:
            self.ask(self._console.unlock(UNLOCKED))

    def ask(self, asking: Coroutine[Any, Any, None]) -> None:
        """Ask something in the background; what comes of it is said only where it fails."""
        self._start(self._asked(asking))

    async def _asked(self, asking: Coroutine[Any, Any, None]) -> None:
        try:
            await asking
        except MailtopError as error:
            self._say(str(error), Health.WARN)

    def _answer(self, question: Question, words: str | None) -> None:
        self._answered.add(question.id)
        self.ask(self._console.answer(question.id, words))

    def _pause(self, paused: bool) -> None:
        """Known at once, whenever the engine comes round to saying it; taken back where it refuses."""
        self._feed.pause(paused)
        self._start(self._paused(paused))

    async def _paused(self, paused: bool) -> None:
        try:
            await self._console.pause(paused)
        except MailtopError as error:
            self._feed.pause(not paused)
            self._say(str(error), Health.WARN)

    def _pace(self) -> float:
        return self._feed.scene.snapshot.interval if self._feed.scene is not None else 1.0
