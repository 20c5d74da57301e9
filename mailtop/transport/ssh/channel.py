"""A program over there, as three streams; and paramiko's complaints as ours."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from mailtop.model.errors import Denied, LinkLost, MailtopError, Missing, NoSession, TimedOut
from mailtop.transport.deadline import Deadline
from mailtop.transport.pump import PIECE

if TYPE_CHECKING:
    import paramiko

_READ = 256 << 10  # bytes at a time: paramiko moves all that is left of its buffer at each read


class SshChannel:
    """One program over there. See `transport.Channel`. sshd's signals are not told by paramiko: -1."""

    def __init__(self, name: str, channel: paramiko.Channel, transport: paramiko.Transport) -> None:
        self._name, self._channel, self._transport = name, channel, transport
        self._news = threading.Event()
        self._closed = False
        for buffer in (channel.in_buffer, channel.in_stderr_buffer):
            buffer.set_event(Bell(self._news.set))

    def send(self, octets: bytes, timeout: float) -> None:
        """Write all of `octets`; a stuck connection may hold this for the connection's own patience at most."""
        deadline = Deadline(timeout)
        rest = memoryview(octets)
        while rest:
            self._channel.settimeout(max(deadline.left(), 0.001))
            with converted(self._name):
                sent = self._channel.send(rest[:PIECE].tobytes())
            if not sent:
                raise LinkLost(self._name, "the program takes no input any more")
            rest = rest[sent:]

    def end_of_input(self) -> None:
        """Close stdin."""
        with converted(self._name):
            self._channel.shutdown_write()

    def read(self, timeout: float) -> tuple[bytes, bytes]:
        """Return what came; (b"", b"") at the end of both outputs."""
        deadline = Deadline(timeout)
        while True:
            self._news.clear()
            ended = bool(self._channel.eof_received)  # before looking: what came before the end is there by now
            with converted(self._name):
                stdout = self._channel.recv(_READ) if self._channel.recv_ready() else b""
                stderr = self._channel.recv_stderr(_READ) if self._channel.recv_stderr_ready() else b""
            if self._closed:
                raise LinkLost(self._name, "closed")
            if stdout or stderr or ended:
                return stdout, stderr
            if self._channel.closed or not self._transport.is_active():
                raise LinkLost(self._name, "the connection ended")
            if not self._news.wait(deadline.left()):
                raise TimedOut(self._name, f"nothing came for {timeout:.0f} s")

    def exit_status(self, timeout: float) -> int:
        """Wait for the program's end."""
        if not self._channel.status_event.wait(timeout):
            raise TimedOut(self._name, f"the program has not ended within {timeout:g} s")
        if self._channel.exit_status == -1 and not self._transport.is_active():
            raise LinkLost(self._name, "the connection ended")
        return self._channel.exit_status

    def close(self) -> None:
        """End the channel."""
        self._closed = True
        self._news.set()
        with contextlib.suppress(MailtopError), converted(self._name):
            self._channel.close()


class Bell(threading.Event):
    """What paramiko sets when something has come; several buffers may ring one."""

    def __init__(self, ring: Callable[[], None]) -> None:
        super().__init__()
        self._ring = ring

    def set(self) -> None:
        self._ring()


def new_session(transport: paramiko.Transport, name: str, timeout: float) -> paramiko.Channel:
    """Open a session channel. Raises NoSession where sshd refuses one more."""
    try:
        with converted(name, "", transport):
            return transport.open_session(timeout=timeout)
    except (Denied, Missing) as error:
        remedy = "MaxSessions in its sshd_config may be too low"
        raise NoSession(name, "no further session", remedy) from error


def execute(channel: paramiko.Channel, command: str, name: str, timeout: float) -> None:
    """Ask for a program; `Channel.exec_command` waits for the answer without limit."""
    import paramiko
    from paramiko.common import cMSG_CHANNEL_REQUEST

    message = paramiko.Message()
    message.add_byte(cMSG_CHANNEL_REQUEST)
    message.add_int(channel.remote_chanid)
    message.add_string("exec")
    message.add_boolean(True)
    message.add_string(command)
    inside: Any = channel  # the stubs leave its insides out
    inside._event_pending()  # noqa: SLF001
    inside.transport._send_user_message(message)  # noqa: SLF001
    if not channel.event.wait(timeout):
        raise TimedOut(name, f"no program was started within {timeout:g} s")
    if not channel.event_ready:
        if not inside.transport.is_active():
            raise LinkLost(name, "the connection ended")
        raise Denied(name, "the login may start no program", "look for ForceCommand and its like in sshd_config")


@contextmanager
def converted(thing: str, remedy: str = "", opening: paramiko.Transport | None = None) -> Iterator[None]:
    """Turn what paramiko and the system raise into our errors. `opening`: a channel is being opened on it."""
    import paramiko

    try:
        yield
    except paramiko.ChannelException as error:
        raise (Denied if error.code == 1 else Missing)(thing, error.text.lower(), remedy) from error
    except TimeoutError as error:
        raise TimedOut(thing, "nothing was taken in time") from error
    except paramiko.SSHException as error:
        if "imeout" in str(error) or "timed out" in str(error):
            raise TimedOut(thing, "no answer in time", remedy) from error
        if opening and opening.is_active():  # paramiko gave the reason to another thread that was refused as well
            raise Missing(thing, "refused", remedy) from error
        raise LinkLost(thing, "the connection ended") from error
    except (EOFError, OSError) as error:
        raise LinkLost(thing, "the connection ended") from error
