"""An incident on one host, made up: a log of any pace, and a queue of any length; behind the real engine and face.

    python tests/bench/incident.py face [--rate LINES] [--queue FILE] [--relist] [--sort]

The engine is a process of its own, with the real `Engine`, `Link`, `Follower`, ledger and wire. Only the host is made
up, so that no container has to be filled with a million messages.
"""

from __future__ import annotations

import argparse
import asyncio
import gzip
import itertools
import json
import os
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import maillog
import mailqueue
from tenfold import copy

from mailtop.config import HostSettings, Settings
from mailtop.model.ask import Answer, Chunk, Command, Dns, Engine, Follow, Look, Put, Source, Talk, Tls
from mailtop.model.errors import LinkLost, Missing
from mailtop.model.snapshot import PageAsk

GATHERED = 0.02  # seconds of log in a chunk, as the Engine's client gathers them
PIECE = 32 << 10  # bytes that a channel gives at a time
LINES = 600_000  # of log that are played again and again
_STAMP = "2026-11-24T00:00:00.000000+00:00"


class Incident:
    """A `Source`: one host with one Postfix in a container."""

    def __init__(self, log: Path | None, rate: float, queue: Path | None, name: str = "1") -> None:
        """`log`: lines that all begin with one stamp; `queue`: what `postqueue -j` says, gzipped; `name`: which one."""
        self._name = name
        self._log = log
        self._rate = rate
        self._queue = queue
        self._closed = threading.Event()
        self._messages = int(queue.name.partition(".")[0].rpartition("-")[2]) if queue else 0
        self._beginning = b""
        if queue is not None:
            with gzip.open(queue) as whole:
                self._beginning = whole.read(2_000_000)

    def connect(self) -> None:
        """At once."""

    def afford(self, thing: str) -> None:
        """It can afford all."""

    def alive(self) -> bool:
        """Until it is closed."""
        return not self._closed.is_set()

    def close(self) -> None:
        """End it."""
        self._closed.set()

    def follow(self, container: str, follow: Follow) -> Iterator[Chunk]:
        """Yield so many lines a second, each with the time it has now."""
        if self._log is None or not self._rate:
            self._closed.wait()
            raise LinkLost("mail1", "closed")
        a_chunk = max(1, round(self._rate * GATHERED))
        pause, due = a_chunk / self._rate, time.monotonic()
        with self._log.open("rb") as log:
            for number in itertools.count(1):
                lines = b"".join(itertools.islice(log, a_chunk))
                if not lines:
                    log.seek(0)
                    continue
                now = time.time()
                stamp = f"{datetime.fromtimestamp(now, UTC):%Y-%m-%dT%H:%M:%S.%f}+00:00".encode()
                yield Chunk(lines.replace(_STAMP.encode(), stamp), str(number), now)
                due = max(due + pause, time.monotonic() - 1.0)
                if self._closed.wait(max(0.0, due - time.monotonic())):
                    raise LinkLost("mail1", "closed")

    def ask(self, container: str, ask: Look | Put, by: str = "") -> Answer:
        """Answer as the lab's containers do."""
        if isinstance(ask, Engine):
            return _of_engine(ask.path, self._name)
        if isinstance(ask, Tls | Talk):
            raise Missing(f"{ask.host}:{ask.port}", "connection refused")
        if isinstance(ask, Dns):
            raise Missing("resolver", "connection refused")
        match ask.argv[0]:
            case "postconf" if "queue_directory" in ask.argv and "-h" in ask.argv:
                return Answer(b"/var/spool/postfix\n")
            case "postconf" if "config_directory" in ask.argv and "-h" in ask.argv:
                return Answer(b"/etc/postfix\n")
            case "postconf":
                return Answer(b"mail_version = 3.7.11\nenable_long_queue_ids = yes\n")
            case "find":
                return Answer(self._counts(ask.argv))
            case "postqueue" if self._queue is None:
                return Answer(b"")
            case "postqueue" if self._queue and isinstance(ask, Command) and ask.pipe and ask.pipe[0][0] == "gzip":
                return _streamed(self._queue, ask)
            case "postqueue":
                return Answer(self._beginning, cut=len(self._beginning) >= 2_000_000)
            case "cat" if "/etc/machine-id" in ask.argv:
                return Answer("".join(f"{path} {self._name}\n" for path in ask.argv[1:]).encode())
            case "cat":
                return Answer(b"0.10 0.20 0.30 1/99 1\n1000.0 1000.0\n")
            case "df":
                return Answer(b"Filesystem 1024-blocks Used Available Capacity Mounted on\n/dev/a 1000 300 700 30% /\n")
            case _:
                raise Missing(ask.argv[0], "not there")

    def _counts(self, argv: tuple[str, ...]) -> bytes:
        active = min(15_000, self._messages // 10)
        held = (self._messages - active) // 100
        sizes = {"active": active, "hold": held, "deferred": self._messages - active - held}
        names = [path.rpartition("/")[2] for path in argv if path.startswith("/var/spool")]
        counted = "".join(f"{name} {sizes.get(name, 0)} -\n" for name in names)
        return f"now {int(time.time())} -\n{counted}".encode()


def _streamed(queue: Path, ask: Command) -> Answer:
    """A large answer as a channel gives it: piece by piece."""
    if ask.sink is None:
        return Answer(queue.read_bytes())
    with queue.open("rb") as listing:
        while piece := listing.read(PIECE):
            ask.sink(piece)
    return Answer(b"")


def _of_engine(path: str, name: str) -> Answer:
    postfix = {"Id": "c" * 64, "Names": ["/postfix"], "Image": "debian", "State": "running"}
    answers: dict[str, object] = {
        "/info": {"ID": f"ENGINE-{name}"},
        "/containers/json?all=1": [postfix],
        "/containers/postfix/json": {"Id": "c" * 64},
    }
    if path not in answers:
        raise Missing("docker", path)
    return Answer(json.dumps(answers[path]).encode())


# what is made once


def folder() -> Path:
    """Where made-up logs and queues are kept from one run to the next."""
    path = Path(tempfile.gettempdir()) / "mailtop-bench"
    path.mkdir(exist_ok=True)
    return path


def log_file(lines: int = LINES) -> Path:
    """A log whose lines all have one stamp, to be replaced."""
    path = folder() / f"log-{lines}.log"
    if not path.exists():
        made = path.with_suffix(".part")
        with made.open("w", buffering=1 << 20) as log:
            for _, text in itertools.islice(maillog.Platform(7).lines(), lines):
                log.write(f"{_STAMP} {text}\n")
        made.rename(path)
    return path


def queue_file(messages: int) -> Path:
    """A queue's listing, gzipped as a host would."""
    path = folder() / f"queue-{messages}.json.gz"
    if not path.exists():
        made = path.with_suffix(".part")
        with gzip.open(made, "wt", compresslevel=1) as listing:
            listing.writelines(mailqueue.lines(messages))
        made.rename(path)
    return path


# the two processes


def settings(hosts: int = 1) -> Settings:
    """One host, or several alike."""
    return Settings(hosts={f"mail{number}": HostSettings() for number in range(1, hosts + 1)}, history=60)


async def engine(end: socket.socket, options: argparse.Namespace) -> None:
    """Serve one face, and keep the queue busy where that is wanted."""
    from mailtop.engine.audit import NoAudit
    from mailtop.engine.clock import SystemClock
    from mailtop.engine.engine import Engine as RealEngine
    from mailtop.engine.wire import serve

    found = settings(options.hosts)

    def source(name: str) -> Callable[[], Source]:
        return copy(name) if options.live else lambda: Incident(options.log, options.rate, options.queue, name)

    sources = {name: source(name) for name in found.hosts}
    mine = RealEngine(found, sources, SystemClock(), operator="bench", audit=NoAudit())
    await mine.start()
    busy = [
        asyncio.create_task(work(mine)) for work, wanted in ((_relist, options.relist), (_sort, options.sort)) if wanted
    ]
    end.setblocking(False)
    await serve(mine, end)
    for task in busy:
        task.cancel()
    await mine.close()


async def _relist(console: object) -> None:
    """List the queue again as soon as it has been listed."""
    from mailtop.engine.engine import Engine as RealEngine

    assert isinstance(console, RealEngine)
    listed = 0.0
    await console.refresh(what="listing")
    async for snapshot in console.snapshots():
        state = snapshot.queues[0] if snapshot.queues else None
        if state is not None and (state.listed_at != listed or not (state.listed or state.listing)):
            listed = state.listed_at
            await console.refresh(what="listing")


async def _sort(console: object) -> None:
    """Ask for a page in another order, one after the other."""
    from mailtop.engine.engine import Engine as RealEngine

    assert isinstance(console, RealEngine)
    columns = ("arrival", "-size", "sender", "recipient", "domain", "reason")
    for column in itertools.cycle(columns):
        await console.page(PageAsk("messages", sort=column, offset=400_000))
        await asyncio.sleep(0.5)


def started(options: list[str]) -> tuple[socket.socket, subprocess.Popen[bytes]]:
    """Start the engine's process; our end of its console, and the process."""
    from mailtop.engine.begin import FRUGAL

    ours, theirs = socket.socketpair()
    process = subprocess.Popen(
        [sys.executable, __file__, "engine", "--socket", str(theirs.fileno()), *options],
        env={**os.environ, **FRUGAL},
        pass_fds=(theirs.fileno(),),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=(folder() / "engine.stderr").open("ab"),
    )
    theirs.close()
    return ours, process


def face(options: list[str]) -> None:
    """The real face on it."""
    ours, process = started(options)
    from mailtop.engine.wire import RemoteConsole
    from mailtop.ui.app import MailtopApp

    console = RemoteConsole(ours)
    try:
        MailtopApp(console, operator="bench").run()
    finally:
        console.hang_up()
        process.wait(5)


def main() -> None:
    """Be the face or the engine."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("role", choices=("face", "engine"))
    parser.add_argument("--rate", type=float, default=0.0, help="lines a second")
    parser.add_argument("--log", type=Path)
    parser.add_argument("--queue", type=Path, help="a gzipped listing")
    parser.add_argument("--hosts", type=int, default=1)
    parser.add_argument("--live", action="store_true", help="this machine's Engine, so many times")
    parser.add_argument("--relist", action="store_true")
    parser.add_argument("--sort", action="store_true")
    parser.add_argument("--socket", type=int, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.role == "face":
        face(sys.argv[2:])
    else:
        asyncio.run(engine(socket.socket(fileno=options.socket), options))


if __name__ == "__main__":
    main()
