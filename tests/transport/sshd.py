"""SSH servers for tests: paramiko's in a thread of this process, and the real sshd where it is installed."""

from __future__ import annotations

import contextlib
import getpass
import os
import shutil
import signal
import socket
import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import paramiko
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from paramiko.common import (
    AUTH_FAILED,
    AUTH_SUCCESSFUL,
    OPEN_FAILED_ADMINISTRATIVELY_PROHIBITED,
    OPEN_FAILED_CONNECT_FAILED,
    OPEN_SUCCEEDED,
)
from paramiko.server import InteractiveQuery

SSHD = shutil.which("sshd", path="/usr/sbin:/usr/local/sbin:/usr/bin")


def write_key(path: Path, password: bytes = b"") -> None:
    """Write a new key and its public half, as ssh-keygen does."""
    key = Ed25519PrivateKey.generate()
    lock = serialization.BestAvailableEncryption(password) if password else serialization.NoEncryption()
    private, openssh = serialization.PrivateFormat.OpenSSH, serialization.PublicFormat.OpenSSH
    path.write_bytes(key.private_bytes(serialization.Encoding.PEM, private, lock))
    path.chmod(0o600)
    public = key.public_key().public_bytes(serialization.Encoding.OpenSSH, openssh)
    path.with_name(f"{path.name}.pub").write_bytes(public + b"\n")


class Keys:
    """A host's key and an operator's, and the ssh_config and known_hosts that go with them."""

    def __init__(self, folder: Path, port: int) -> None:
        self.folder, self.port = folder, port
        for name in ("host", "operator", "stranger"):
            if not (folder / name).exists():
                write_key(folder / name)
        self.known_hosts = folder / "known_hosts"
        self.known_hosts.write_text(f"[127.0.0.1]:{port} {(folder / 'host.pub').read_text()}")
        self.config = folder / "config"
        self.configure()

    def configure(self, identity: str = "operator", more: str = "") -> str:
        """Write the client's configuration; returns its path."""
        self.config.write_text(
            f"Host mail1\n  HostName 127.0.0.1\n  Port {self.port}\n  User {getpass.getuser()}\n"
            f"  IdentityFile {self.folder / identity}\n  IdentityAgent none\n  ConnectTimeout 5\n"
            f"  UserKnownHostsFile {self.known_hosts}\n  GlobalKnownHostsFile none\n{more}"
        )
        return str(self.config)


class ParamikoSshd:
    """Serves exec by a local shell, and both kinds of forwarding; `forwards` False: refuses them."""

    def __init__(self, folder: Path) -> None:
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.keys = Keys(folder, self._listener.getsockname()[1])
        self.password = ""
        self.judge: Callable[[list[str]], bool] | None = None  # of answers to its one prompt
        self.forwards = True
        self.sessions = True
        self.starts = True
        self.transports: list[paramiko.Transport] = []
        self.threads: list[threading.Thread] = []
        self._thread = threading.Thread(target=self._serve)
        self._thread.start()

    def stop(self) -> None:
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._thread.join()
        self.cut()
        for thread in self.threads:
            thread.join(10)

    def cut(self) -> None:
        """End all connections without a word."""
        for transport in self.transports:
            with contextlib.suppress(OSError):
                transport.sock.shutdown(socket.SHUT_RDWR)
            transport.close()
            transport.join(10)

    def _serve(self) -> None:
        while True:
            try:
                stream = self._listener.accept()[0]
            except OSError:
                return
            stream.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            transport = _ServerTransport(stream)
            transport.add_server_key(paramiko.Ed25519Key.from_private_key_file(str(self.keys.folder / "host")))
            self.transports.append(transport)
            transport.start_server(threading.Event(), _Server(self, transport))

    def run(self, work: Any, *arguments: object) -> None:
        """Run a thread that `stop` waits for."""
        self.threads.append(threading.Thread(target=work, args=arguments))
        self.threads[-1].start()


class _ServerTransport(paramiko.Transport):
    """Notes the path of a direct-streamlocal, which paramiko does not parse."""

    unix_path = ""

    def _parse_channel_open(self, message: paramiko.Message) -> None:
        peek = paramiko.Message(message.asbytes())
        if peek.get_text() == "direct-streamlocal@openssh.com":
            for _ in range(3):
                peek.get_int()
            self.unix_path = peek.get_text()
        super()._parse_channel_open(message)  # type: ignore[misc]  # the stubs leave its insides out


class _Server(paramiko.ServerInterface):
    def __init__(self, sshd: ParamikoSshd, transport: _ServerTransport) -> None:
        self._sshd, self._transport = sshd, transport
        self._far: dict[int, socket.socket] = {}

    def get_allowed_auths(self, username: str) -> str:
        if self._sshd.judge is not None:
            return "keyboard-interactive"
        return "password" if self._sshd.password else "publickey"

    def check_auth_interactive(self, username: str, submethods: str) -> InteractiveQuery:
        return InteractiveQuery("", "", ("Code: ", False))

    def check_auth_interactive_response(self, responses: list[str]) -> int:
        assert self._sshd.judge
        return AUTH_SUCCESSFUL if self._sshd.judge(responses) else AUTH_FAILED

    def check_auth_password(self, username: str, password: str) -> int:
        return AUTH_SUCCESSFUL if password == self._sshd.password else AUTH_FAILED

    def check_auth_publickey(self, username: str, key: paramiko.PKey) -> int:
        known = (self._sshd.keys.folder / "operator.pub").read_text().split()[1]
        return AUTH_SUCCESSFUL if key.get_base64() == known else AUTH_FAILED

    def check_channel_request(self, kind: str, chanid: int) -> int:
        if kind == "session":
            return OPEN_SUCCEEDED if self._sshd.sessions else OPEN_FAILED_ADMINISTRATIVELY_PROHIBITED
        if kind == "direct-streamlocal@openssh.com":
            return self._forward(chanid, socket.AF_UNIX, self._transport.unix_path)
        return OPEN_FAILED_ADMINISTRATIVELY_PROHIBITED

    def check_channel_direct_tcpip_request(self, chanid: int, origin: tuple[str, int], there: tuple[str, int]) -> int:
        return self._forward(chanid, socket.AF_INET, there)

    def check_channel_exec_request(self, channel: paramiko.Channel, command: bytes) -> bool:
        if self._sshd.starts:
            self._sshd.run(_execute, channel, command.decode())
        return self._sshd.starts

    def _forward(self, chanid: int, family: int, there: Any) -> int:
        if not self._sshd.forwards:
            return OPEN_FAILED_ADMINISTRATIVELY_PROHIBITED
        far = socket.socket(family)
        try:
            far.connect(there)
        except OSError:
            far.close()
            return OPEN_FAILED_CONNECT_FAILED
        self._sshd.run(_carry, self._transport, far)
        return OPEN_SUCCEEDED


def _carry(transport: paramiko.Transport, far: socket.socket) -> None:
    with far:
        while (channel := transport.accept(1)) is None:  # another thread may have taken the one that woke this
            if not transport.is_active():
                return
        back = threading.Thread(target=_back, args=(channel, far))
        back.start()
        with contextlib.suppress(OSError, EOFError):
            while octets := channel.recv(1 << 15):
                far.sendall(octets)
        with contextlib.suppress(OSError):
            far.shutdown(socket.SHUT_WR if channel.eof_received else socket.SHUT_RDWR)
        back.join()
    channel.close()


def _back(channel: paramiko.Channel, far: socket.socket) -> None:
    with contextlib.suppress(OSError, EOFError, paramiko.SSHException):
        while octets := far.recv(1 << 15):
            channel.sendall(octets)
        channel.shutdown_write()


def _execute(channel: paramiko.Channel, command: str) -> None:
    with subprocess.Popen(
        ("/bin/sh", "-c", command), stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, bufsize=0,
        start_new_session=True,
    ) as process:  # fmt: skip
        assert process.stdin
        assert process.stdout
        assert process.stderr
        ways = [
            threading.Thread(target=_out, args=(process.stdout, channel.sendall)),
            threading.Thread(target=_out, args=(process.stderr, channel.sendall_stderr)),
            threading.Thread(target=_in, args=(channel, process)),
        ]
        for way in ways:
            way.start()
        for way in ways[:2]:
            way.join()
        status = process.wait()
    with contextlib.suppress(OSError, EOFError, paramiko.SSHException):
        channel.send_exit_status(status % 256)
    with contextlib.suppress(OSError, EOFError, paramiko.SSHException):  # the client may be gone by now
        channel.close()
    ways[2].join()


def _out(pipe: Any, send: Any) -> None:
    with contextlib.suppress(OSError, EOFError, paramiko.SSHException):
        while octets := pipe.read(1 << 15):
            send(octets)
        return
    pipe.close()


def _in(channel: paramiko.Channel, process: subprocess.Popen[bytes]) -> None:
    assert process.stdin
    with contextlib.suppress(OSError, EOFError, ValueError):
        while octets := channel.recv(1 << 15):
            process.stdin.write(octets)
    with contextlib.suppress(OSError):
        process.stdin.close()
    if channel.closed and not channel.eof_received:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)


class OpenSshd:
    """The real one, on a port of its own, as the user who runs the test."""

    def __init__(self, folder: Path) -> None:
        with socket.create_server(("127.0.0.1", 0)) as probe:
            port = probe.getsockname()[1]
        self.keys = Keys(folder, port)
        config = folder / "sshd_config"
        config.write_text(
            f"Port {port}\nListenAddress 127.0.0.1\nHostKey {folder / 'host'}\nPidFile none\nUsePAM no\n"
            f"AuthorizedKeysFile {folder / 'operator.pub'}\nStrictModes no\nPermitRootLogin yes\nMaxSessions 10\n"
        )
        self.process = subprocess.Popen(
            (SSHD or "sshd", "-D", "-e", "-f", str(config)), stderr=subprocess.PIPE, stdin=subprocess.DEVNULL,
            start_new_session=True,
        )  # fmt: skip
        assert self.process.stderr
        if b"listening" not in self.process.stderr.readline():
            self.stop()
            raise FileNotFoundError("sshd does not start here")
        self._drain = threading.Thread(target=self.process.stderr.read)
        self._drain.start()

    def session(self) -> list[int]:
        """The processes that serve connections."""
        children = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text().split()
        return [int(pid) for pid in children]

    def stop(self) -> None:
        for pid in (self.process.pid, *(self.session() if self.process.poll() is None else ())):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        self.process.wait()
        if hasattr(self, "_drain"):
            self._drain.join(10)
        assert self.process.stderr
        self.process.stderr.close()


@contextmanager
def serving(kind: str, folder: Path) -> Iterator[ParamikoSshd | OpenSshd]:
    """Run a server of one kind; skips the test where the system's sshd does not start."""
    try:
        server = OpenSshd(folder) if kind == "openssh" else ParamikoSshd(folder)
    except FileNotFoundError as error:
        pytest.skip(str(error))
    try:
        yield server
    finally:
        server.stop()
