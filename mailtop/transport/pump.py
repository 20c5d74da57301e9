"""Carries bytes between streams that are no sockets (channels of an SSH connection) and real sockets.

One thread for all streams of a connection. Back-pressure goes through: a stream is read only as fast as its socket is,
and a socket only as fast as its stream takes; never more than `PIECE` bytes wait here, each way. Half-closes go through
as well, and the end of either side ends the other.
"""

from __future__ import annotations

import contextlib
import os
import select
import socket
import threading
from collections import deque
from collections.abc import Callable
from typing import Protocol

from mailtop.model.errors import LinkLost

PIECE = 32 << 10
_TURN = 16  # pieces before the next stream has its turn
_AGAIN = 10  # milliseconds: a full stream does not tell when it takes more


class Stream(Protocol):
    """What can be carried. No call waits; each raises LinkLost when the connection is gone."""

    def listen(self, news: Callable[[], None]) -> None:
        """Have `news` called, from any thread, whenever there is something to take, the end included."""

    def take(self) -> bytes | None:
        """Return at most `PIECE` bytes, b"" at the end, None while there is nothing."""

    def give(self, octets: memoryview) -> int:
        """Send some of it; how many bytes were taken, 0 while the stream is full."""

    def end(self) -> None:
        """Say that no more will be given."""

    def close(self) -> None:
        """End the stream."""


class Pump:
    """All streams of one connection."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._lock = threading.Lock()  # starting and stopping
        self._waking = threading.Lock()  # the wake-up pipe: never written to once it is closed
        self._thread: threading.Thread | None = None
        self._fresh: deque[_Pair] = deque()
        self._woken = self._waker = -1
        self._stopping = False

    def carry(self, stream: Stream) -> socket.socket:
        """Return a socket that is as good as the stream."""
        ours, theirs = socket.socketpair()
        with self._lock:
            if self._thread is None:
                self._start()
            self._fresh.append(_Pair(ours, stream))
            stream.listen(self._wake)
            self._wake()
        return theirs

    def close(self) -> None:
        """End all streams and the thread; a later `carry` starts anew."""
        with self._lock:
            if self._thread is None:
                return
            self._stopping = True
            self._wake()
            self._thread.join()
            self._thread = None
            with self._waking:
                os.close(self._woken)
                os.close(self._waker)
                self._woken = self._waker = -1

    def _start(self) -> None:
        self._stopping = False
        self._woken, self._waker = os.pipe()
        os.set_blocking(self._woken, False)
        os.set_blocking(self._waker, False)
        self._thread = threading.Thread(target=self._run, name=f"pump {self._name}", daemon=True)
        self._thread.start()

    def _wake(self) -> None:
        with self._waking, contextlib.suppress(BlockingIOError):  # full: it is awake
            if self._waker >= 0:
                os.write(self._waker, b"!")

    def _run(self) -> None:
        pairs: dict[int, _Pair] = {}
        again = False
        while not self._stopping:
            poll = select.poll()
            poll.register(self._woken, select.POLLIN)
            for fd, pair in pairs.items():
                if not pair.gone:
                    poll.register(fd, pair.wants())
            ready = dict(poll.poll(_AGAIN if again else None))
            if self._woken in ready:
                with contextlib.suppress(BlockingIOError):
                    os.read(self._woken, 4096)
            while self._fresh:
                fresh = self._fresh.popleft()
                pairs[fresh.socket.fileno()] = fresh
            again = False
            for fd, pair in list(pairs.items()):
                again |= pair.move(ready.get(fd, 0))
                if pair.over:
                    del pairs[fd]
                    pair.close()
        for pair in (*pairs.values(), *self._fresh):
            pair.close()
        self._fresh.clear()


class _Pair:
    """A stream and our end of its socket."""

    def __init__(self, ours: socket.socket, stream: Stream) -> None:
        ours.setblocking(False)
        self.socket = ours
        self.gone = False  # the holder of the other end has closed it
        self.over = False
        self._stream = stream
        self._down = self._up = memoryview(b"")
        self._down_ended = self._up_ended = False

    def wants(self) -> int:
        """What to wait for on the socket."""
        return (select.POLLOUT if self._down else 0) | (0 if self._up or self._up_ended else select.POLLIN)

    def move(self, ready: int) -> bool:
        """Carry what can be carried now; True where it is worth another look without news."""
        self.gone = self.gone or bool(ready & (select.POLLHUP | select.POLLERR))
        try:
            more = self._move_up(bool(ready & select.POLLIN) or self.gone)
            if not self.gone:
                more = self._move_down() or more
        except (LinkLost, OSError):
            self.over = True
            return False
        self.over = self._up_ended and (self._down_ended or self.gone)
        return more and not self.over

    def close(self) -> None:
        """Close both."""
        self._stream.close()
        self.socket.close()

    def _move_down(self) -> bool:
        for _ in range(_TURN):
            if not self._down and not self._down_ended:
                octets = self._stream.take()
                if octets is None:
                    return False
                if not octets:
                    self._down_ended = True
                    self.socket.shutdown(socket.SHUT_WR)
                self._down = memoryview(octets)
            if not self._down:
                return False
            try:
                self._down = self._down[self.socket.send(self._down) :]
            except BlockingIOError:
                return False
        return True

    def _move_up(self, readable: bool) -> bool:
        for _ in range(_TURN):
            if not self._up and readable and not self._up_ended:
                try:
                    self._up = memoryview(self.socket.recv(PIECE))
                except BlockingIOError:
                    return False
                if not self._up:
                    self._up_ended = True
                    self._stream.end()
            if not self._up:
                return False
            taken = self._stream.give(self._up)
            if not taken:
                return True
            self._up = self._up[taken:]
        return True
