"""Answers to a host's own prompts (keyboard-interactive): a password that is remembered, else a person's words."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import TYPE_CHECKING

from mailtop.model.question import Asker, Kind
from mailtop.model.text import Foreign
from mailtop.transport.ssh.options import SshOptions

if TYPE_CHECKING:
    from mailtop.transport.ssh.conversation import Prompts

_CODE = re.compile(
    r"one.?time|verif|code|otp|token|oath|totp|challenge|factor|duo|option|\bnew\b|retype|change", re.IGNORECASE
)
"""What is good once, though it may be called a password; and a new password is no old one."""


class NobodyKnowsError(Exception):
    """Nobody can be asked."""


class Prompter:
    """Answers a host's prompts: a password that is remembered, else a person's words."""

    def __init__(
        self,
        asker: Asker,
        recalled: Callable[[], str | None],
        options: SshOptions,
        wrong: bool,
        wanted: Callable[[], bool],
    ) -> None:
        self._asker, self._recalled, self._wrong, self._wanted = asker, recalled, wrong, wanted
        self._account = account_of(options)
        self._place = place_of(options)
        self.given: list[tuple[str, str]] = []  # passwords and what they belong to, codes as ("", …)
        self.asked = False

    def __call__(self, title: str, instructions: str, prompts: Prompts) -> list[str]:
        return [self._answer(f"{title} {instructions}", words, echo) for words, echo in prompts]

    def right(self) -> None:
        """It was all right: remember the passwords."""
        for about, said in self.given:
            if about:
                self._asker.keep(Kind.PASSWORD, about, said)

    def wrong(self) -> None:
        """Something was wrong, and nobody says what."""
        for about, _ in self.given:
            self._asker.forget(Kind.PASSWORD, about)

    def _answer(self, before: str, words: str, echo: bool) -> str:
        kind = Kind.CODE if echo or _CODE.search(words) or "password" not in words.lower() else Kind.PASSWORD
        first = not any(known for known, _ in self.given)  # a second password is another one
        about = self._account if kind is Kind.PASSWORD and first else ""
        said = self._recalled() if about else None
        if said is None:
            asked = again(" ".join(f"{self._place}: {before} {words}".split()).rstrip(": "), self._wrong)
            said = self._asker.ask(kind, about or self._account, asked, not echo, self._wanted)
            if said is None:
                raise NobodyKnowsError
            self.asked = True
        self.given.append((about, said))
        return said


def nothing() -> None:
    """What is remembered where what was has just been wrong."""


def account_of(options: SshOptions) -> str:
    """Whose password it is. One address may be another host on another way, and by its other name in known_hosts."""
    way = account_of(options.jump) if options.jump else options.proxy_command
    account = f"{options.user}@{options.hostname}:{options.port}"
    return " ".join(part for part in (account, options.host_key_alias, way and f"by {way}") if part)


def place_of(options: SshOptions) -> str:
    """Whose password it is, as people call it."""
    return f"{options.user}@{options.destination.removeprefix('ssh://').rpartition('@')[2]}"


def again(words: str, wrong: bool | int) -> Foreign:
    """What is asked, once more where the last answer was wrong."""
    return Foreign((f"{words} (wrong; once more)" if wrong else words).encode("utf-8", "surrogateescape"))
