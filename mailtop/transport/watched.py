"""A socket under an SSH connection that waits for no one for ever."""

from __future__ import annotations

import contextlib
import errno
import socket
from typing import TYPE_CHECKING

from mailtop.transport.deadline import Deadline

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer

TICK = 1.0  # seconds: how often a silent connection is looked at
_GREETING = 256  # octets


class WatchedSocket(socket.socket):
    """Ends itself when nothing can be sent for `patience` seconds, or nothing is heard for `silence` (0.0: for ever).

    Who reads it must send something that is answered more often than that. The end shows as an ordinary end of stream.
    """

    silence = 0.0
    greeting = b""
    """The first octets that came: what a host says that will not speak."""
    hung_up = False
    """The other side has ended it."""

    def __init__(self, plain: socket.socket, patience: float) -> None:
        super().__init__(plain.family, plain.type, plain.proto, plain.detach())
        self._patience = patience
        self._heard = Deadline(0.0)
        self._quick = self.family in (socket.AF_INET, socket.AF_INET6) and hasattr(socket, "TCP_QUICKACK")
        if self.family in (socket.AF_INET, socket.AF_INET6):
            self.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)

    def settimeout(self, value: float | None) -> None:
        """Take any limit as one tick: a limit is a look at the watch here."""
        super().settimeout(TICK if value else value)

    def send(self, data: ReadableBuffer, flags: int = 0) -> int:
        """Send some; raises OSError (ETIMEDOUT) and ends the connection where nothing moves: a packet is torn then."""
        stuck = Deadline(self._patience)
        while True:
            try:
                return super().send(data, flags)
            except TimeoutError as error:
                if not stuck.left():
                    self.end()
                    raise OSError(errno.ETIMEDOUT, "the host takes nothing any more") from error

    def recv(self, bufsize: int, flags: int = 0) -> bytes:
        """Receive some; b"" where the other side was silent for too long."""
        try:
            octets = super().recv(bufsize, flags)
        except TimeoutError:
            if not self.silence or self._heard.took() < self.silence:
                raise
            self.end()
            return b""
        self._heard = Deadline(0.0)
        self.hung_up = self.hung_up or not octets
        if len(self.greeting) < _GREETING:
            self.greeting += octets[:_GREETING]
        self._acknowledge()
        return octets

    def _acknowledge(self) -> None:
        """Acknowledge at once: sshd holds the second of two small packets (stdout, stderr) back until we do, 40 ms.

        The option wears off with each receive, and is there on Linux only.
        """
        if self._quick:
            with contextlib.suppress(OSError):
                self.setsockopt(socket.IPPROTO_TCP, socket.TCP_QUICKACK, 1)

    def end(self) -> None:
        """End both ways, from any thread; who reads or sends wakes."""
        with contextlib.suppress(OSError):
            self.shutdown(socket.SHUT_RDWR)
