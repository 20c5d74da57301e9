"""The client's side of SSH's authentication (RFC 4252, 4256), with what paramiko's lacks.

It asks whether a key would do before the key is unlocked, hears that a password has expired, and lets prompts be
answered outside paramiko's reading thread, so that a host that hangs up meanwhile is noticed.
Imports paramiko: imported itself only where a connection is made.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from typing import Any

import paramiko
from paramiko.auth_handler import AuthHandler
from paramiko.common import cMSG_USERAUTH_INFO_RESPONSE, cMSG_USERAUTH_REQUEST

from mailtop.model.errors import LoginRefused

Prompts = Sequence[tuple[str, bool]]
"""A prompt each, and whether what is typed may be seen."""

_CHECKING = 60.0  # seconds that a host may think about answers: it may be asking a telephone

_handler: Any = AuthHandler  # the stubs leave its insides out


class Signer:
    """A key as paramiko's handler wants it. `sign(words, algorithm)` returns a signature in SSH's form."""

    def __init__(self, kind: str, blob: bytes, sign: Callable[[bytes, str], Any]) -> None:
        self.public_blob = paramiko.pkey.PublicBlob(kind, blob)
        self.sign_ssh_data = sign


class Conversation(_handler):  # type: ignore[misc]  # paramiko types it as Any
    """One login on one transport. Each method returns the methods that are wanted further, () when we are in.

    Raises paramiko's AuthenticationException when this one is refused, BadAuthenticationType when it is not taken.
    """

    def __init__(self, transport: paramiko.Transport, user: str) -> None:
        super().__init__(transport)
        self._user = user
        self._news = threading.Event()
        self._query: tuple[str, bytes] | None = None
        self._would_do = False
        self._prompts: tuple[str, str, Prompts] | None = None
        self._expired = False
        inside: Any = transport
        inside.auth_handler = self

    def none(self) -> list[str]:
        """Ask what is taken, by the method that hardly anybody takes."""
        self._news.clear()
        self.auth_none(self._user, self._news)
        return self._outcome()

    def would_do(self, kind: str, blob: bytes) -> bool:
        """Would this key be taken? Nothing is signed."""
        self._query, self._would_do = (self._finalize_pubkey_algorithm(kind), blob), False
        try:
            self._news.clear()
            self.auth_publickey(self._user, None, self._news)
            self._heard()
            if not self._would_do:
                self._outcome()
            return self._would_do
        except paramiko.BadAuthenticationType:
            raise
        except paramiko.AuthenticationException:
            if not self.transport.is_active():
                raise
            return False
        finally:
            self._query = None

    def key(self, signer: Signer) -> list[str]:
        """Log in with a key or a certificate."""
        self._news.clear()
        self.auth_publickey(self._user, signer, self._news)
        return self._outcome()

    def word(self, password: str) -> list[str]:
        """Log in with a password."""
        self._expired = False
        self._news.clear()
        self.auth_password(self._user, _octets(password), self._news)
        self._heard()
        if self._expired:
            raise LoginRefused("", f"{self._user}'s password has expired", "log in by ssh, and give it a new one")
        return self._outcome()

    def interactive(self, answered: Callable[[str, str, Prompts], list[str]]) -> list[str]:
        """Log in by prompts: `answered(title, instructions, prompts)` gives an answer to each."""
        self._news.clear()
        self.auth_interactive(self._user, None, self._news)
        patience = self.transport.auth_timeout
        while True:
            self._heard(patience)
            patience = max(patience, _CHECKING)
            prompts, self._prompts = self._prompts, None
            if prompts is None:
                return self._outcome()
            answers = answered(*prompts)
            message = paramiko.Message()
            message.add_byte(cMSG_USERAUTH_INFO_RESPONSE)
            message.add_int(len(answers))
            for answer in answers:
                message.add_string(_octets(answer))
            self._news.clear()
            self.transport._send_message(message)  # noqa: SLF001

    def _heard(self, patience: float = 0.0) -> None:
        """Wait for the host's next word; `wait_for_response` tells whatever it was that did not come."""
        if not self._news.wait(patience or self.transport.auth_timeout):
            raise paramiko.AuthenticationException("Authentication timeout.")

    def _outcome(self) -> list[str]:
        more: list[str] = self.wait_for_response(self._news)
        return more

    def _parse_service_accept(self, message: paramiko.Message) -> None:
        if self._query is None:
            super()._parse_service_accept(message)
            return
        algorithm, blob = self._query
        asked = paramiko.Message()
        asked.add_byte(cMSG_USERAUTH_REQUEST)
        asked.add_string(self._user)
        asked.add_string("ssh-connection")
        asked.add_string("publickey")
        asked.add_boolean(False)
        asked.add_string(algorithm)
        asked.add_string(blob)
        self.transport._send_message(asked)  # noqa: SLF001

    def _parse_userauth_info_request(self, message: paramiko.Message) -> None:
        """Message 60, which means something else in each method."""
        if self._query is not None:
            self._would_do = True
        elif self.auth_method == "password":
            self._expired = True
        else:
            title, instructions = message.get_string(), message.get_string()
            message.get_string()  # its language
            prompts = [(message.get_string(), message.get_boolean()) for _ in range(min(message.get_int(), 16))]
            self._prompts = _text(title), _text(instructions), [(_text(words), echo) for words, echo in prompts]
        self._news.set()


def _octets(typed: str) -> bytes:
    """As it was typed, on a terminal that is not UTF-8 too."""
    return typed.encode("utf-8", "surrogateescape")


def _text(octets: bytes) -> str:
    return octets.decode("utf-8", "surrogateescape")
