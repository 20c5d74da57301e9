"""Sockets forwarded over the connection: streams for the pump, and how a Unix socket over there is opened."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from mailtop.model.errors import LinkLost, MailtopError, TimedOut
from mailtop.transport import Address, UnixAddress
from mailtop.transport.deadline import Deadline
from mailtop.transport.pump import PIECE
from mailtop.transport.ssh.channel import Bell, converted

if TYPE_CHECKING:
    import paramiko

_WINDOW = 1 << 20  # bytes that a forwarded stream may have on the way, and the most that a slow reader keeps here


def opened(transport: paramiko.Transport, address: Address, user: str, timeout: float) -> Forwarded:
    """Open a channel to an address as the host sees it. Raises LinkLost, TimedOut, Denied, Missing."""
    if isinstance(address, UnixAddress):
        remedy = f"is it there, may {user} open it, and does sshd allow AllowStreamLocalForwarding?"
        with converted(address.path, remedy, transport):
            return Forwarded(_open_unix(transport, address.path, timeout))
    remedy = "is the service up, and does sshd allow AllowTcpForwarding?"
    with converted(f"{address.host}:{address.port}", remedy, transport):
        there, here = (address.host, address.port), ("127.0.0.1", 0)
        channel = transport.open_channel("direct-tcpip", there, here, window_size=_WINDOW, timeout=timeout)
        return Forwarded(channel)


class Forwarded:
    """A forwarded channel as the pump wants it."""

    def __init__(self, channel: paramiko.Channel) -> None:
        self._channel = channel
        channel.settimeout(0.0)

    def listen(self, news: Callable[[], None]) -> None:
        self._channel.in_buffer.set_event(Bell(news))

    def take(self) -> bytes | None:
        ended = bool(self._channel.eof_received) or self._channel.closed
        if self._channel.recv_ready():
            with converted("forwarded"):
                return self._channel.recv(PIECE)
        if self._channel.closed and not self._channel.eof_received:
            raise LinkLost("forwarded", "the connection ended")
        return b"" if ended else None

    def give(self, octets: memoryview) -> int:
        if self._channel.closed:
            raise LinkLost("forwarded", "the connection ended")
        if not self._channel.send_ready():
            return 0
        with converted("forwarded"):
            return self._channel.send(octets.tobytes())

    def end(self) -> None:
        with converted("forwarded"):
            self._channel.shutdown_write()

    def close(self) -> None:
        with contextlib.suppress(MailtopError), converted("forwarded"):
            self._channel.close()


def _open_unix(transport: paramiko.Transport, path: str, timeout: float) -> paramiko.Channel:
    """Open `direct-streamlocal@openssh.com` (OpenSSH's PROTOCOL, 2.4), for which paramiko has no call.

    The message is a channel-open with the path, an empty string and 0; the rest is what `open_channel` does.
    """
    import paramiko
    from paramiko.common import cMSG_CHANNEL_OPEN

    inside: Any = transport  # the stubs leave its insides out
    message = paramiko.Message()
    opened = threading.Event()
    with transport.lock:
        number = inside._next_channel()  # noqa: SLF001
        message.add_byte(cMSG_CHANNEL_OPEN)
        message.add_string("direct-streamlocal@openssh.com")
        message.add_int(number)
        message.add_int(_WINDOW)
        message.add_int(transport.default_max_packet_size)
        message.add_string(path)
        message.add_string("")
        message.add_int(0)
        channel = paramiko.Channel(number)
        inside._channels.put(number, channel)  # noqa: SLF001
        transport.channel_events[number] = opened
        transport.channels_seen[number] = True
        new: Any = channel
        new._set_transport(transport)  # noqa: SLF001
        new._set_window(_WINDOW, transport.default_max_packet_size)  # noqa: SLF001
    inside._send_user_message(message)  # noqa: SLF001
    deadline = Deadline(timeout)
    while not opened.wait(min(deadline.left(), 0.25)):  # a connection that ends just now sets no event
        if not transport.is_active():
            raise transport.get_exception() or EOFError
        if not deadline.left():
            raise TimedOut(path, f"not opened within {timeout:g} s")
    if not channel.active:
        raise transport.get_exception() or paramiko.SSHException("not opened")
    return channel
