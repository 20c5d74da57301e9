"""The Engine's long streams (an exec's three, a log's one) over a socket of their own, to be closed from any thread.

The SDK's own streams wait without limit inside buffered readers and cannot be ended from outside; these can.
"""

from __future__ import annotations

import re
import select
import socket
from collections.abc import Callable
from contextlib import suppress
from threading import Event

from mailtop.model.errors import Garbled, LinkLost, Missing, ParseError, TimedOut
from mailtop.model.text import Foreign
from mailtop.parse.docker_log import demux
from mailtop.transport.deadline import Deadline

HEAD_LIMIT = 64 << 10
RECEIVE = 64 << 10
GATHER = 0.02  # seconds in which a log may say more before a chunk is handed on
ENOUGH = 64 << 10  # octets that are handed on at once
FULL = 24 << 10  # octets; a Unix socket that has so many waiting holds its writer up
SIP, BREATH = 4 << 10, 0.001  # after so few octets, a breath: 1,000 wakings a second are enough for 40 MB/s
HURRY = 1 << 20  # octets to read without a pause before one is tried again

_STATUS = re.compile(rb"HTTP/1\.[01] (\d{3}) ")
_LENGTH = re.compile(rb"(?mi)^content-length: *(\d+)")
_NO_PROGRAM = b"OCI runtime exec failed"  # runc's words, sent on stdout as if the program had said them
_AGAIN = 0.02  # seconds between two looks at an exec whose stream has ended a moment before its status is known


class Stream:
    """A dialled socket with a deadline on every wait. Two threads may use it at once, a third may close it."""

    def __init__(self, sock: socket.socket, thing: str) -> None:
        sock.setblocking(False)
        self.thing = thing
        self.closed = Event()
        self._sock = sock

    def send(self, octets: bytes, timeout: float) -> None:
        """Write all of `octets`; raises TimedOut, LinkLost."""
        deadline = Deadline(timeout)
        rest = memoryview(octets)
        while rest:
            self._wait(select.POLLOUT, deadline)
            try:
                rest = rest[self._sock.send(rest) :]
            except BlockingIOError:
                continue
            except OSError as error:
                raise LinkLost(self.thing, error.strerror or str(error)) from error

    def receive(self, timeout: float | None) -> bytes:
        """Return what has come, at least one byte; b"" at the end. None waits until something comes or `close`."""
        deadline = None if timeout is None else Deadline(timeout)
        while True:
            self._wait(select.POLLIN, deadline)
            try:
                octets = self._sock.recv(RECEIVE)
            except BlockingIOError:
                continue
            except OSError as error:
                raise LinkLost(self.thing, error.strerror or str(error)) from error
            if not octets and self.closed.is_set():
                raise LinkLost(self.thing, "closed")
            return octets

    def _wait(self, what: int, deadline: Deadline | None) -> None:
        poll = select.poll()
        try:
            poll.register(self._sock, what)
        except ValueError as error:  # closed in between: the number is -1
            raise LinkLost(self.thing, "closed") from error
        if not poll.poll(None if deadline is None else deadline.left() * 1000):
            raise TimedOut(self.thing, "no answer within the deadline")
        if self.closed.is_set():
            raise LinkLost(self.thing, "closed")

    def end_of_input(self) -> None:
        """Close our direction; what the other side sends can still be read."""
        try:
            self._sock.shutdown(socket.SHUT_WR)
        except OSError as error:
            raise LinkLost(self.thing, error.strerror or str(error)) from error

    def close(self) -> None:
        """End it, from any thread: who waits on it raises LinkLost."""
        self.closed.set()
        with suppress(OSError):  # the other side was faster
            self._sock.shutdown(socket.SHUT_RDWR)
        self._sock.close()


class Gathering:
    """Reads a log in pieces worth handing on, at the least cost: fifty wakings a second, however many lines.

    Sleeping while a log says more is cheapest, but a small socket buffer fills meanwhile and holds the Engine up: then
    what comes is collected awake.
    """

    def __init__(self, stream: Stream) -> None:
        self._stream = stream
        self._hurry = 0

    def next(self) -> bytes:
        """Wait for the next piece; b"" at the end. Raises LinkLost."""
        octets = self._stream.receive(None)
        if self._hurry > 0:
            octets = self._awake(octets)
            self._hurry -= len(octets)
            return octets
        self._stream.closed.wait(GATHER)
        more = self._more(0.0)
        if len(more) >= FULL:
            self._hurry = HURRY
        return octets + more

    def _awake(self, octets: bytes) -> bytes:
        deadline = Deadline(GATHER)
        pieces, size = [octets], len(octets)
        while size < ENOUGH and (more := self._more(deadline.left())):
            pieces.append(more)
            size += len(more)
            if len(more) < SIP:
                self._stream.closed.wait(BREATH)
        return b"".join(pieces)

    def _more(self, seconds: float) -> bytes:
        try:
            return self._stream.receive(seconds)
        except TimedOut:
            return b""


def request(stream: Stream, method: str, path: str, body: bytes | None, timeout: float) -> tuple[int, bytes]:
    """Send one request; return its status and what has come behind the head (the error's text when over 399).

    A request without a body is HTTP/1.0, so that the answer is no chunks but bytes until the end.
    """
    deadline = Deadline(timeout)
    if body is None:
        head = f"{method} {path} HTTP/1.0\r\nHost: docker\r\n\r\n"
    else:
        head = (
            f"{method} {path} HTTP/1.1\r\nHost: docker\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n"
            f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
        )
    stream.send(head.encode("ascii") + (body or b""), timeout)
    answer = b""
    while b"\r\n\r\n" not in answer:
        more = stream.receive(deadline.left())
        if not more:
            raise LinkLost(stream.thing, "the Engine ended the connection")
        answer += more
        if len(answer) > HEAD_LIMIT and b"\r\n\r\n" not in answer:
            raise Garbled(stream.thing, "not an HTTP answer")
    lines, _, rest = answer.partition(b"\r\n\r\n")
    status = _STATUS.match(lines)
    if status is None:
        raise Garbled(stream.thing, Foreign(b"not an HTTP answer: " + lines[:60]))
    if int(status[1]) >= 400:
        length = _LENGTH.search(lines)
        while len(rest) < min(int(length[1]) if length else 0, HEAD_LIMIT):
            more = stream.receive(deadline.left())
            if not more:
                break
            rest += more
    return int(status[1]), rest


class ExecChannel:
    """A program started in a container, as a `Channel`. Docker does not end it when this closes."""

    def __init__(
        self,
        stream: Stream,
        first: bytes,
        program: str,
        status: Callable[[float], int | None],
        gone: Callable[[], None],
    ) -> None:
        self._stream = stream
        self._buffer = first
        self._program = program
        self._status = status
        self._gone = gone
        self._spoke = False

    def send(self, octets: bytes, timeout: float) -> None:
        """Write all of `octets` to stdin; raises TimedOut, LinkLost."""
        self._stream.send(octets, timeout)

    def end_of_input(self) -> None:
        """Close stdin."""
        self._stream.end_of_input()

    def read(self, timeout: float) -> tuple[bytes, bytes]:
        """Return what came on stdout and stderr; raises Missing where the container has no such program."""
        deadline = Deadline(timeout)
        while True:
            try:
                out, err, used = demux(self._buffer)
            except ParseError as error:
                raise Garbled(self._stream.thing, error.reason) from error
            self._buffer = self._buffer[used:]
            if out or err:
                if not self._spoke and out.startswith(_NO_PROGRAM):
                    self._refuse(out, deadline.left())
                self._spoke = True
                return out, err
            more = self._stream.receive(deadline.left())
            if not more:
                if self._buffer:
                    raise LinkLost(self._stream.thing, "the stream ended within a frame")
                return b"", b""
            self._buffer += more

    def _refuse(self, said: bytes, timeout: float) -> None:
        if self.exit_status(timeout) in (126, 127):
            raise Missing(f"{self._stream.thing}: {self._program}", Foreign(said.strip()))

    def exit_status(self, timeout: float) -> int:
        """Wait for the program's end; -1 where the Engine does not tell."""
        deadline = Deadline(timeout)
        while True:
            left = deadline.left()
            if left <= 0:
                raise TimedOut(self._stream.thing, f"{self._program}: still running")
            status = self._status(left)
            if status is not None:
                return status
            if self._stream.closed.wait(min(_AGAIN, left)):
                raise LinkLost(self._stream.thing, "closed")

    def close(self) -> None:
        """End the channel from any thread; a reader wakes with LinkLost."""
        self._stream.close()
        self._gone()
