"""The engine as a process of its own: started before the face has imported its screen, ended when the face is."""

from __future__ import annotations

import asyncio
import logging
import os
import select
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import msgspec
from msgspec import Struct

from mailtop.config import Settings
from mailtop.engine.begin import Begun
from mailtop.engine.wire import RemoteConsole, serve
from mailtop.model.errors import UsageError

END_WITHIN = 1.0  # seconds from the face's end to ours, whatever still hangs
HEAD_START = 0.15  # seconds: our programs and threads and the face's first screen would share two cores
ENDING = 0.5  # seconds between the end of its socket and its own, at most
ACT_WITHIN = 600  # waits, each a little longer than that: no act takes longer, by its own deadlines


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

    def __init__(self, setup: Setup, begun: Begun | None = None) -> None:
        """Tell the process that has `begun`, else a new one, what it is for; nothing is waited for."""
        begun = begun or Begun()
        self._process = begun.process
        self._recording = setup.recording
        self.console = RemoteConsole(begun.end, self._why)
        with suppress(OSError):  # it has ended already: the console will say so
            begun.end.sendall(_framed(msgspec.msgpack.encode(setup)))

    def _why(self) -> str:
        try:
            status = self._process.wait(ENDING)
        except subprocess.TimeoutExpired:
            return "it does not answer"
        return self._damage() or f"it ended with status {status}"

    def _damage(self) -> str:
        """Why the recording cannot be played, empty where it can: an engine that met a damaged one cannot say so."""
        if not self._recording:
            return ""
        from mailtop.transport.recording import Recording

        try:
            Recording.read(Path(self._recording))
        except UsageError as error:
            return str(error)
        return ""

    def end(self) -> str:
        """Hang up, which ends it, and wait a little; return what is still being done, where that is so.

        An engine that is carrying out an act finishes it and writes it down, and ends then. All else ends in time:
        the engine's own last resort sees to it.
        """
        self.console.hang_up()
        try:
            self._process.wait(END_WITHIN * 1.5)
        except subprocess.TimeoutExpired:
            return "an act is being finished; `mailtop audit` will tell its outcome"
        return ""


def _framed(octets: bytes) -> bytes:
    return len(octets).to_bytes(4, "big") + octets


def _received(end: socket.socket) -> bytes:
    size = int.from_bytes(end.recv(4, socket.MSG_WAITALL), "big")
    return end.recv(size, socket.MSG_WAITALL)


async def _run(end: socket.socket) -> None:
    from mailtop.engine.making import engine_of  # after the socket is ours: a face that is gone ends us at once

    setup = msgspec.msgpack.decode(_received(end), type=Setup)
    engine = engine_of(setup)
    ears = end.dup()
    threading.Thread(target=_last_resort, args=(ears, lambda: engine.acting), name="last-resort", daemon=True).start()
    end.setblocking(False)
    await engine.start(HEAD_START)
    await serve(engine, end)
    await engine.finish_acts()
    try:
        async with asyncio.timeout(END_WITHIN):
            await engine.close()
    except TimeoutError:
        return  # a host that hangs may not keep us


def _last_resort(ears: socket.socket, acting: Callable[[], bool]) -> None:
    """In a thread: when the face is gone, see to it that we go, whatever the loop is doing; but not from an act."""
    poll = select.poll()
    poll.register(ears, select.POLLRDHUP)
    poll.poll()
    patience = threading.Event()
    for _ in range(ACT_WITHIN):
        patience.wait(END_WITHIN * 1.5)
        if not acting():
            break
    os._exit(0)


def main() -> None:
    """Run an engine on the socket whose descriptor is the one argument."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    logging.basicConfig(level=logging.WARNING, format="%(asctime)s %(name)s: %(message)s")
    try:
        asyncio.run(_run(socket.socket(fileno=int(sys.argv[1]))))
    except (ConnectionError, EOFError, msgspec.DecodeError):
        os._exit(3)  # the face was gone before it had begun
    sys.stderr.flush()
    os._exit(0)  # threads that wait for a hanging host do not keep us alive
