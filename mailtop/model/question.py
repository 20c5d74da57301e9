"""What only a person knows: a passphrase, a password, a code; and how a connection has it asked for."""

from __future__ import annotations

from collections.abc import Callable
from enum import StrEnum
from typing import Protocol

from msgspec import Struct

from mailtop.model.text import Foreign


class Kind(StrEnum):
    """What is asked for. Passphrases and passwords are good for the next connection too, a code never is."""

    PASSPHRASE = "passphrase"  # noqa: S105  (the word, not one)
    PASSWORD = "password"  # noqa: S105  (the word, not one)
    CODE = "code"


class Question(Struct, frozen=True):
    """One open question. `words` may be the host's own. `secret`: do not echo. `at`: since when it is asked."""

    id: str
    host: str
    kind: Kind
    words: Foreign
    secret: bool = True
    at: float = 0.0


class Asker(Protocol):
    """Asks for one host, from any thread, and remembers for this run only.

    `about` names what an answer belongs to: a key's path, `user@host:port`.
    """

    def ask(self, kind: Kind, about: str, words: Foreign, secret: bool, wanted: Callable[[], bool]) -> str | None:
        """Wait for an answer; None where nobody can be asked. Stops waiting when it is not `wanted` any more.

        Raises Unanswered: refused, too late, or no longer wanted.
        """

    def recall(self, kind: Kind, about: str) -> str | None:
        """What was the right answer before, if any."""

    def keep(self, kind: Kind, about: str, answer: str) -> None:
        """It was right: remember it."""

    def forget(self, kind: Kind, about: str) -> None:
        """It is right no longer."""


class Nobody:
    """An `Asker` with nobody to ask."""

    def ask(self, kind: Kind, about: str, words: Foreign, secret: bool, wanted: Callable[[], bool]) -> str | None:  # noqa: ARG002
        """See Asker."""
        return None

    def recall(self, kind: Kind, about: str) -> str | None:  # noqa: ARG002
        """See Asker."""
        return None

    def keep(self, kind: Kind, about: str, answer: str) -> None:
        """See Asker."""

    def forget(self, kind: Kind, about: str) -> None:
        """See Asker."""
