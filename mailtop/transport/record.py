"""Recording: a `Source` that writes down what another one says, and hands it on."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from threading import Lock

from msgspec.structs import replace

from mailtop.model.ask import Answer, Chunk, Command, Follow, Look, Put, Sink, Source, ask_key
from mailtop.model.errors import AskFailed, Unreachable
from mailtop.transport.recording import Answered, Failure, LinkChanged, LogEnded, Logged, Piece, Write, failure


class Recorder:
    """A `Source` that writes down what another one says. `now`: seconds since the epoch, by the engine's clock."""

    def __init__(self, source: Source, host: str, write: Write, now: Callable[[], float]) -> None:
        self._source = source
        self._host = host
        self._write = write
        self._now = now
        self._order = Lock()
        self._last: dict[tuple[str, str, str], int] = {}  # a hash of each last answer
        self._up = False

    def connect(self) -> None:
        """Connect; see `Source`."""
        try:
            self._source.connect()
        except Unreachable as error:
            self._link(False, str(error))
            raise
        if not self._up:
            self._link(True)

    def ask(self, container: str, ask: Look | Put, by: str = "") -> Answer:
        """Ask, and write down the answer or why there is none."""
        began = self._now()
        what = (container, by, ask_key(ask))
        sink = ask.sink if isinstance(ask, Command) else None
        if sink is not None and isinstance(ask, Command):
            ask = replace(ask, sink=self._teed(began, what, sink))
            self._forget(what)  # its pieces are on the tape: it is never the same as the last
        try:
            answer = self._source.ask(container, ask, by)
        except AskFailed as error:
            self._answered(began, what, isinstance(ask, Put), None, failure(error))
            raise
        self._answered(began, what, isinstance(ask, Put), answer, None)
        return answer

    def follow(self, container: str, follow: Follow) -> Iterator[Chunk]:
        """Follow, and write down each chunk before it is handed on."""
        try:
            for chunk in self._source.follow(container, follow):
                self._write(Logged(self._now(), self._host, container, follow.source, chunk))
                yield chunk
        except AskFailed as error:
            self._write(LogEnded(self._now(), self._host, container, follow.source, failure(error)))
            raise
        self._write(LogEnded(self._now(), self._host, container, follow.source))

    def afford(self, thing: str) -> None:
        """See Source."""
        self._source.afford(thing)

    def alive(self) -> bool:
        """Is the connection up?"""
        alive = self._source.alive()
        if self._up and not alive:
            self._link(False, "connection lost")
        return alive

    def close(self) -> None:
        """End the connection. One that was lost before is written down as such; ours to end is no event."""
        self.alive()
        self._source.close()

    def _teed(self, began: float, what: tuple[str, str, str], sink: Sink) -> Sink:
        """Write down each piece before it is handed on."""

        def tee(octets: bytes) -> None:
            self._write(Piece(self._now(), began, self._host, *what, octets))
            sink(octets)

        return tee

    def _forget(self, what: tuple[str, str, str]) -> None:
        with self._order:
            self._last.pop(what, None)

    def _answered(
        self, began: float, what: tuple[str, str, str], put: bool, answer: Answer | None, failed: Failure | None
    ) -> None:
        with self._order:
            if answer is None:
                self._last.pop(what, None)
            else:
                said = hash((answer.stdout, answer.stderr, answer.exit, answer.cut))
                same, self._last[what] = self._last.get(what) == said, said
                answer = None if same else answer
            self._write(Answered(self._now(), began, self._host, *what, answer, failed, put))

    def _link(self, up: bool, note: str = "") -> None:
        self._up = up
        self._write(LinkChanged(self._now(), self._host, up, note))
