"""An SSH agent's keys, asked for with a limit: a forwarded agent may well be dead.

Protocol: draft-miller-ssh-agent: a length of four bytes and a message each way.
"""

from __future__ import annotations

import os
import socket

from msgspec import Struct

from mailtop.transport.deadline import Deadline

_REQUEST_IDENTITIES, _IDENTITIES, _SIGN, _SIGNATURE = 11, 12, 13, 14
_LARGEST = 1 << 20  # bytes of one answer


class Identity(Struct, frozen=True):
    """One key or certificate that the agent holds."""

    blob: bytes
    comment: str


class Agent:
    """One connection to an agent. Every call raises OSError where it says no, or nothing for `timeout` seconds.

    One that has failed to answer is not asked again: its late answer would be taken for that to the next question.
    """

    def __init__(self, path: str, timeout: float) -> None:
        self._timeout = timeout
        self._stream = socket.socket(socket.AF_UNIX)
        try:
            self._stream.settimeout(timeout)
            self._stream.connect(path)
        except OSError:
            self._stream.close()
            raise

    def identities(self) -> tuple[Identity, ...]:
        """What it holds."""
        answer = self._asked(bytes([_REQUEST_IDENTITIES]), _IDENTITIES)
        count, at = int.from_bytes(answer[1:5], "big"), 5
        found = []
        for _ in range(count):
            blob, at = _string(answer, at)
            comment, at = _string(answer, at)
            found.append(Identity(blob, comment.decode("utf-8", "replace")))
        return tuple(found)

    def sign(self, blob: bytes, words: bytes, algorithm: str) -> bytes:
        """Return its signature by one of its keys."""
        flags = 4 if "sha2-512" in algorithm else 2 if "sha2-256" in algorithm else 0
        answer = self._asked(bytes([_SIGN]) + _put(blob) + _put(words) + flags.to_bytes(4, "big"), _SIGNATURE)
        return _string(answer, 1)[0]

    def close(self) -> None:
        """End the connection to it."""
        self._stream.close()

    def _asked(self, message: bytes, expected: int) -> bytes:
        try:
            answer = self._exchanged(message, Deadline(self._timeout))
        except OSError:
            self._stream.close()
            raise
        if answer[0] != expected:
            raise OSError("it refused")
        return answer

    def _exchanged(self, message: bytes, deadline: Deadline) -> bytes:
        self._stream.settimeout(self._timeout)
        self._stream.sendall(_put(message))
        size = int.from_bytes(self._read(4, deadline), "big")
        if not 0 < size <= _LARGEST:
            raise OSError("it does not speak the agent's protocol")
        return self._read(size, deadline)

    def _read(self, size: int, deadline: Deadline) -> bytes:
        octets = b""
        while len(octets) < size:
            self._stream.settimeout(max(deadline.left(), 0.001))
            piece = self._stream.recv(size - len(octets))
            if not piece:
                raise OSError("it hung up")
            octets += piece
        return octets


def agent_path(named: str) -> str:
    """Where the agent listens: IdentityAgent's path or `$VARIABLE`, else $SSH_AUTH_SOCK; empty for none."""
    if named == "none":
        return ""
    if named.startswith("$"):
        return os.environ.get(named.removeprefix("$").strip("{}"), "")
    return named or os.environ.get("SSH_AUTH_SOCK", "")


def _put(octets: bytes) -> bytes:
    return len(octets).to_bytes(4, "big") + octets


def _string(octets: bytes, at: int) -> tuple[bytes, int]:
    end = at + 4 + int.from_bytes(octets[at : at + 4], "big")
    if end > len(octets):
        raise OSError("its answer breaks off")
    return octets[at + 4 : end], end
