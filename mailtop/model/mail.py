"""Mail as Postfix knows it: queue ids, entries, deliveries."""

from __future__ import annotations

import re
from enum import StrEnum
from typing import NewType

from msgspec import Struct

from mailtop.model.errors import ParseError
from mailtop.model.text import Foreign
from mailtop.model.topology import Hop

QueueId = NewType("QueueId", str)

_QUEUE_ID = re.compile(r"[0-9A-Za-z]{6,32}")
_BASE52 = {c: i for i, c in enumerate("0123456789BCDFGHJKLMNPQRSTVWXYZbcdfghjklmnpqrstvwxyz")}


class Queue(StrEnum):
    """Postfix's queue directories, in the order of a message's life."""

    MAILDROP = "maildrop"
    INCOMING = "incoming"
    ACTIVE = "active"
    DEFERRED = "deferred"
    HOLD = "hold"
    CORRUPT = "corrupt"


class Key(Struct, frozen=True, order=True):
    """One queue entry among all hosts: the target's name (`mail1/postfix`) and the queue id there."""

    target: str
    id: QueueId


def queue_id(text: str) -> QueueId:
    """Return `text` as a queue id, or raise ParseError. `ALL`, postsuper's magic word, is none.

    >>> queue_id("4TqX2m6bYzz3F")
    '4TqX2m6bYzz3F'
    """
    if not _QUEUE_ID.fullmatch(text):
        raise ParseError("queue id", f"{text[:40]!r} is not 6 to 32 letters and digits")
    return QueueId(text)


def arrival_of(long_id: str) -> float | None:
    """Return the arrival time that a long queue id carries, in seconds since the epoch; None for a short id.

    Source: Postfix, `enable_long_queue_ids`: six characters base 52 of seconds, four of microseconds, `z`, inode.
    A short id (upper-case hex) never holds `z`.
    """
    if len(long_id) < 12 or long_id[10] != "z":
        return None
    number = 0
    for character in long_id[:10]:
        digit = _BASE52.get(character)
        if digit is None:
            return None
        number = number * 52 + digit
    seconds, micros = divmod(number, 52**4)
    return seconds + micros / 1e6 if micros < 1_000_000 else None


class QueueEntry(Struct, frozen=True):
    """One queued message. Times: seconds since the epoch. `size`: bytes. `sender` empty: the null sender.

    `reason`: why the first waiting recipient waits, empty where Postfix names none (active entries never have one).
    `hop` is None where it is not proven which hop the message waits for.
    """

    key: Key
    queue: Queue
    arrival: float
    size: int
    sender: Foreign
    recipient: Foreign
    recipients: int
    reason: Foreign = Foreign(b"")
    hop: Hop | None = None
