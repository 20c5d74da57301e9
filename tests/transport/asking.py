"""An asker by script: gives its answers one after the other, and remembers like the engine's."""

from __future__ import annotations

import base64
import hmac
from collections.abc import Callable
from time import time as wall  # noqa: TID251 - a code is one of a time

from mailtop.model.errors import Unanswered
from mailtop.model.question import Kind
from mailtop.model.text import Foreign, shown

Answer = str | Callable[[], str]
REFUSED = ""


class Script:
    """`asked`: kind and words of each question. After the last answer nobody is there any more."""

    def __init__(self, *answers: Answer) -> None:
        self.answers = list(answers)
        self.asked: list[tuple[Kind, str]] = []
        self.right: dict[tuple[Kind, str], str] = {}

    def ask(self, kind: Kind, about: str, words: Foreign, secret: bool, wanted: Callable[[], bool]) -> str | None:
        self.asked.append((kind, shown(words)))
        if not self.answers:
            return None
        answer = self.answers.pop(0)
        if answer == REFUSED:
            raise Unanswered("odd1", f"asked for {shown(words)}: not answered", "r asks again")
        return answer if isinstance(answer, str) else answer()

    def recall(self, kind: Kind, about: str) -> str | None:
        return self.right.get((kind, about))

    def keep(self, kind: Kind, about: str, answer: str) -> None:
        self.right[kind, about] = answer

    def forget(self, kind: Kind, about: str) -> None:
        self.right.pop((kind, about), None)


def code(secret: str) -> str:
    """The one-time code of now (RFC 6238): six digits, half a minute."""
    digest = hmac.digest(base64.b32decode(secret), int(wall() // 30).to_bytes(8, "big"), "sha1")
    at = digest[-1] & 15
    return f"{(int.from_bytes(digest[at : at + 4], 'big') & 0x7FFFFFFF) % 1_000_000:06}"
