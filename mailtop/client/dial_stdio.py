"""The Engine's socket through `docker system dial-stdio`, where a host forwards no sockets: a program as a socket."""

from __future__ import annotations

import select
import socket
import threading
from contextlib import suppress

from mailtop.model.errors import LinkLost, TimedOut
from mailtop.transport import Channel

COMMAND = "exec docker system dial-stdio"

_PIECE = 64 << 10
_WORDS = 1000
PATIENCE = 60.0  # seconds of silence after which a reader looks whether it is still wanted


class DialStdio:
    """Carries octets between the program and the socket `near`, until either is over; then frees both.

    `said`: the last that the program wrote on stderr, such as why it reaches no Engine.
    """

    def __init__(self, channel: Channel, ended: threading.Semaphore, patience: float = PATIENCE) -> None:
        self.near, self._far = socket.socketpair()
        self.said = b""
        self._channel = channel
        self._ended = ended
        self._patience = patience
        self._left = 2
        self._lock = threading.Lock()
        for way in (self._there, self._back):
            threading.Thread(target=way, name="dial-stdio", daemon=True).start()

    def _there(self) -> None:
        try:
            while octets := self._far.recv(_PIECE):
                self._channel.send(octets, self._patience)
            self._channel.end_of_input()
        except (OSError, LinkLost, TimedOut):
            self._channel.close()
        finally:
            self._over()

    def _back(self) -> None:
        try:
            while True:
                try:
                    octets, words = self._channel.read(self._patience)
                except TimedOut:
                    if self._unwanted():
                        break
                    continue  # a log may be silent for hours
                self.said = (self.said + words)[-_WORDS:]
                if not octets and not words:
                    break
                self._far.sendall(octets)
        except (OSError, LinkLost):
            pass
        finally:
            with suppress(OSError):
                self._far.shutdown(socket.SHUT_RDWR)
            self._over()

    def _unwanted(self) -> bool:
        """Is `near` closed, both ways? A program that is told so by its stdin alone may go on for ever."""
        poll = select.poll()
        poll.register(self._far, select.POLLHUP)
        return bool(poll.poll(0))

    def _over(self) -> None:
        """The last of the two ways closes both ends."""
        with self._lock:
            self._left -= 1
            if self._left:
                return
        self._channel.close()
        self._far.close()
        self._ended.release()
