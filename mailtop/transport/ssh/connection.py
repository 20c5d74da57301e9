"""One host's connection: made, kept, closed."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable
from typing import TYPE_CHECKING

from mailtop.model.errors import LinkLost, MailtopError, Unreachable
from mailtop.model.question import Asker, Nobody
from mailtop.model.text import Foreign
from mailtop.transport import Address, TcpAddress
from mailtop.transport.pump import Pump
from mailtop.transport.ssh.channel import SshChannel, converted, execute, new_session
from mailtop.transport.ssh.forwarding import opened
from mailtop.transport.ssh.options import SshOptions
from mailtop.transport.ssh.proxy_command import ProxyCommand
from mailtop.transport.watched import WatchedSocket

if TYPE_CHECKING:
    import paramiko

KEEPALIVE = 5
"""Seconds without a word from us before the host is asked for one."""

SILENCE = 15.0
"""Seconds without a word from the host, asked as it is, before the connection counts as lost."""

_FAMILIES = {"inet": socket.AF_INET, "inet6": socket.AF_INET6}


class Ssh:
    """One host's connection. See `transport.Transport`. `name` is ours for it: `mail1`."""

    def __init__(
        self,
        name: str,
        options: SshOptions,
        keepalive: int = KEEPALIVE,
        silence: float = SILENCE,
        asker: Asker | None = None,
        password: Callable[[], str] | None = None,
    ) -> None:
        """`asker`: whom to ask what only a person knows; without one nobody is asked.

        `password` fetches this host's password, should it want one; no jump host is told it.
        """
        self.name = name
        self.options = options
        self._keepalive, self._silence = keepalive, silence
        self._asker = asker or Nobody()
        self._password = password
        self._connecting = threading.Lock()
        self._transport: paramiko.Transport | None = None
        self._wire: WatchedSocket | None = None
        self._proxy: ProxyCommand | None = None
        self._pump = Pump(name)
        self._jump = Ssh(f"{name}: {options.jump.destination}", options.jump, asker=asker) if options.jump else None
        self._closings = 0

    def connect(self) -> None:
        """Connect and log in, or return at once when connected. Raises Unreachable, HostKeyRefused, LoginRefused."""
        from mailtop.transport.ssh.authentication import log_in
        from mailtop.transport.ssh.handshake import end, keep_alive, shaken

        closings = self._closings
        with self._connecting:
            if self.alive():
                return
            if self.options.unsupported:
                remedy = f"give {self.options.destination} a way without it"
                raise Unreachable(self.name, f"not supported yet: {', '.join(self.options.unsupported)}", remedy)
            wire = self._wire = WatchedSocket(self._socket(), self.options.timeout)
            try:
                self._still(closings)
                transport = self._shaken(wire, shaken)
                try:
                    log_in(transport, self.name, self.options, self._asker, self._password)
                    self._still(closings)
                except BaseException:
                    end(transport)
                    raise
            except BaseException:
                wire.close()
                self._end_proxy()
                raise
            keep_alive(transport, self._keepalive)
            wire.silence = self._silence
            self._transport = transport

    def _still(self, closings: int) -> None:
        if closings != self._closings:
            raise Unreachable(self.name, "closed")

    def _shaken(self, wire: WatchedSocket, shaken: Callable[..., paramiko.Transport]) -> paramiko.Transport:
        """Where a ProxyCommand is the way, its own words say best why there is none."""
        try:
            return shaken(wire, self.name, self.options)
        except Unreachable as error:
            said = self._proxy.said if self._proxy is not None and not wire.greeting else b""
            if not said:
                raise
            words = Foreign(b"ProxyCommand said: " + said)
            raise Unreachable(self.name, words, f"try: ssh {self.options.destination}") from error

    def open(self, command: str) -> SshChannel:
        """Start one constant command line. Raises LinkLost, TimedOut, NoSession, Denied (exec refused)."""
        transport = self._up()
        channel = new_session(transport, self.name, self.options.timeout)
        try:
            with converted(self.name):
                execute(channel, command, self.name, self.options.timeout)
        except MailtopError:
            channel.close()
            raise
        return SshChannel(self.name, channel, transport)

    def dial(self, address: Address, timeout: float = 10.0) -> socket.socket:
        """Connect from the host to an address as it sees it, by a forwarded channel; the socket keeps `timeout`.

        Raises LinkLost, TimedOut, Denied (sshd forbids it), Missing (nothing there; for a Unix socket sshd does not
        say whether it is missing, closed to this user, or may not be forwarded).
        """
        stream = self._pump.carry(opened(self._up(), address, self.options.user, timeout))
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
            from mailtop.transport.ssh.handshake import end

            end(transport)
        self._pump.close()
        self._end_proxy()
        if self._jump:
            self._jump.close()

    def _end_proxy(self) -> None:
        proxy, self._proxy = self._proxy, None
        if proxy is not None:
            proxy.close()

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
        if options.proxy_command:
            return self._through(options.proxy_command)
        try:
            return _connected(options)
        except socket.gaierror as error:
            raise Unreachable(self.name, f"{options.hostname} has no address", "is the name right?") from error
        except TimeoutError as error:
            where = f"{options.hostname} port {options.port}"
            raise Unreachable(self.name, f"no answer from {where} within {options.timeout:g} s") from error
        except OSError as error:
            why = (error.strerror or str(error)).lower()
            raise Unreachable(self.name, f"{options.hostname} port {options.port}: {why}", "is sshd up?") from error

    def _through(self, command: str) -> socket.socket:
        self._end_proxy()
        try:
            self._proxy = ProxyCommand(command)
        except OSError as error:
            raise Unreachable(self.name, f"ProxyCommand does not start: {error.strerror or error}") from error
        return self._proxy.near


def _connected(options: SshOptions) -> socket.socket:
    """A TCP connection, from where and by which kind of address the options say. Raises OSError."""
    family = _FAMILIES.get(options.family, socket.AF_UNSPEC)
    source = (options.bind_address, 0) if options.bind_address else None
    if family == socket.AF_UNSPEC:
        return socket.create_connection((options.hostname, options.port), options.timeout, source)
    failed: OSError = OSError("has no address of that family")
    for *_, address in socket.getaddrinfo(options.hostname, options.port, family, socket.SOCK_STREAM):
        try:
            return socket.create_connection((str(address[0]), options.port), options.timeout, source)
        except OSError as error:
            failed = error
    raise failed
