"""Answers without a machine: a recording played at any speed, and a test's own dictionary.

A `Player` walks a recording as far as it is told, and says which probes were answered on the way: the engine runs
those, on a clock that it moves itself. No time is read here.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Iterator, Mapping, Sequence
from math import ceil
from threading import Condition
from typing import NamedTuple

from msgspec.structs import replace

from mailtop.model.ask import Answer, Chunk, Command, Follow, Look, Put, ask_key, handed
from mailtop.model.errors import AskFailed, LinkLost, NotRecorded, Unreachable
from mailtop.transport.recording import Answered, Entry, LinkChanged, LogEnded, Logged, Piece, Recording, raised

SAME_RUN = 0.25  # seconds between an answer and the start of the next ask, when one run of a probe asked both


class Due(NamedTuple):
    """A probe that was answered: run it."""

    host: str
    container: str
    by: str


class Player:
    """Where a recording is being played, for all its hosts. `position`: seconds since the epoch."""

    def __init__(self, recording: Recording) -> None:
        self.recording = recording
        self.position = recording.header.started
        self.moved = Condition()
        self.links: dict[str, list[LinkChanged]] = {}
        self.answers: dict[tuple[str, str, str, str], list[Answered]] = {}
        self.commands: dict[tuple[str, str, str], list[Answered]] = {}  # whoever asked
        self.logs: dict[tuple[str, str, str], list[Logged | LogEnded]] = {}
        self.read: dict[tuple[str, str, str], int] = {}  # how much of each log was handed out
        self.pieces: dict[tuple[str, str, str, str, float], list[bytes]] = {}  # of large answers, with when they began
        news = (entry.at for entry in recording.entries if not isinstance(entry, Piece))
        self.frames = sorted({float(ceil(at)) for at in news})  # whole seconds that had some
        for entry in recording.entries:
            if isinstance(entry, LinkChanged):
                self.links.setdefault(entry.host, []).append(entry)
            elif isinstance(entry, Answered) and not entry.put:
                self.answers.setdefault((entry.host, entry.container, entry.by, entry.ask), []).append(entry)
                self.commands.setdefault((entry.host, entry.container, entry.ask), []).append(entry)
            elif isinstance(entry, Piece):
                key = (entry.host, entry.container, entry.by, entry.ask, entry.began)
                self.pieces.setdefault(key, []).append(entry.octets)
            elif isinstance(entry, Logged | LogEnded):
                self.logs.setdefault((entry.host, entry.container, entry.source), []).append(entry)
        self.probes = frozenset(by for _, _, by, _ in self.answers)  # that were asked at all
        self._runs = _runs(recording.entries)
        self._next = 0

    @property
    def end(self) -> float:
        """The time of the last entry."""
        return self.recording.entries[-1].at if self.recording.entries else self.recording.header.started

    @property
    def next_due(self) -> float | None:
        """When the next probe is due; None when none is any more."""
        return self._runs[self._next][0] if self._next < len(self._runs) else None

    def advance(self, to: float) -> list[Due]:
        """Move on to a time; return the probes that were answered by then, in their order, each once."""
        due: dict[Due, None] = {}
        while self._next < len(self._runs) and self._runs[self._next][0] <= to:
            due[self._runs[self._next][1]] = None
            self._next += 1
        with self.moved:
            self.position = max(self.position, to)
            self.moved.notify_all()
        return list(due)

    def reached(self, host: str, container: str, source: str) -> str:
        """The resume point up to which a log can be read by now; empty where there is nothing to read yet."""
        known = self.logs.get(self.log(host, container, source), [])
        reached = bisect_right(known, self.position, key=lambda entry: entry.at)
        return next((entry.chunk.resume for entry in reversed(known[:reached]) if isinstance(entry, Logged)), "")

    def log(self, host: str, container: str, source: str) -> tuple[str, str, str]:
        """Which recorded log is meant: where this source was not recorded, the one that was instead."""
        key = (host, container, source)
        others = [other for other in self.logs if other[:2] == key[:2]]
        return others[0] if key not in self.logs and len(others) == 1 else key

    def link(self, host: str) -> LinkChanged | None:
        """The host's connection at this moment; None before its first entry."""
        changes = self.links.get(host, [])
        reached = bisect_right(changes, self.position, key=lambda change: change.at)
        return changes[reached - 1] if reached else None


class Replay:
    """One host of a recording, as a `Source`. It takes no acts."""

    def __init__(self, player: Player, host: str) -> None:
        self._player = player
        self._host = host
        self._closed = False

    def connect(self) -> None:
        """Raises Unreachable where the host was not reached at this moment."""
        link = self._player.link(self._host)
        if link is not None and not link.up:
            raise Unreachable(self._host, link.note or "not connected then")

    def ask(self, container: str, ask: Look | Put, by: str = "") -> Answer:
        """Return the newest recorded answer up to now, or raise what was raised then; raises NotRecorded."""
        thing = f"{self._host}/{container}" if container else self._host
        if not self.alive():
            raise LinkLost(thing, "not connected then")
        key = ask_key(ask)
        if isinstance(ask, Put):
            raise NotRecorded(thing, f"{ask.argv[0]}: a recording takes no acts")
        known = self._player.answers.get((self._host, container, by, key), [])
        if not known and isinstance(ask, Command):  # an Engine ask of another's may have kept other fields
            known = self._player.commands.get((self._host, container, key), [])
        reached = bisect_right(known, self._player.position, key=lambda answered: answered.at)
        if not reached:
            raise NotRecorded(thing, f"{key[:80]}: not recorded")
        answered = known[reached - 1]
        if answered.answer is None:
            raise raised(answered.failure, thing)
        return self._handed(ask, answered, answered.answer)

    def _handed(self, ask: Look, answered: Answered, answer: Answer) -> Answer:
        """Give the pieces of a large answer as they were given then; all in one to whoever has no sink."""
        where = (self._host, answered.container, answered.by, answered.ask, answered.began)
        pieces = self._player.pieces.get(where, ())
        if not isinstance(ask, Command) or ask.sink is None:
            return replace(answer, stdout=b"".join((*pieces, answer.stdout))) if pieces else answer
        for piece in pieces:
            ask.sink(piece)
        return handed(answer, ask)

    def follow(self, container: str, follow: Follow) -> Iterator[Chunk]:
        """Yield the recorded chunks as the player reaches them; waits for it, however long that takes.

        Where a chunk comes next, the log was followed already: an empty one says so, if none was recorded.
        """
        key = self._player.log(self._host, container, follow.source)
        known = self._player.logs.get(key)
        if known is None:
            raise NotRecorded(f"{self._host}/{container}", f"{follow.source}: this log was not recorded")
        first = next(iter(known[self._player.read.get(key, 0) :]), None)
        if isinstance(first, Logged) and first.chunk.lines and not self._closed:
            yield Chunk(b"", follow.resume, 0.0)
        while True:
            entry = self._reached(key, known)
            if isinstance(entry, Logged):
                yield entry.chunk
            elif entry.failure is not None:
                raise raised(entry.failure, f"{self._host}/{container}")
            else:
                return

    def _reached(self, key: tuple[str, str, str], known: Sequence[Logged | LogEnded]) -> Logged | LogEnded:
        with self._player.moved:
            while True:
                at = self._player.read.get(key, 0)
                if self._closed:
                    raise LinkLost(self._host, "closed")
                if at < len(known) and known[at].at <= self._player.position:
                    self._player.read[key] = at + 1
                    return known[at]
                if not self.alive():
                    raise LinkLost(self._host, "the connection was lost then")
                self._player.moved.wait()

    def afford(self, thing: str) -> None:
        """A recording has what it has."""

    def alive(self) -> bool:
        """Was the host connected at this moment?"""
        link = self._player.link(self._host)
        return not self._closed and (link is None or link.up)

    def close(self) -> None:
        """Wake who follows a log."""
        self._closed = True
        with self._player.moved:
            self._player.moved.notify_all()


Said = bytes | Answer | AskFailed
Script = Said | Callable[[Look | Put], Said]


class ReplaySource:
    """A `Source` for tests: answers by (container, ask key); what it lacks raises NotRecorded.

    `ReplaySource({("postfix", "postqueue -j"): b"…"})`. An answer may be bytes, an Answer, an error to raise, or a
    function of the ask that returns one of these. Every Put is kept in `sent`, answered or not; every other ask's
    key in `asked`. `feed` adds lines to a log; `lose` is a lost connection.
    """

    def __init__(self, answers: Mapping[tuple[str, str], Script], unreachable: Unreachable | None = None) -> None:
        self.answers = dict(answers)
        self.unreachable = unreachable
        self.sent: list[Put] = []
        self.asked: list[tuple[str, str]] = []
        self._fed: dict[str, list[Chunk]] = {}
        self._changed = Condition()
        self._up = self._lost = False

    def connect(self) -> None:
        """Raise `unreachable` where the test says so."""
        if self.unreachable is not None:
            raise self.unreachable
        self._up, self._lost = True, False

    def ask(self, container: str, ask: Look | Put, by: str = "") -> Answer:  # noqa: ARG002
        """Answer from the dictionary."""
        key = ask_key(ask)
        if self._lost:
            raise LinkLost(container, "the connection was lost")
        if isinstance(ask, Put):
            self.sent.append(ask)
        else:
            self.asked.append((container, key))
        script = self.answers.get((container, key))
        if script is None:
            raise NotRecorded(container, f"{key}: not recorded")
        said = script(ask) if callable(script) else script
        if isinstance(said, AskFailed):
            raise said
        return handed(said if isinstance(said, Answer) else Answer(said), ask)

    def feed(self, container: str, lines: bytes, stamp: float = 0.0) -> None:
        """Let a log say something more."""
        with self._changed:
            fed = self._fed.setdefault(container, [])
            fed.append(Chunk(lines, str(len(fed) + 1), stamp))
            self._changed.notify_all()

    def follow(self, container: str, follow: Follow) -> Iterator[Chunk]:
        """Yield an empty chunk, then what was and will be fed from the resume point on, until `close` or `lose`."""
        at = int(follow.resume or 0)
        yield Chunk(b"", follow.resume, max((chunk.stamp for chunk in self._fed.get(container, ())[at:]), default=0.0))
        while True:
            with self._changed:
                while self._up and at >= len(self._fed.get(container, ())):
                    self._changed.wait()
                if not self._up:
                    raise LinkLost(container, "closed")
                chunk = self._fed[container][at]
            at += 1
            yield chunk

    def afford(self, thing: str) -> None:
        """A recording has what it has."""

    def alive(self) -> bool:
        """Connected, and not lost."""
        return self._up

    def lose(self) -> None:
        """Lose the connection."""
        self.close()

    def close(self) -> None:
        """End it; followers raise LinkLost."""
        with self._changed:
            self._up, self._lost = False, True
            self._changed.notify_all()


def _runs(entries: Sequence[Entry]) -> list[tuple[float, Due]]:
    """Find the runs of probes: (time of a run's last answer, the probe), in order of time.

    A run's asks follow each other at once, and none comes twice.
    """
    runs: list[tuple[float, Due]] = []
    current: dict[Due, tuple[float, set[str]]] = {}
    for entry in entries:
        if not isinstance(entry, Answered) or entry.put or not entry.by:
            continue
        due = Due(entry.host, entry.container, entry.by)
        last, asked = current.get(due, (entry.at, set()))
        if entry.ask in asked or entry.began - last > SAME_RUN:
            runs.append((last, due))
            asked = set()
        current[due] = entry.at, asked | {entry.ask}
    runs += [(last, due) for due, (last, _) in current.items()]
    return sorted(runs, key=lambda run: run[0])
