"""What an Engine says of itself and of what it refuses, and what it means when its socket cannot be dialled."""

from __future__ import annotations

import msgspec

from mailtop.model.errors import AskFailed, CommandFailed, Denied, Garbled, LinkLost, Missing, TimedOut
from mailtop.model.text import Foreign

OLDEST, NEWEST = (1, 24), (1, 45)  # what this was written for; an Engine that has both is spoken to in NEWEST
START = 4  # seconds for each of the two steps of starting a program; 0.1 is usual


class _Versions(msgspec.Struct):
    ApiVersion: str
    MinAPIVersion: str = "1.12"


_versions = msgspec.json.Decoder(_Versions)  # here, once: two threads that look at a Struct first crash msgspec


def agreed(thing: str, body: bytes) -> tuple[int, int]:
    """The newest version that both know, by an answer to `/version`; raises Garbled, Missing."""
    try:
        engine = _versions.decode(body)
        newest, oldest = _version(engine.ApiVersion), _version(engine.MinAPIVersion)
    except (msgspec.DecodeError, ValueError) as error:
        raise Garbled(thing, "what answers is no Docker Engine") from error
    if newest < OLDEST:
        raise Missing(thing, f"its API {engine.ApiVersion} is older than 1.24", "upgrade Docker")
    return max(min(newest, NEWEST), oldest)


def refusal(thing: str, status: int, body: bytes) -> AskFailed:
    """What an HTTP status of 400 and more means."""
    try:
        said: bytes = msgspec.json.decode(body, type=dict[str, str])["message"].encode()
    except (msgspec.DecodeError, KeyError):
        said = body.strip()[:300] or b"HTTP status %d" % status
    if status in (401, 403):
        return Denied(thing, Foreign(said))
    if status == 404:
        return Missing(thing, Foreign(said))
    if b"is paused" in said:
        return CommandFailed(thing, "the container is paused", "docker unpause lets it go on")
    if b"is not running" in said:
        return CommandFailed(thing, "the container is not running")
    if b"is restarting" in said:
        return CommandFailed(thing, "the container is restarting")
    if status == 501 or b"does not support reading" in said:
        return Missing(thing, Foreign(said), "set a logging driver that can be read: json-file, local or journald")
    return CommandFailed(thing, Foreign(said))


def unreachable(thing: str, error: OSError) -> AskFailed:
    """Why the Engine's socket cannot be dialled."""
    if isinstance(error, PermissionError):
        return Denied(thing, "permission denied on the Engine's socket", "add the user to group docker")
    if isinstance(error, FileNotFoundError):
        return Missing(thing, "the Engine's socket is not there", "install and start Docker, or set docker = false")
    if isinstance(error, ConnectionRefusedError):
        return Missing(thing, "nothing listens on the Engine's socket", "start Docker: systemctl start docker")
    if isinstance(error, TimeoutError):
        return TimedOut(thing, "the Engine's socket takes no connection")
    return LinkLost(thing, error.strerror or str(error))


def _version(text: str) -> tuple[int, int]:
    major, _, minor = text.partition(".")
    return int(major), int(minor)
