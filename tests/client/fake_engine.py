"""Just enough of a Docker Engine to be asked on a Unix socket: what it says is real bytes, or a test's own."""

from __future__ import annotations

import json
import os
import select
import socket
import struct
import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO

from mailtop.transport.local import _kill_session

VERSION = {"ApiVersion": "1.41", "MinAPIVersion": "1.12"}
RUNNING = {
    "Created": "2026-11-24T02:00:00.5Z",
    "State": {"Running": True, "StartedAt": "2026-11-24T02:00:01.123456789Z"},
    "Config": {"Tty": False, "Env": ["PASSWORD=geheim"]},
}
STOPPED = {**RUNNING, "State": {"Running": False, "StartedAt": "2026-11-24T02:00:01.123456789Z"}}

Talk = Callable[[socket.socket], None]
Say = bytes | tuple[int, object] | Talk


class FakeEngine:
    """Answers by path without version and query: a body, (status, JSON), or a function that talks on the stream.

    A list is said in turn, its last element again and again. `asked`: every request line. In a container of `real`
    programs run, on this machine; `kill` ends them all, as a restart of the container does.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.says: dict[str, Say | list[Say]] = {"/_ping": b"OK", "/version": (200, VERSION)}
        self.asked: list[str] = []
        self.real: set[str] = set()
        self.programs: dict[str, list[str]] = {}
        self.running: dict[str, subprocess.Popen[bytes]] = {}
        self.threads: list[threading.Thread] = []
        self._open: list[socket.socket] = []
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(str(path))
        self._listener.listen(64)
        self._start(self._accept)

    def kill(self) -> None:
        for process in self.running.values():
            if process.poll() is None:
                _kill_session(process.pid)
            process.wait(5)

    def close(self) -> None:
        self.kill()
        for sock in (self._listener, *self._open):
            with suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)
        for thread in self.threads:
            thread.join(5)
        for sock in (self._listener, *self._open):
            sock.close()

    def _start(self, run: Callable[[], None]) -> None:
        thread = threading.Thread(target=run, daemon=True)
        self.threads.append(thread)
        thread.start()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                sock, _ = self._listener.accept()
                self._open.append(sock)
                self._start(lambda sock=sock: self._serve(sock))  # type: ignore[misc]  # mypy knows no default here

    def _serve(self, sock: socket.socket) -> None:
        with suppress(OSError, ValueError):
            reader = sock.makefile("rb")
            while line := reader.readline():
                head: dict[str, str] = {}
                while (field := reader.readline().strip()) != b"":
                    name, _, value = field.decode().partition(":")
                    head[name.lower()] = value.strip()
                body = reader.read(int(head.get("content-length", "0")))
                if not self._answer(sock, line.decode().strip(), body):
                    break
            reader.close()
        with suppress(OSError):
            sock.shutdown(socket.SHUT_RDWR)

    def _answer(self, sock: socket.socket, line: str, body: bytes) -> bool:
        """Is the connection kept?"""
        self.asked.append(line)
        path = line.split()[1].partition("?")[0]
        if path.startswith("/v1."):
            path = "/" + path.split("/", 2)[2]
        say = self._run(path, body) or self.says.get(path, (404, {"message": f"No such container: {path}"}))
        if isinstance(say, list):
            say = say.pop(0) if len(say) > 1 else say[0]
        if callable(say):
            say(sock)
            return False
        status, body = (200, say) if isinstance(say, bytes) else (say[0], json.dumps(say[1]).encode())
        sock.sendall(b"HTTP/1.1 %d x\r\nContent-Length: %d\r\n\r\n" % (status, len(body)) + body)
        return not line.endswith("1.0")

    def _run(self, path: str, body: bytes) -> Say | None:
        """Programs in a container of `real`."""
        match path.split("/")[1:]:
            case ["containers", container, "exec"] if container in self.real:
                self.programs[f"e{len(self.programs)}"] = json.loads(body)["Cmd"]
                return 201, {"Id": f"e{len(self.programs) - 1}"}
            case ["exec", number, "start"] if number in self.programs:
                return lambda sock: self.attach(sock, number)
            case ["exec", number, "json"] if number in self.running:
                status = self.running[number].poll()
                return 200, {"Running": status is None, "ExitCode": status}
        return None

    def attach(self, sock: socket.socket, number: str) -> None:
        sock.sendall(b"HTTP/1.1 101 UPGRADED\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n\r\n")
        pipe = subprocess.PIPE
        process = subprocess.Popen(
            self.programs[number], stdin=pipe, stdout=pipe, stderr=pipe, bufsize=0, start_new_session=True
        )
        self.running[number] = process
        assert process.stdin is not None
        assert process.stdout is not None
        assert process.stderr is not None
        outputs = {process.stdout.fileno(): 1, process.stderr.fileno(): 2}
        stdin = process.stdin
        self._start(lambda: _copied(sock, stdin))
        try:
            poll = select.poll()
            for fd in outputs:
                poll.register(fd, select.POLLIN)
            while outputs:
                for fd, _ in poll.poll():
                    octets = os.read(fd, 65536)
                    if octets:
                        sock.sendall(struct.pack(">BxxxL", outputs[fd], len(octets)) + octets)
                    else:
                        poll.unregister(fd)
                        del outputs[fd]
        finally:
            if process.poll() is None:
                _kill_session(process.pid)
            process.wait(5)
            process.stdout.close()
            process.stderr.close()


def _copied(sock: socket.socket, stdin: IO[bytes]) -> None:
    with suppress(OSError):
        while octets := sock.recv(65536):
            stdin.write(octets)
    with suppress(OSError):
        stdin.close()


def stream(octets: bytes) -> Talk:
    """A log that says this and ends."""
    return lambda sock: sock.sendall(b"HTTP/1.0 200 OK\r\n\r\n" + octets)


@contextmanager
def engine_at(path: Path) -> Iterator[FakeEngine]:
    engine = FakeEngine(path)
    try:
        yield engine
    finally:
        engine.close()
