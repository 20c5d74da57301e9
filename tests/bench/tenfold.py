"""This machine as several hosts: the real connections, shells and Engine, each under another identity.

A machine, or an Engine, that goes by two names is watched once: so each copy answers as one of its own.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from msgspec.structs import replace

from mailtop.config import HostSettings
from mailtop.engine.sources import live
from mailtop.model.ask import Answer, Chunk, Command, Engine, Follow, Look, Put, Source


class Copy:
    """A `Source`: this machine, with the name of a copy behind whatever tells it apart."""

    def __init__(self, name: str) -> None:
        self._name = name.encode()
        self._source: Source = live(name, HostSettings())()

    def connect(self) -> None:
        """See Source."""
        self._source.connect()

    def afford(self, thing: str) -> None:
        """See Source."""
        self._source.afford(thing)

    def alive(self) -> bool:
        """See Source."""
        return self._source.alive()

    def close(self) -> None:
        """See Source."""
        self._source.close()

    def follow(self, container: str, follow: Follow) -> Iterator[Chunk]:
        """See Source."""
        return self._source.follow(container, follow)

    def ask(self, container: str, ask: Look | Put, by: str = "") -> Answer:
        """See Source; who it is, is the copy's own."""
        answer = self._source.ask(container, ask, by)
        if isinstance(ask, Engine) and ask.path == "/info":
            return replace(answer, stdout=answer.stdout.replace(b'"ID":"', b'"ID":"' + self._name))
        if isinstance(ask, Command) and "/etc/machine-id" in ask.argv:
            return replace(answer, stdout=b"\n".join(line + self._name for line in answer.stdout.splitlines()) + b"\n")
        return answer


def copy(name: str) -> Callable[[], Source]:
    """What makes one copy of this machine."""
    return lambda: Copy(name)
