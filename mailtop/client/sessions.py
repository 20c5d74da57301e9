"""Session channels of one host's connection: as many as its sshd opens, which only its refusal tells.

OpenSSH's MaxSessions is 10 where nobody has set it, and 1 where somebody wanted to be strict. Forwarded sockets do not
count. Every ask of the host takes a place for its time; once a session has been refused there are as many places as
sessions were open then, for the rest of the connection, and an idle kept shell gives its session to who needs one.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TypeVar

from mailtop.model.errors import NoSession, TimedOut
from mailtop.transport import Channel
from mailtop.transport.deadline import Deadline

Result = TypeVar("Result")

_AGAIN = 0.05  # seconds: sshd frees a session when its program has ended, a little after the channel
_PATIENCE = 3.0  # seconds for that


class Sessions:
    """`open` opens one; `spare` ends one that nobody uses just now, and says whether there was one."""

    def __init__(self, open: Callable[[str], Channel], spare: Callable[[], bool]) -> None:  # noqa: A002 - Transport's word
        self._open = open
        self._spare = spare
        self._change = threading.Condition()
        self._pause = threading.Event()  # never set: something to wait on
        self._asks = 0
        self._channels = 0
        self._opening = 0
        self.limit = 0
        """How many there may be at once, 0 as long as none was refused."""

    def open(self, command: str) -> Channel:
        """Open one, counted. Raises NoSession at once where sshd refuses, and what `open` raises."""
        with self._change:
            self._opening += 1
        try:
            channel = self._open(command)
        except BaseException as error:
            with self._change:
                self._opening -= 1
                if isinstance(error, NoSession):  # those that are just being opened have a session, or say so in turn
                    self.limit = max(1, self._channels + self._opening)
            raise
        with self._change:
            self._opening -= 1
            self._channels += 1
        return _Counted(channel, self._closed)

    def run(self, work: Callable[[float], Result], what: str, timeout: float) -> Result:
        """Do `work`, which opens a session if it has none, and is given the seconds that remain.

        Where none is to be had, it waits for its turn and does it again from the start: nothing has been sent then.
        """
        deadline, patience = Deadline(timeout), Deadline(timeout)
        refused = False
        while True:
            with self._turn(deadline, what):
                try:
                    return work(max(deadline.left(), 0.001))
                except NoSession:
                    if self._spare() or not refused:
                        refused, patience = True, Deadline(_PATIENCE)
                    if not deadline.left() or not patience.left():
                        raise
            self._pause.wait(_AGAIN)

    @contextmanager
    def _turn(self, deadline: Deadline, what: str) -> Iterator[None]:
        with self._change:
            while self.limit and self._asks >= self.limit:
                if not self._change.wait(deadline.left()) and not deadline.left():
                    seats = "session" if self.limit == 1 else "sessions"
                    reason = f"other answers kept the {self.limit} {seats} busy that sshd opens (MaxSessions)"
                    raise TimedOut(what, reason)
            self._asks += 1
        try:
            yield
        finally:
            with self._change:
                self._asks -= 1
                self._change.notify()

    def _closed(self) -> None:
        with self._change:
            self._channels -= 1


class _Counted:
    """A channel whose end is told, once."""

    def __init__(self, channel: Channel, ended: Callable[[], None]) -> None:
        self.send, self.read = channel.send, channel.read
        self.end_of_input, self.exit_status = channel.end_of_input, channel.exit_status
        self._channel = channel
        self._ended = ended
        self._lock = threading.Lock()
        self._closed = False

    def close(self) -> None:
        """End the channel."""
        self._channel.close()
        with self._lock:
            first, self._closed = not self._closed, True
        if first:
            self._ended()
