"""One SSH connection a host, with channels of every kind on it. The only file that knows paramiko.

paramiko is imported when the first connection is made. It waits without limits in places, so limits are put around it:
a watched socket ends a connection that is silent or stuck, and its own requests are sent here with deadlines.
"""

from __future__ import annotations

import contextlib
import logging
import os
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from mailtop.model.errors import (
    ConfigError,
    Denied,
    LinkLost,
    LoginRefused,
    MailtopError,
    Missing,
    TimedOut,
    Unreachable,
)
from mailtop.model.text import Foreign
from mailtop.transport import Address, TcpAddress, UnixAddress
from mailtop.transport.deadline import Deadline
from mailtop.transport.known_hosts import KnownHosts
from mailtop.transport.pump import PIECE, Pump
from mailtop.transport.ssh_options import TIMEOUT, SshOptions, ask_openssh, from_words, jumps
from mailtop.transport.watched import WatchedSocket

if TYPE_CHECKING:
    import paramiko

__all__ = ["Ssh", "SshChannel", "SshOptions", "resolve"]

KEEPALIVE = 5
"""Seconds without a word from us before the host is asked for one."""

SILENCE = 15.0
"""Seconds without a word from the host, asked as it is, before the connection counts as lost."""

_WINDOW = 1 << 20  # bytes that a forwarded stream may have on the way, and the most that a slow reader keeps here
_READ = 256 << 10  # bytes at a time: paramiko moves all that is left of its buffer at each read
_DEPTH = 8  # jump hosts in a row; more is a circle


def resolve(destination: str, config_file: str | None = None) -> SshOptions:
    """Return the options of `user@host`, an alias of ~/.ssh/config, or `ssh://user@host:port`.

    `ssh -G` is asked where OpenSSH is installed (it alone knows Match and Include); else the file is read by paramiko.
    Raises ConfigError.
    """
    return _resolve(destination, config_file, 0)


def _resolve(destination: str, config_file: str | None, depth: int) -> SshOptions:
    if depth > _DEPTH:
        raise ConfigError(destination, f"more than {_DEPTH} jump hosts in a row", "look for a circle of ProxyJump")
    try:
        words = ask_openssh(destination, config_file)
        options = from_words(destination, words, "ssh -G")
    except FileNotFoundError:
        words, source = _read_config(destination, config_file)
        options = from_words(destination, words, source)
    jump: SshOptions | None = None
    for hop in jumps(words):
        nearer, jump = jump, _resolve(hop, config_file, depth + 1)
        jump = msgspec.structs.replace(jump, jump=nearer or jump.jump)
    return msgspec.structs.replace(options, jump=jump)


def _read_config(destination: str, config_file: str | None) -> tuple[dict[str, list[str]], str]:
    import paramiko

    user, _, host = destination.removeprefix("ssh://").rpartition("@")
    host, _, port = host.partition(":") if host.count(":") == 1 else (host, "", "")
    path = Path(config_file or "~/.ssh/config").expanduser()
    try:
        found = paramiko.SSHConfig.from_path(str(path)).lookup(host) if path.exists() else {"hostname": host}
    except (paramiko.SSHException, OSError, ValueError, KeyError) as error:
        raise ConfigError(str(path), f"cannot be read: {error}", "install the OpenSSH client, or mend it") from error
    words = {name: value if isinstance(value, list) else [value] for name, value in found.items()}
    words.update({name: [value] for name, value in (("user", user), ("port", port)) if value})
    return words, f"{path} without OpenSSH"


class Ssh:
    """One host's connection. See `transport.Transport`. `name` is ours for it: `mail1`."""

    def __init__(self, name: str, options: SshOptions, keepalive: int = KEEPALIVE, silence: float = SILENCE) -> None:
        self.name = name
        self.options = options
        self._keepalive, self._silence = keepalive, silence
        self._connecting = threading.Lock()
        self._transport: paramiko.Transport | None = None
        self._wire: WatchedSocket | None = None
        self._pump = Pump(name)
        self._jump = Ssh(f"{name}: {options.jump.destination}", options.jump) if options.jump else None
        self._closings = 0

    def connect(self) -> None:
        """Connect and log in, or return at once when connected. Raises Unreachable, HostKeyRefused, LoginRefused."""
        closings = self._closings
        with self._connecting:
            if self.alive():
                return
            if self.options.unsupported:
                remedy = f"give {self.options.destination} a way without it"
                raise Unreachable(self.name, f"not supported yet: {', '.join(self.options.unsupported)}", remedy)
            _quiet()
            wire = self._wire = WatchedSocket(self._socket(), self.options.timeout)
            try:
                if closings != self._closings:
                    raise Unreachable(self.name, "closed")
                transport = _shaken(wire, self.name, self.options)
                try:
                    _log_in(transport, self.name, self.options)
                    if closings != self._closings:
                        raise Unreachable(self.name, "closed")
                except MailtopError:
                    _end(transport)
                    raise
            except MailtopError:
                wire.close()
                raise
            _keep_alive(transport, self._keepalive)
            wire.silence = self._silence
            self._transport = transport

    def open(self, command: str) -> SshChannel:
        """Start one constant command line. Raises LinkLost, TimedOut, Denied (no session, or exec refused)."""
        transport = self._up()
        with _converted(self.name, "MaxSessions in its sshd_config may be too low", transport, "no further session"):
            channel = transport.open_session(timeout=self.options.timeout)
        try:
            with _converted(self.name):
                _exec(channel, command, self.name, self.options.timeout)
        except MailtopError:
            channel.close()
            raise
        return SshChannel(self.name, channel, transport)

    def dial(self, address: Address, timeout: float = 10.0) -> socket.socket:
        """Connect from the host to an address as it sees it, by a forwarded channel; the socket keeps `timeout`.

        Raises LinkLost, TimedOut, Denied (sshd forbids it), Missing (nothing there; for a Unix socket sshd does not
        say whether it is missing, closed to this user, or may not be forwarded).
        """
        transport = self._up()
        if isinstance(address, UnixAddress):
            remedy = f"is it there, may {self.options.user} open it, and does sshd allow AllowStreamLocalForwarding?"
            with _converted(address.path, remedy, transport):
                channel = _open_unix(transport, address.path, timeout)
        else:
            remedy = "is the service up, and does sshd allow AllowTcpForwarding?"
            with _converted(f"{address.host}:{address.port}", remedy, transport):
                there, here = (address.host, address.port), ("127.0.0.1", 0)
                channel = transport.open_channel("direct-tcpip", there, here, window_size=_WINDOW, timeout=timeout)
        stream = self._pump.carry(_Forwarded(channel))
        stream.settimeout(timeout)
        return stream

    def alive(self) -> bool:
        """Is the connection up, as far as we know without asking?"""
        transport = self._transport
        return transport is not None and transport.is_active()

    def close(self) -> None:
        """End the connection and all on it, from any thread, a `connect` on its way included. No thread is left."""
        self._closings += 1
        wire, transport, self._transport = self._wire, self._transport, None
        if wire is not None:
            wire.end()
        if transport is not None:
            _end(transport)
        self._pump.close()
        if self._jump:
            self._jump.close()

    def _up(self) -> paramiko.Transport:
        transport = self._transport
        if transport is None or not transport.is_active():
            raise LinkLost(self.name, "not connected")
        return transport

    def _socket(self) -> socket.socket:
        options = self.options
        if self._jump:
            self._jump.connect()
            try:
                return self._jump.dial(TcpAddress(options.hostname, options.port), options.timeout)
            except MailtopError as error:
                raise Unreachable(self.name, f"not from {self._jump.options.destination}: {error.reason}") from error
        try:
            return socket.create_connection((options.hostname, options.port), options.timeout)
        except socket.gaierror as error:
            raise Unreachable(self.name, f"{options.hostname} has no address", "is the name right?") from error
        except TimeoutError as error:
            where = f"{options.hostname} port {options.port}"
            raise Unreachable(self.name, f"no answer from {where} within {options.timeout:g} s") from error
        except OSError as error:
            why = (error.strerror or str(error)).lower()
            raise Unreachable(self.name, f"{options.hostname} port {options.port}: {why}", "is sshd up?") from error


class SshChannel:
    """One program over there. See `transport.Channel`. sshd's signals are not told by paramiko: -1."""

    def __init__(self, name: str, channel: paramiko.Channel, transport: paramiko.Transport) -> None:
        self._name, self._channel, self._transport = name, channel, transport
        self._news = threading.Event()
        self._closed = False
        for buffer in (channel.in_buffer, channel.in_stderr_buffer):
            buffer.set_event(_Bell(self._news.set))

    def send(self, octets: bytes, timeout: float) -> None:
        """Write all of `octets`; a stuck connection may hold this for the connection's own patience at most."""
        deadline = Deadline(timeout)
        rest = memoryview(octets)
        while rest:
            self._channel.settimeout(max(deadline.left(), 0.001))
            with _converted(self._name):
                sent = self._channel.send(rest[:PIECE].tobytes())
            if not sent:
                raise LinkLost(self._name, "the program takes no input any more")
            rest = rest[sent:]

    def end_of_input(self) -> None:
        """Close stdin."""
        with _converted(self._name):
            self._channel.shutdown_write()

    def read(self, timeout: float) -> tuple[bytes, bytes]:
        """Return what came; (b"", b"") at the end of both outputs."""
        deadline = Deadline(timeout)
        while True:
            self._news.clear()
            ended = bool(self._channel.eof_received)  # before looking: what came before the end is there by now
            with _converted(self._name):
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
        with contextlib.suppress(MailtopError), _converted(self._name):
            self._channel.close()


class _Forwarded:
    """A forwarded channel as the pump wants it."""

    def __init__(self, channel: paramiko.Channel) -> None:
        self._channel = channel
        channel.settimeout(0.0)

    def listen(self, news: Callable[[], None]) -> None:
        self._channel.in_buffer.set_event(_Bell(news))

    def take(self) -> bytes | None:
        ended = bool(self._channel.eof_received) or self._channel.closed
        if self._channel.recv_ready():
            with _converted("forwarded"):
                return self._channel.recv(PIECE)
        if self._channel.closed and not self._channel.eof_received:
            raise LinkLost("forwarded", "the connection ended")
        return b"" if ended else None

    def give(self, octets: memoryview) -> int:
        if self._channel.closed:
            raise LinkLost("forwarded", "the connection ended")
        if not self._channel.send_ready():
            return 0
        with _converted("forwarded"):
            return self._channel.send(octets.tobytes())

    def end(self) -> None:
        with _converted("forwarded"):
            self._channel.shutdown_write()

    def close(self) -> None:
        with contextlib.suppress(MailtopError), _converted("forwarded"):
            self._channel.close()


class _Bell(threading.Event):
    """What paramiko sets when something has come; several buffers may ring one."""

    def __init__(self, ring: Callable[[], None]) -> None:
        super().__init__()
        self._ring = ring

    def set(self) -> None:
        self._ring()


def _shaken(wire: WatchedSocket, name: str, options: SshOptions) -> paramiko.Transport:
    """Shake hands, and be sure of who it is before anything of ours is shown."""
    import paramiko

    known = KnownHosts(options.known_hosts, options.hostname, options.port, options.host_key_alias)
    transport = paramiko.Transport(wire)
    transport.banner_timeout = transport.handshake_timeout = transport.channel_timeout = options.timeout
    transport.auth_timeout = transport.clear_to_send_timeout = options.timeout
    kinds = [kind for known_kind in known.kinds() for kind in _algorithms(known_kind)]
    security = transport.get_security_options()
    preferred = [kind for kind in kinds if kind in security.key_types]
    security.key_types = (*preferred, *(kind for kind in security.key_types if kind not in preferred))
    try:
        transport.start_client(timeout=2 * options.timeout)
        key = transport.get_remote_server_key()
        known.check(name, key.get_name(), key.asbytes())
    except (paramiko.SSHException, EOFError, OSError) as error:
        _end(transport)
        where = f"{options.hostname} port {options.port}"
        reason = f"no SSH with {where}: {str(error) or 'it hung up'}"
        raise Unreachable(name, Foreign(reason.encode("utf-8", "replace")), "is it sshd, and is it up?") from error
    except MailtopError:
        _end(transport)
        raise
    return transport


def _algorithms(kind: str) -> tuple[str, ...]:
    return ("rsa-sha2-512", "rsa-sha2-256") if kind == "ssh-rsa" else (kind,)


def _log_in(transport: paramiko.Transport, name: str, options: SshOptions) -> None:
    import paramiko

    tried: list[str] = []
    remedy = f"try: ssh {options.destination}, then ssh-add the key, or ssh-copy-id it there"
    try:
        for label, key in _keys(options, tried):
            try:
                more = transport.auth_publickey(options.user, key)
            except paramiko.BadAuthenticationType as error:
                wanted = ", ".join(error.allowed_types)
                raise LoginRefused(name, f"it takes no keys from {options.user}, only {wanted}", remedy) from error
            except paramiko.AuthenticationException:
                if not transport.is_active():
                    raise
                tried.append(f"{label} refused")
                continue
            if more:
                raise LoginRefused(name, f"it wants {' and '.join(more)} besides a key; not supported yet", remedy)
            return
    except (paramiko.SSHException, EOFError, OSError) as error:
        why = f"it ended the login: {str(error) or 'it hung up'}"
        raise LoginRefused(name, Foreign(why.encode("utf-8", "replace")), remedy) from error
    raise LoginRefused(name, f"no key for {options.user} ({'; '.join(tried) or 'there is none'})", remedy)


def _keys(options: SshOptions, tried: list[str]) -> Iterator[tuple[str, paramiko.PKey]]:
    """Yield the keys to try: the agent's, then the files'; what cannot be used is named in `tried`."""
    import paramiko
    from paramiko.pkey import UnknownKeyType

    files: list[tuple[str, paramiko.PKey]] = []
    for path in options.identity_files:
        if not Path(path).exists():
            continue
        try:
            files.append((path, paramiko.PKey.from_path(path)))
        except (UnknownKeyType, paramiko.SSHException, OSError, ValueError, TypeError) as error:
            locked = isinstance(error, paramiko.PasswordRequiredException | TypeError)  # cryptography's: no password
            tried.append(f"{path} {'needs its passphrase: ssh-add it' if locked else 'cannot be used'}")
    with _agent(options, tried) as keys:
        public = [_public(path) for path in options.identity_files]
        for key in keys:
            if not options.identities_only or key.asbytes() in public:
                yield f"the agent's {key.get_name()} {key.comment}".rstrip(), key
        yield from files


def _public(path: str) -> bytes:
    import base64

    try:
        fields = Path(f"{path}.pub").read_bytes().split()
        return base64.b64decode(fields[1], validate=True) if len(fields) > 1 else b""
    except (OSError, ValueError):
        return b""


@contextmanager
def _agent(options: SshOptions, tried: list[str]) -> Iterator[tuple[paramiko.AgentKey, ...]]:
    """Give the agent's keys. paramiko would wait for it for ever, and a forwarded agent may well be dead."""
    import paramiko
    from paramiko.agent import AgentSSH

    path = options.agent or os.environ.get("SSH_AUTH_SOCK", "")
    agent: Any = AgentSSH()  # the stubs leave its insides out
    with socket.socket(socket.AF_UNIX) as stream:
        stream.settimeout(options.timeout)
        if path and path != "none":
            try:
                stream.connect(path)
                agent._connect(stream)  # noqa: SLF001 - the public way has no limit
            except (paramiko.SSHException, OSError) as error:
                tried.append(f"the agent gives no keys ({error})")
        yield agent.get_keys()


def _keep_alive(transport: paramiko.Transport, seconds: int) -> None:
    """Ask for a sign of life that the host must answer: paramiko's own is one that it may ignore."""
    import paramiko
    from paramiko.common import cMSG_GLOBAL_REQUEST

    inside: Any = transport  # the stubs leave its insides out

    def ask() -> None:
        if transport.clear_to_send.is_set():  # this runs in paramiko's reading thread, which must not wait for itself
            message = paramiko.Message()
            message.add_byte(cMSG_GLOBAL_REQUEST)
            message.add_string("keepalive@openssh.com")
            message.add_boolean(True)
            inside._send_user_message(message)  # noqa: SLF001 - `global_request` would wait in this thread

    transport.packetizer.set_keepalive(seconds, ask)


def _exec(channel: paramiko.Channel, command: str, name: str, timeout: float) -> None:
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


@contextmanager
def _converted(
    thing: str, remedy: str = "", opening: paramiko.Transport | None = None, refusal: str = ""
) -> Iterator[None]:
    """Turn what paramiko and the system raise into our errors.

    `opening`: a channel is being opened on it; `refusal`: what it means that it is refused, else paramiko's word.
    """
    import paramiko

    try:
        yield
    except paramiko.ChannelException as error:
        raise (Denied if error.code == 1 else Missing)(thing, refusal or error.text.lower(), remedy) from error
    except TimeoutError as error:
        raise TimedOut(thing, "nothing was taken in time") from error
    except paramiko.SSHException as error:
        if "imeout" in str(error) or "timed out" in str(error):
            raise TimedOut(thing, "no answer in time", remedy) from error
        if opening and opening.is_active():  # paramiko gave the reason to another thread that was refused as well
            raise Missing(thing, refusal or "refused", remedy) from error
        raise LinkLost(thing, "the connection ended") from error
    except (EOFError, OSError) as error:
        raise LinkLost(thing, "the connection ended") from error


def _end(transport: paramiko.Transport) -> None:
    transport.close()
    if transport.ident and transport is not threading.current_thread():
        transport.join(TIMEOUT)


def _quiet() -> None:
    """Keep paramiko's log off the terminal, which is a screen of ours."""
    log = logging.getLogger("paramiko")
    log.addHandler(logging.NullHandler()) if not log.handlers else None
    log.propagate = False
