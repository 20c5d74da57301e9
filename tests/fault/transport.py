"""A transport that misbehaves on purpose: it wraps a real one and spoils what comes back, by a script.

    host = Misbehaving(Local("mail1"), [Stall(after=40), None, Cut()])

The first `open` or `dial` stalls after 40 bytes of its answer, the second is well, the third is cut at once, all later
ones are well. `host.opened` lists what was opened, in order. What goes *to* the host is never touched, but a stalled or
cut connection takes nothing any more. Everything ends with `host.close()`, stalled readers included.
"""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Iterable
from dataclasses import dataclass

from mailtop.model.errors import LinkLost, MailtopError, TimedOut
from mailtop.transport import Address, Channel, Transport


@dataclass(frozen=True)
class Stall:
    """After so many bytes of the answer nothing comes any more; the connection stays up."""

    after: int = 0


@dataclass(frozen=True)
class Cut:
    """After so many bytes the connection is lost: LinkLost from a channel, the end of both ways on a socket."""

    after: int = 0


@dataclass(frozen=True)
class HalfClose:
    """After so many bytes the answer ends in good order, though the other side still takes what is sent."""

    after: int = 0


@dataclass(frozen=True)
class Garble:
    """At this byte `junk` is put into the answer."""

    after: int = 0
    junk: bytes = b"\x00\xffjunk\n"


@dataclass(frozen=True)
class Drip:
    """The answer comes in pieces of one byte."""


@dataclass(frozen=True)
class Delay:
    """Every piece of the answer comes so many seconds late."""

    seconds: float


@dataclass(frozen=True)
class Refuse:
    """`open` or `dial` itself raises."""

    error: MailtopError


Fault = Stall | Cut | HalfClose | Garble | Drip | Delay | Refuse


class Misbehaving:
    """A Transport. `script`: one fault, or None, for each `open` and `dial` in their order."""

    def __init__(self, inner: Transport, script: Iterable[Fault | None] = ()) -> None:
        self.name = inner.name
        self.inner = inner
        self.opened: list[str | Address] = []
        self._script = iter(tuple(script))
        self._lock = threading.Lock()
        self._parts: list[MisbehavingChannel | _Pump] = []

    def connect(self) -> None:
        self.inner.connect()

    def open(self, command: str) -> Channel:
        fault = self._next(command)
        channel = MisbehavingChannel(self.inner.open(command), fault)
        self._parts.append(channel)
        return channel

    def dial(self, address: Address, timeout: float = 10.0) -> socket.socket:
        fault = self._next(address)
        near, far = socket.socketpair()
        near.settimeout(timeout)
        try:
            pump = _Pump(far, self.inner.dial(address, timeout), fault)
        except MailtopError:
            near.close()
            far.close()
            raise
        self._parts.append(pump)
        return near

    def alive(self) -> bool:
        return self.inner.alive()

    def close(self) -> None:
        for part in self._parts:
            part.close()
        self.inner.close()

    def _next(self, opened: str | Address) -> Fault | None:
        with self._lock:
            self.opened.append(opened)
            fault = next(self._script, None)
        if isinstance(fault, Refuse):
            raise fault.error
        return fault


class MisbehavingChannel:
    """A Channel whose stdout is spoilt; stderr stalls and ends with it."""

    def __init__(self, inner: Channel, fault: Fault | None) -> None:
        self.inner = inner
        self._fault = fault
        self._answer = _Answer(fault)
        self._kept = (b"", b"")
        self._closed = threading.Event()

    def send(self, octets: bytes, timeout: float) -> None:
        if self._answer.ended and isinstance(self._fault, Stall | Cut):
            self._end(timeout)
        self.inner.send(octets, timeout)

    def end_of_input(self) -> None:
        self.inner.end_of_input()

    def read(self, timeout: float) -> tuple[bytes, bytes]:
        if self._answer.ended:
            return self._end(timeout)
        stdout, stderr = self._kept if any(self._kept) else self.inner.read(timeout)
        self._kept = (b"", b"")
        if isinstance(self._fault, Drip):
            self._kept = stdout[1:], stderr[1:]
            return stdout[:1], stderr[:1]
        if isinstance(self._fault, Delay):
            self._closed.wait(self._fault.seconds)
        stdout = self._answer.through(stdout)
        return (stdout, stderr) if stdout or not self._answer.ended else self._end(timeout)

    def exit_status(self, timeout: float) -> int:
        if self._answer.ended and isinstance(self._fault, Stall | Cut):
            self._end(timeout)
        return self.inner.exit_status(timeout)

    def close(self) -> None:
        self._closed.set()
        self.inner.close()

    def _end(self, timeout: float) -> tuple[bytes, bytes]:
        if isinstance(self._fault, Stall):
            if self._closed.wait(timeout):
                raise LinkLost("fault", "closed")
            raise TimedOut("fault", "stalled")
        if isinstance(self._fault, Cut):
            self.inner.close()
            raise LinkLost("fault", "cut")
        return b"", b""


class _Pump:
    """Carries bytes between the socket that a client holds and the real one; spoils the way back."""

    def __init__(self, near: socket.socket, far: socket.socket, fault: Fault | None) -> None:
        self._near, self._far, self._fault = near, far, fault
        self._answer = _Answer(fault)
        self._closed = threading.Event()
        far.settimeout(None)
        self._threads = [threading.Thread(target=way, daemon=True) for way in (self._there, self._back)]
        for thread in self._threads:
            thread.start()

    def close(self) -> None:
        self._closed.set()
        for end in (self._near, self._far):
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join(5)
        self._near.close()
        self._far.close()

    def _there(self) -> None:
        with contextlib.suppress(OSError):
            while octets := self._near.recv(1 << 16):
                if self._answer.ended and isinstance(self._fault, Stall):
                    self._closed.wait()  # takes nothing any more: the sender's buffers fill
                self._far.sendall(octets)
        with contextlib.suppress(OSError):
            self._far.shutdown(socket.SHUT_WR)

    def _back(self) -> None:
        with contextlib.suppress(OSError):
            while not self._answer.ended and (octets := self._far.recv(1 << 16)):
                self._pass(octets)
        if self._answer.ended and isinstance(self._fault, Stall):
            self._closed.wait()
        cut = self._answer.ended and isinstance(self._fault, Cut)
        with contextlib.suppress(OSError):
            self._near.shutdown(socket.SHUT_RDWR if cut else socket.SHUT_WR)

    def _pass(self, octets: bytes) -> None:
        if isinstance(self._fault, Delay):
            self._closed.wait(self._fault.seconds)
        size = 1 if isinstance(self._fault, Drip) else 1 << 16
        octets = self._answer.through(octets)
        for start in range(0, len(octets), size):
            self._near.sendall(octets[start : start + size])


class _Answer:
    """How much of an answer has gone through, and whether the fault has ended it."""

    def __init__(self, fault: Fault | None) -> None:
        self._fault = fault
        self._room = fault.after if isinstance(fault, Stall | Cut | HalfClose | Garble) else -1
        self.ended = self._room == 0 and not isinstance(fault, Garble)

    def through(self, octets: bytes) -> bytes:
        """Return what goes through of the next piece."""
        room, self._room = self._room, self._room - len(octets)
        if room < 0 or room > len(octets):
            return octets
        if isinstance(self._fault, Garble):
            self._room = -1
            return octets[:room] + self._fault.junk + octets[room:]
        self.ended = True
        return octets[:room]
