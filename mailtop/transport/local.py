"""This machine as a host: programs with three pipes, and its sockets."""

from __future__ import annotations

import contextlib
import os
import select
import signal
import socket
import subprocess
import threading

from mailtop.model.errors import Denied, LinkLost, Missing, TimedOut
from mailtop.transport import Address, UnixAddress
from mailtop.transport.deadline import Deadline

_PIECE = 1 << 16
_LOOKS, _BETWEEN = 10, 0.005  # looks for what is left of a killed session, and seconds between two
_never = threading.Event()
_REAP = 1.0  # seconds to wait for a killed program; one stuck in the kernel is left to it


class Local:
    """The machine that mailtop runs on. It is always connected; `close` kills all that was started through it."""

    def __init__(self, name: str = "local") -> None:
        self.name = name
        self._lock = threading.Lock()
        self._channels: set[LocalChannel] = set()
        self._up = True

    def connect(self) -> None:
        """Be usable again after `close`."""
        self._up = True

    def open(self, command: str) -> LocalChannel:
        """Start `/bin/sh -c command` in a session of its own, so that a key pressed here never interrupts it."""
        with self._lock:
            if not self._up:
                raise LinkLost(self.name, "closed")
            self._channels = {channel for channel in self._channels if not channel.closed}
            channel = LocalChannel(self.name, command)
            self._channels.add(channel)
        return channel

    def dial(self, address: Address, timeout: float = 10.0) -> socket.socket:
        """Connect; the socket keeps `timeout`, so that a forgotten limit is an error and not a hang.

        Raises Missing (no such socket, name or listener), Denied, TimedOut.
        """
        thing = address.path if isinstance(address, UnixAddress) else f"{address.host}:{address.port}"
        try:
            if isinstance(address, UnixAddress):
                return _unix(address.path, timeout)
            stream = socket.create_connection((address.host, address.port), timeout)
            stream.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        except TimeoutError as error:
            raise TimedOut(thing, f"no connection within {timeout:g} s") from error
        except PermissionError as error:
            remedy = "run mailtop as a user who may open it, or add yours to the socket's group"
            raise Denied(thing, "permission denied", remedy) from error
        except OSError as error:
            raise Missing(thing, (error.strerror or str(error)).lower(), "is the service running?") from error
        return stream

    def alive(self) -> bool:
        """True until closed."""
        return self._up

    def close(self) -> None:
        """Kill what runs."""
        with self._lock:
            self._up = False
            channels, self._channels = self._channels, set()
        for channel in channels:
            channel.close()


class LocalChannel:
    """One program with its three pipes. See `transport.Channel`."""

    def __init__(self, name: str, command: str) -> None:
        self._name = name
        self._process = subprocess.Popen(
            ("/bin/sh", "-c", command),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            bufsize=0,
            start_new_session=True,
        )
        stdin, stdout, stderr = self._process.stdin, self._process.stdout, self._process.stderr
        if stdin is None or stdout is None or stderr is None:
            raise AssertionError("all three are pipes")
        self._stdin, self._stdout = stdin, stdout.fileno()
        self._outputs = {stdout.fileno(): stdout, stderr.fileno(): stderr}
        for fd in (self._stdin.fileno(), *self._outputs):
            os.set_blocking(fd, False)
        self._woken, self._waker = os.pipe()  # readable once closed: whoever polls, polls it too
        self._reading, self._writing, self._closing = threading.Lock(), threading.Lock(), threading.Lock()
        self.closed = False

    def send(self, octets: bytes, timeout: float) -> None:
        """Write all of `octets` to stdin."""
        deadline = Deadline(timeout)
        rest = memoryview(octets)
        with self._writing:
            if self._stdin.closed:
                raise LinkLost(self._name, "its input is closed")
            while rest:
                self._wait({self._stdin.fileno(): select.POLLOUT}, deadline)
                try:
                    rest = rest[os.write(self._stdin.fileno(), rest[:_PIECE]) :]
                except BlockingIOError:
                    continue
                except BrokenPipeError as error:
                    raise LinkLost(self._name, "the program takes no input any more") from error

    def end_of_input(self) -> None:
        """Close stdin."""
        with self._writing:
            self._stdin.close()

    def read(self, timeout: float) -> tuple[bytes, bytes]:
        """Return what came; (b"", b"") at the end of both outputs."""
        deadline = Deadline(timeout)
        with self._reading:
            while self._outputs:
                got = {fd: self._take(fd) for fd in self._wait(dict.fromkeys(self._outputs, select.POLLIN), deadline)}
                stdout, stderr = got.pop(self._stdout, b""), b"".join(got.values())
                if stdout or stderr:
                    return stdout, stderr
            if self.closed:
                raise LinkLost(self._name, "closed")
            return b"", b""

    def exit_status(self, timeout: float) -> int:
        """Wait for the program's end."""
        try:
            status = self._process.wait(timeout)
        except subprocess.TimeoutExpired as error:
            raise TimedOut(self._name, f"the program has not ended within {timeout:g} s") from error
        return status if status >= 0 else 128 - status

    def close(self) -> None:
        """Kill the program and all of its session; wake whoever reads or writes."""
        with self._closing:
            if self.closed:
                return
            self.closed = True
        os.write(self._waker, b"!")
        if self._process.returncode is None:  # not reaped: the number is still the session's own
            _kill_session(self._process.pid)
        with self._reading, self._writing:
            for pipe in (self._stdin, *self._outputs.values()):
                pipe.close()
            self._outputs.clear()
            os.close(self._woken)
            os.close(self._waker)
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(_REAP)

    def _wait(self, wanted: dict[int, int], deadline: Deadline) -> list[int]:
        if self.closed:
            raise LinkLost(self._name, "closed")
        poll = select.poll()
        for fd, events in wanted.items():
            poll.register(fd, events)
        poll.register(self._woken, select.POLLIN)
        ready = [fd for fd, _ in poll.poll(deadline.left() * 1000)]
        if self._woken in ready or self.closed:
            raise LinkLost(self._name, "closed")
        if not ready:
            raise TimedOut(self._name, f"nothing came for {deadline.took():.0f} s")
        return ready

    def _take(self, fd: int) -> bytes:
        try:
            octets = os.read(fd, _PIECE)
        except BlockingIOError:
            return b""
        if not octets:
            self._outputs.pop(fd).close()
        return octets


def _unix(path: str, timeout: float) -> socket.socket:
    stream = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    stream.settimeout(timeout)
    try:
        stream.connect(path)
    except OSError:
        stream.close()
        raise
    return stream


def _kill_session(leader: int) -> None:
    """Kill a session: its leader's group, and groups of their own in it, as `timeout` makes them (found by /proc).

    Who is being killed may just have started another, so it is looked for again until there is none.
    """
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(leader, signal.SIGKILL)
    for _ in range(_LOOKS):
        others = [pid for pid in _members(leader) if pid != leader]  # who is dead and not reaped yet is among them
        if not others:
            return
        for pid in others:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.kill(pid, signal.SIGKILL)
        _never.wait(_BETWEEN)


def _members(session: int) -> list[int]:
    members = []
    for name in os.listdir("/proc"):  # noqa: PTH208  (a Path each for hundreds of processes costs 20 ms)
        with contextlib.suppress(OSError, ValueError):  # it has ended meanwhile, or is no process
            if os.getsid(number := int(name)) == session:
                members.append(number)
    return members
