"""How bytes move to one host: local, over SSH; and where answers come from without one: replay, record.

A `Transport` is small and blocking, and safe to use from several threads. Clients speak over it.
"""

from __future__ import annotations

import socket
from typing import Protocol

from msgspec import Struct


class UnixAddress(Struct, frozen=True):
    """A Unix socket's path on the host."""

    path: str


class TcpAddress(Struct, frozen=True):
    """A TCP address as the host sees it."""

    host: str
    port: int


Address = UnixAddress | TcpAddress


class Channel(Protocol):
    """One running program on the host, as three byte streams. Every wait has a limit."""

    def send(self, octets: bytes, timeout: float) -> None:
        """Write all of `octets` to stdin; raises TimedOut, LinkLost."""

    def end_of_input(self) -> None:
        """Close stdin."""

    def read(self, timeout: float) -> tuple[bytes, bytes]:
        """Return what came on stdout and stderr, at least one byte in all; (b"", b"") at the end of both.

        Raises TimedOut when nothing comes for `timeout` seconds, LinkLost when the connection ends.
        """

    def exit_status(self, timeout: float) -> int:
        """Wait for the program's end; its status, 128 + n for signal n, -1 where the host does not tell."""

    def close(self) -> None:
        """End the channel from any thread; a reader wakes with LinkLost. The program's own deadline ends it there."""


class Transport(Protocol):
    """One host's connection."""

    name: str

    def connect(self) -> None:
        """Connect, or return at once when connected. Raises from `Unreachable`."""

    def open(self, command: str) -> Channel:
        """Start one constant command line through the login shell: `exec /bin/sh`, `docker system dial-stdio`."""

    def dial(self, address: Address, timeout: float = 10.0) -> socket.socket:
        """Connect to an address on the host; a real socket: TLS, pymysql, http and attach streams work on it."""

    def alive(self) -> bool:
        """Is the connection up, as far as we know without asking?"""

    def close(self) -> None:
        """End the connection and all on it, from any thread."""
