"""What is asked of one container at the same moment goes there by one thread: to hand over costs more than to ask.

Nobody waits for another's answer for long: what a slow ask keeps waiting takes a way of its own.
"""

from __future__ import annotations

import asyncio
import threading
from collections import deque
from collections.abc import Callable
from concurrent.futures import Executor

from mailtop.model.ask import Answer, Command

TOGETHER = 0.002  # seconds: what is asked within them is asked together
PATIENCE = 0.2  # seconds for which an ask waits for those before it, and an answer for those after it

Ask = Callable[[str, Command, str], Answer]


class Together:
    """The asks of one host's connection. Belongs to the engine's loop."""

    def __init__(self, pool: Executor) -> None:
        self._pool = pool
        self._gathering: dict[str, _Round] = {}

    def ask(self, ask: Ask, container: str, command: Command, by: str) -> asyncio.Future[Answer]:
        """Put a command to a container with those of the same moment. `ask` blocks, in a thread."""
        loop = asyncio.get_running_loop()
        told: asyncio.Future[Answer] = loop.create_future()
        gathering = self._gathering.get(container)
        if gathering is None:
            gathering = self._gathering[container] = _Round(loop)
            loop.call_later(TOGETHER, self._put, container)
        gathering.waiting.append(_One(lambda: ask(container, command, by), told))
        return told

    def _put(self, container: str) -> None:
        self._gathering.pop(container).start(self._pool)


class _One:
    """One ask, and who waits for its answer."""

    def __init__(self, ask: Callable[[], Answer], told: asyncio.Future[Answer]) -> None:
        self.told = told
        self._ask = ask
        self._answer: Answer | None = None
        self._error: BaseException | None = None

    def run(self) -> None:
        """In a thread."""
        if self.told.cancelled():
            return
        try:
            self._answer = self._ask()
        except BaseException as error:  # noqa: BLE001  (whoever waits is told, whatever it is)
            self._error = error

    def tell(self) -> None:
        """On the loop."""
        if self.told.done():
            return
        if self._error is not None:
            self.told.set_exception(self._error)
        elif self._answer is not None:
            self.told.set_result(self._answer)


class _Round:
    """Asks that one thread puts in turn, for as long as that is quick."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.waiting: deque[_One] = deque()
        self._loop = loop
        self._answered: deque[_One] = deque()
        self._parted = threading.Event()
        self._pool: Executor | None = None

    def start(self, pool: Executor) -> None:
        """Let a thread begin."""
        self._pool = pool
        timer = self._loop.call_later(PATIENCE, self._part) if len(self.waiting) > 1 else None
        try:
            pool.submit(self._run, timer)
        except RuntimeError:  # the connection is being closed
            if timer is not None:
                timer.cancel()
            while self.waiting:
                self.waiting.popleft().told.cancel()

    def _run(self, timer: asyncio.TimerHandle | None) -> None:
        while self.waiting:
            try:
                one = self.waiting.popleft()
            except IndexError:
                break  # the loop took it
            one.run()
            self._answered.append(one)
            if self._parted.is_set():
                break
        self._loop.call_soon_threadsafe(self._tell, timer)

    def _tell(self, timer: asyncio.TimerHandle | None = None) -> None:
        if timer is not None:
            timer.cancel()
        while self._answered:
            self._answered.popleft().tell()

    def _part(self) -> None:
        """It takes too long: tell what is known, and let each that still waits go by itself."""
        self._parted.set()
        self._tell()
        while self.waiting:
            try:
                alone = self.waiting.popleft()
            except IndexError:
                return
            apart = _Round(self._loop)
            apart.waiting.append(alone)
            assert self._pool is not None  # noqa: S101  (told to mypy: it has been started)
            apart.start(self._pool)
