"""The Docker Engine: what it knows, programs in its containers, and their logs, over sockets that are dialled for it.

Source: Docker Engine API, 1.24 and up.
"""

from __future__ import annotations

import re
import socket
from collections.abc import Callable, Iterator
from threading import Lock
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import msgspec

from mailtop.client.docker_get import get
from mailtop.client.docker_stream import ExecChannel, Gathering, Stream, request
from mailtop.client.docker_words import START, agreed, refusal, unreachable
from mailtop.model.ask import Chunk
from mailtop.model.errors import Garbled, LinkLost, Missing, ParseError, TimedOut
from mailtop.parse.docker_log import LogReader, Position, epoch

if TYPE_CHECKING:
    from mailtop.client.docker_api import Api

_VERSION = re.compile(r"^/v\d+\.\d+(?=/)")
PATIENCE = 10.0  # seconds for a request of our own, such as a look at a state


class State(msgspec.Struct):
    """What the Engine says of a container's run."""

    Running: bool = False
    StartedAt: str = ""


class Config(msgspec.Struct):
    """Has it a terminal? Then its streams have no frames."""

    Tty: bool = False


class Inspected(msgspec.Struct):
    """The few fields of a container that its log needs."""

    Created: str
    State: State
    Config: Config


_inspected = msgspec.json.Decoder(Inspected)  # here, once: two threads that look at a Struct first crash msgspec


class Docker:
    """One Engine. `dial` returns a new socket to it, or raises OSError or AskFailed. Thread-safe."""

    def __init__(self, dial: Callable[[], socket.socket], name: str = "docker") -> None:
        self.name = name
        self._dial = dial
        self._lock, self._agreeing = Lock(), Lock()
        self._known: Api | None = None
        self._version = ""  # as a path begins: /v1.41
        self._streams: set[Stream] = set()
        self._closed = False

    def ping(self, timeout: float = PATIENCE) -> None:
        """Ask whether it is there; raises Missing, Denied, TimedOut, LinkLost, with what to do."""
        self._get("/_ping", timeout)

    def get(self, path: str, keep: tuple[str, ...], timeout: float = PATIENCE) -> bytes:
        """GET `path`; the JSON answer with nothing but the fields of `keep` (see `model.ask.Engine`)."""
        body = self._get(self._agreed(timeout) + path, timeout)
        try:
            value = msgspec.json.decode(body)
        except msgspec.DecodeError as error:
            raise Garbled(f"{self.name}: {path}", "an answer that is not JSON") from error
        return msgspec.json.encode(kept(value, keep))

    def exec_channel(self, container: str, argv: tuple[str, ...], timeout: float = PATIENCE) -> ExecChannel:
        """Start a program in a container, with its three streams. Docker ends it for nobody: give it a deadline."""
        api = self._api(timeout)
        exec_id = api.create_exec(container, argv)
        stream = self._stream(f"{self.name}/{container}")
        try:
            path = f"{self._version}/exec/{exec_id}/start"
            first = self._asked(stream, "POST", path, b'{"Detach":false,"Tty":false}', min(timeout, START))
        except BaseException:
            self._end(stream)
            raise
        return ExecChannel(
            stream,
            first,
            argv[0],
            status=lambda _: api.exec_status(exec_id, container),
            gone=lambda: self._streams.discard(stream),
        )

    def logs(self, container: str, since: int = 0, resume: str = "", *, timed: bool = False) -> Iterator[Chunk]:
        """Follow a container's log from `resume`, else from `since` (seconds since the epoch), else from now.

        `timed`: tell each line's time.

        Ends when the container stops; raises LinkLost when the stream breaks off, and from AskFailed. A container
        that was made anew under its name goes on at the same time. The first chunk is empty and comes when the Engine
        has accepted the request: its resume point is where the log is read from, its stamp that of the newest line
        there was to read. Lines longer than 128 KiB are cut.
        """
        inspected = self._inspect(container)
        newest = self._newest(container, inspected)
        position = self._position(container, since, resume, newest)
        reader = LogReader(position, inspected.Config.Tty)
        stream = self._stream(f"{self.name}/{container}: log")
        try:
            start = position.since if position is not None else since
            path = self._log_path(container, f"&follow=1&since={start}")
            octets = self._asked(stream, "GET", path, None, PATIENCE)
            yield _accepted(position, since, newest)
            gathering = Gathering(stream)
            while True:
                lines = _fed(reader, octets, stream.thing)
                if lines:
                    yield self._chunk(reader, lines, position, inspected, timed)
                    position = None
                octets = gathering.next()
                if not octets:
                    break
            self._check_ended(container, inspected, reader)
            if lines := reader.end():
                yield self._chunk(reader, lines, position, inspected, timed)
        finally:
            self._end(stream)

    def close(self) -> None:
        """End every request and stream, from any thread: what waits raises LinkLost."""
        with self._lock:
            self._closed = True
            streams, self._streams = self._streams, set()
        for stream in streams:
            stream.close()
        if self._known is not None:
            self._known.close()

    def _get(self, path: str, timeout: float) -> bytes:
        """GET a path; over a socket of its own as long as no program was started, for the SDK is loaded then."""
        thing = f"{self.name}: {_unversioned(path)}"
        if self._known is not None:
            return self._known.get(path, thing, timeout)
        stream = self._stream(thing)
        try:
            status, body = get(stream, path, timeout)
        finally:
            self._end(stream)
        if status >= 400:
            raise refusal(stream.thing, status, body)
        return body

    def _agreed(self, timeout: float) -> str:
        """The newest version that both know, as a path begins."""
        if not self._agreeing.acquire(timeout=timeout):
            raise TimedOut(self.name, "the Engine does not say its version within the deadline")
        try:
            if not self._version:
                self._version = "/v{}.{}".format(*agreed(self.name, self._get("/version", timeout)))
            return self._version
        finally:
            self._agreeing.release()

    def _api(self, timeout: float) -> Api:
        from mailtop.client.docker_api import Api  # 100 ms

        version = self._agreed(timeout)
        with self._lock:
            if self._closed:
                raise LinkLost(self.name, "closed")
            self._known = self._known or Api(self._dial, self.name, version.removeprefix("/v"))
            return self._known

    def _stream(self, thing: str) -> Stream:
        try:
            stream = Stream(self._dial(), thing)
        except OSError as error:
            raise unreachable(self.name, error) from error
        with self._lock:
            closed = self._closed
            self._streams.add(stream)
        if closed:
            self._end(stream)
            raise LinkLost(self.name, "closed")
        return stream

    def _end(self, stream: Stream) -> None:
        self._streams.discard(stream)
        stream.close()

    def _asked(self, stream: Stream, method: str, path: str, body: bytes | None, timeout: float) -> bytes:
        status, rest = request(stream, method, path, body, timeout)
        if status >= 400:
            raise refusal(stream.thing, status, rest)
        return rest

    def _inspect(self, container: str) -> Inspected:
        body = self._get(f"{self._agreed(PATIENCE)}/containers/{quote(container, safe='')}/json", PATIENCE)
        try:
            return _inspected.decode(body)
        except msgspec.DecodeError as error:
            raise Garbled(f"{self.name}/{container}", "the Engine's description of it is not in its format") from error

    def _position(self, container: str, since: int, resume: str, newest: Position | None) -> Position | None:
        """Where to go on; None where `since` alone says it."""
        if resume:
            try:
                return Position.of(resume)
            except ParseError as error:
                raise Garbled(f"{self.name}/{container}: log", error.reason) from error
        if since:
            return None
        return Position(newest.stamp) if newest is not None else Position()

    def _newest(self, container: str, inspected: Inspected) -> Position | None:
        """Where the log's last line stands, None where it has none. The Engine reads it from the end: 5 ms."""
        last = LogReader(None, inspected.Config.Tty)
        path = self._log_path(container, "&follow=0&tail=1")
        _fed(last, self._get(path, PATIENCE), f"{self.name}/{container}: log")
        last.end()
        return last.position

    def _log_path(self, container: str, rest: str) -> str:
        path = f"{self._agreed(PATIENCE)}/containers/{quote(container, safe='')}/logs"
        return f"{path}?stdout=1&stderr=1&timestamps=1{rest}"

    def _chunk(
        self, reader: LogReader, lines: bytes, before: Position | None, inspected: Inspected, timed: bool
    ) -> Chunk:
        """`before`: the resume point, for the first chunk only."""
        assert reader.position is not None  # noqa: S101  (lines were returned)
        gap = 0.0
        if before is not None and reader.lost_until:
            made = epoch(inspected.Created.encode()[:19].ljust(19) + b".000000000Z")
            first = epoch(reader.lost_until)
            asked = epoch(before.stamp)
            gap = max(0.0, (made if asked < made < first else first) - asked)
        times = reader.times if timed else b""
        return Chunk(lines, reader.position.token, epoch(reader.position.stamp), gap, times)

    def _check_ended(self, container: str, before: Inspected, reader: LogReader) -> None:
        """The stream is over: because the container stopped, or because the connection broke?"""
        thing = f"{self.name}/{container}: log"
        if reader.cut:
            raise LinkLost(thing, "the stream ended within a frame")
        try:
            now = self._inspect(container)
        except Missing:  # removed since
            return
        if now.State.Running and before.State.Running and now.State.StartedAt == before.State.StartedAt:
            raise LinkLost(thing, "the stream ended while the container runs")


def kept(value: Any, keep: tuple[str, ...]) -> Any:
    """Return of a JSON value only what `keep` names; a dot goes into an object, lists are kept element by element.

    >>> kept([{"Id": "3048", "Env": ["PASSWORD=x"], "State": {"Health": {"Status": "ok", "Log": []}}}],
    ...      ("Id", "State.Health.Status"))
    [{'Id': '3048', 'State': {'Health': {'Status': 'ok'}}}]

    A key may hold dots itself: `Labels.com.docker.compose.service`.
    """
    if isinstance(value, list):
        return [kept(element, keep) for element in value if isinstance(element, dict | list)]
    if not isinstance(value, dict):
        return None
    inside: dict[str, list[str]] = {}
    result: dict[str, Any] = {}
    for name in keep:
        if name in value:
            result[name] = value[name]
            continue
        head, dot, rest = name.partition(".")
        while dot and head not in value:
            more, dot, rest = rest.partition(".")
            head += "." + more
        if dot and isinstance(value[head], dict | list):
            inside.setdefault(head, []).append(rest)
    for head, names in inside.items():
        result.setdefault(head, kept(value[head], tuple(names)))
    return result


def _unversioned(path: str) -> str:
    """How a request is named: without its version and query.

    >>> _unversioned("/v1.41/containers/json?all=1")
    '/containers/json'
    """
    return _VERSION.sub("", path.partition("?")[0])


def _accepted(position: Position | None, since: int, newest: Position | None) -> Chunk:
    """The log is followed from here on; without a position the resume point stays empty, and `since` says it."""
    to_come = newest is not None and newest.stamp > (position.stamp if position is not None else b"")
    stamp = epoch(newest.stamp) if newest is not None and to_come else 0.0
    return Chunk(b"", position.token if position is not None else "", stamp if stamp >= since else 0.0)


def _fed(reader: LogReader, octets: bytes, thing: str) -> bytes:
    try:
        return reader.feed(octets)
    except ParseError as error:
        raise Garbled(thing, error.reason) from error
