"""The engine as a process of its own: started before the face has imported its screen, ended when the face is."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import msgspec
from msgspec import Struct

from mailtop.config import Settings
from mailtop.engine.wire import RemoteConsole, serve

END_WITHIN = 1.0  # seconds from the face's end to ours, whatever still hangs


class Setup(Struct, frozen=True):
    """All that an engine is told at its start. `recording`: replay this file instead of asking hosts."""

    settings: Settings
    operator: str
    read_only: bool = False
    audit: str = ""
    recording: str = ""
    speed: float = 1.0
    record_to: str = ""


class EngineProcess:
    """An engine in a process of its own, with the console that speaks to it."""

    def __init__(self, setup: Setup, log_file: Path | None = None) -> None:
        """Start it at once; nothing is waited for. Its complaints go to `log_file`, or nowhere."""
        ours, theirs = socket.socketpair()
        log = log_file.open("ab") if log_file else None
        try:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "mailtop.engine.process", str(theirs.fileno())],
                pass_fds=(theirs.fileno(),),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=log or subprocess.DEVNULL,
                start_new_session=True,  # ctrl-c and a hang-up are the face's to handle; ours is the end of the socket
            )
        finally:
            theirs.close()
            if log:
                log.close()
        ours.sendall(_framed(msgspec.msgpack.encode(setup)))
        self.console = RemoteConsole(ours, self._why)

    def _why(self) -> str:
        status = self._process.poll()
        return "it does not answer" if status is None else f"it ended with status {status}"

    def end(self) -> None:
        """Hang up, which ends it, and wait; what does not end in time is killed."""
        self.console.hang_up()
        try:
            self._process.wait(END_WITHIN * 1.5)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()


def _framed(octets: bytes) -> bytes:
    return len(octets).to_bytes(4, "big") + octets


def _received(end: socket.socket) -> bytes:
    size = int.from_bytes(end.recv(4, socket.MSG_WAITALL), "big")
    return end.recv(size, socket.MSG_WAITALL)


async def _run(end: socket.socket) -> None:
    from mailtop.engine.engine import Engine  # after the socket is ours: a face that is gone ends us at once

    setup = msgspec.msgpack.decode(_received(end), type=Setup)
    end.setblocking(False)
    engine = Engine.of(setup)
    await engine.start()
    await serve(engine, end)
    try:
        await asyncio.wait_for(engine.close(), END_WITHIN)
    except TimeoutError:
        return  # a host that hangs may not keep us


def main() -> None:
    """Run an engine on the socket whose descriptor is the one argument."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    status = 1
    try:
        asyncio.run(_run(socket.socket(fileno=int(sys.argv[1]))))
        status = 0
    except (ConnectionError, EOFError, msgspec.DecodeError):
        status = 3
    finally:
        sys.stderr.flush()
        if status == 0:
            os._exit(0)  # threads that wait for a hanging host do not keep us alive


if __name__ == "__main__":
    main()
