"""A recording: what every host answered and logged, and when its connection was up, in one order of time.

It is one file: a gzip stream of messages, each four bytes of length (big-endian) and so much msgpack: a
`Header`, then entries. It is appended to and flushed each second, so that one cut off in the middle is readable up to
its last second. What was typed, a Put's stdin and what an Engine ask did not keep never reach it.
"""

from __future__ import annotations

import os
import zlib
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from threading import Event, Lock, Thread

import msgspec
from msgspec import Struct

from mailtop.model import errors
from mailtop.model.ask import Answer, Chunk
from mailtop.model.errors import AskFailed, ConfigError, Missing, NotRecorded, UsageError
from mailtop.model.topology import Target

SCHEMA = 1
FLUSH = 1.0  # seconds

_READ = 1 << 18
_HEAD = 1 << 16  # octets that hold a header, whatever number of hosts it names


class Header(Struct, frozen=True, tag="header"):
    """What a recording begins with. `version`: mailtop's; `started`: seconds since the epoch."""

    schema: int
    version: str
    started: float
    platform: str
    hosts: tuple[str, ...] = ()
    targets: tuple[Target, ...] = ()


class LinkChanged(Struct, frozen=True, tag="link"):
    """A host's connection came up, or was lost, or was not made."""

    at: float
    host: str
    up: bool
    note: str = ""


class Failure(Struct, frozen=True):
    """An error of the tree: its class, and its three parts."""

    kind: str
    thing: str
    reason: str
    remedy: str = ""


class Answered(Struct, frozen=True, tag="answer", omit_defaults=True):
    """One ask, from `began` to its end `at`. Neither `answer` nor `failure`: the same answer as the last time."""

    at: float
    began: float
    host: str
    container: str
    by: str
    ask: str
    answer: Answer | None = None
    failure: Failure | None = None
    put: bool = False


class Piece(Struct, frozen=True, tag="piece"):
    """A piece of an answer's stdout that was too large to be held: it comes before its `Answered`, of the same `began`.

    The pieces in their order, and then `Answered.answer.stdout`, are what the program wrote.
    """

    at: float
    began: float
    host: str
    container: str
    by: str
    ask: str
    octets: bytes


class Logged(Struct, frozen=True, tag="log"):
    """A chunk of a followed log."""

    at: float
    host: str
    container: str
    source: str
    chunk: Chunk


class LogEnded(Struct, frozen=True, tag="end", omit_defaults=True):
    """A followed log ended: in good order, or by a failure."""

    at: float
    host: str
    container: str
    source: str
    failure: Failure | None = None


class Asked(Struct, frozen=True, tag="question"):
    """A person was asked something; what they typed is not here."""

    at: float
    host: str
    prompt: str


Entry = LinkChanged | Piece | Answered | Logged | LogEnded | Asked
Write = Callable[[Entry], None]


class Tape:
    """A recording that is being written. Raises ConfigError when the file cannot be made; never replaces one."""

    def __init__(self, path: Path, header: Header) -> None:
        try:
            self._file = os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb")
        except OSError as error:
            raise ConfigError(str(path), f"cannot record there: {error.strerror}", "name another file") from error
        self._gzip = zlib.compressobj(wbits=31)
        self._encoder = msgspec.msgpack.Encoder()
        self._lock = Lock()
        self._ending = Event()
        self.flushed = Event()  # has everything that was written reached the file?
        self.failed = ""  # why nothing more is written, such as a full disk
        self._put(header)
        self._thread = Thread(target=self._keep_flushing, name="tape", daemon=True)
        self._thread.start()

    def write(self, entry: Entry) -> None:
        """Append one entry; from any thread. A file that takes no more is said in `failed`, it stops no ask."""
        self._put(entry)

    def close(self) -> None:
        """Write what is left, and the stream's end."""
        self._ending.set()
        self._thread.join()
        with self._lock:
            if not self._file.closed:
                self._out(self._gzip.flush(zlib.Z_FINISH))
                self._file.close()

    def _put(self, message: Header | Entry) -> None:
        octets = self._encoder.encode(message)
        with self._lock:
            if self._ending.is_set() or self.failed:
                return
            self._out(self._gzip.compress(len(octets).to_bytes(4) + octets))
            self.flushed.clear()

    def _keep_flushing(self) -> None:
        ending = False
        while not ending:
            ending = self._ending.wait(FLUSH)
            with self._lock:
                if not self.flushed.is_set() and not self.failed:
                    self._out(self._gzip.flush(zlib.Z_SYNC_FLUSH))
                    self.flushed.set()

    def _out(self, octets: bytes) -> None:
        try:
            self._file.write(octets)
            self._file.flush()
        except OSError as error:
            self.failed = f"recording stopped: {error.strerror}"


class Recording(msgspec.Struct, frozen=True):
    """A whole recording in memory. `whole`: it was not cut off."""

    header: Header
    entries: tuple[Entry, ...]
    whole: bool = True

    @classmethod
    def check(cls, path: Path) -> None:
        """Look at the head only: is this a recording? Raises UsageError as `read` does, in the time of one block."""
        try:
            with path.open("rb") as file:
                start = zlib.decompressobj(wbits=31).decompress(file.read(_HEAD))
            header = msgspec.msgpack.decode(start[4 : 4 + int.from_bytes(start[:4])], type=Header)
        except OSError as error:
            raise UsageError(str(path), error.strerror or str(error)) from error
        except (zlib.error, msgspec.DecodeError) as error:
            raise UsageError(str(path), "not a recording of mailtop, or damaged") from error
        if header.schema != SCHEMA:
            raise UsageError(str(path), f"recorded with schema {header.schema}, read here is {SCHEMA}")

    @classmethod
    def read(cls, path: Path) -> Recording:
        """Read a file, as far as it goes; raises UsageError where it is no recording of a schema known here."""
        try:
            octets, whole = _inflated(path)
        except OSError as error:
            raise UsageError(str(path), error.strerror or str(error)) from error
        decoder = msgspec.msgpack.Decoder(Header | Entry)
        messages: list[Header | Entry] = []
        try:
            at = 0
            while at + 4 <= len(octets):
                stop = at + 4 + int.from_bytes(octets[at : at + 4])
                if stop > len(octets):
                    break
                messages.append(decoder.decode(octets[at + 4 : stop]))
                at = stop
        except msgspec.DecodeError as error:
            if not messages:
                raise UsageError(str(path), "not a recording of mailtop") from error
            raise UsageError(str(path), f"unreadable after {len(messages)} entries: {error}") from error
        if not messages or not isinstance(messages[0], Header):
            raise UsageError(str(path), "not a recording of mailtop")
        if messages[0].schema != SCHEMA:
            raise UsageError(str(path), f"recorded with schema {messages[0].schema}, read here is {SCHEMA}")
        entries = [entry for entry in messages[1:] if not isinstance(entry, Header)]
        return cls(messages[0], tuple(_complete(entries)), whole and at == len(octets))


def failure(error: AskFailed) -> Failure:
    """Return what is written down of an error."""
    return Failure(type(error).__name__, error.thing, error.reason, error.remedy)


def raised(failure: Failure | None, thing: str) -> AskFailed:
    """Return the error that was written down."""
    if failure is None:
        return NotRecorded(thing, "not recorded")
    kind = getattr(errors, failure.kind, None)
    known = kind if isinstance(kind, type) and issubclass(kind, AskFailed) else Missing
    return known(failure.thing, failure.reason, failure.remedy)


def _inflated(path: Path) -> tuple[bytes, bool]:
    """Return a gzip file's content as far as it is readable, and whether it had its end."""
    gzip = zlib.decompressobj(wbits=31)
    pieces: list[bytes] = []
    with path.open("rb") as file:
        while octets := file.read(_READ):
            try:
                pieces.append(gzip.decompress(octets))
            except zlib.error as error:
                raise UsageError(str(path), "not a recording of mailtop, or damaged") from error
    return b"".join(pieces), gzip.eof


def _complete(entries: Sequence[Entry]) -> Iterator[Entry]:
    """Put the last answer in where an entry says that it was the same."""
    last: dict[tuple[str, str, str, str], Answer] = {}
    for entry in entries:
        if isinstance(entry, Answered) and entry.failure is None:
            key = (entry.host, entry.container, entry.by, entry.ask)
            if entry.answer is None:
                if key not in last:
                    continue
                entry = msgspec.structs.replace(entry, answer=last[key])
            elif entry.answer is not None:
                last[key] = entry.answer
        yield entry
