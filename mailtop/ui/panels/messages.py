"""The queue message by message."""

from __future__ import annotations

from collections.abc import Sequence

from mailtop.model.mail import Queue, QueueEntry
from mailtop.model.text import shown
from mailtop.ui.figures import NONE, count, size, stamp, whole
from mailtop.ui.ink import Line, text
from mailtop.ui.table import Column
from mailtop.ui.view import Listing

_ROLES = {Queue.HOLD: "warn", Queue.ACTIVE: "accent", Queue.CORRUPT: "crit"}


def columns(now: float) -> Sequence[Column[QueueEntry]]:
    """Which, since when, from whom to whom; why and where as far as there is room."""
    return [
        Column("id", 15, lambda entry: text(entry.key.id, "title"), most=16, sort="id"),
        Column("queue", 8, lambda entry: text(entry.queue.value, _ROLES.get(entry.queue, "dim"))),
        Column("age", 6, lambda entry: text(whole(now - entry.arrival)), right=True, sort="age"),
        Column("size", 7, lambda entry: text(size(entry.size), "dim"), right=True, sort="size", rank=1),
        Column("sender", 13, lambda entry: text(_sender(entry)), most=36, sort="sender", want=20),
        Column("recipient", 14, _recipient, most=36, sort="recipient", want=20),
        Column("reason", 24, lambda entry: text(shown(entry.reason, 200), "dim"), most=100, rank=2),
        Column("hop", 7, lambda entry: text(entry.hop.value if entry.hop else NONE, "dim"), rank=3),
        Column("host", 14, lambda entry: text(entry.key.target, "dim"), most=20, rank=4),
    ]


def footer(entry: QueueEntry, now: float) -> Sequence[Line]:
    """The whole reason, and from whom to whom."""
    reason = text(shown(entry.reason, 400), "text") if entry.reason else text(f"{NONE} Postfix names no reason", "dim")
    return [
        reason,
        (
            *text(f"{_sender(entry)} → {shown(entry.recipient, 80) or NONE}", "text"),
            *text(_more(entry), "dim"),
            *text(f"   {entry.key.target}   {stamp(entry.arrival, now)}", "dim"),
        ),
    ]


def detail(entry: QueueEntry, now: float) -> Sequence[tuple[str, str]]:
    """All that is known of a message."""
    return [
        ("queue id", entry.key.id),
        ("host", entry.key.target),
        ("queue", entry.queue.value),
        ("arrived", f"{stamp(entry.arrival, now)}, {whole(now - entry.arrival)} ago"),
        ("size", size(entry.size)),
        ("sender", _sender(entry)),
        ("recipient", shown(entry.recipient) + _more(entry)),
        ("waits for", entry.hop.value if entry.hop else f"{NONE} not proven"),
        ("reason", shown(entry.reason) or f"{NONE} Postfix names none"),
    ]


def _sender(entry: QueueEntry) -> str:
    return shown(entry.sender, 80) or "<>"


def _more(entry: QueueEntry) -> str:
    return f" +{count(entry.recipients - 1)}" if entry.recipients > 1 else ""


def _recipient(entry: QueueEntry) -> Line:
    return text(shown(entry.recipient, 80) + _more(entry))


MESSAGES = Listing(
    "messages",
    title="messages",
    columns=columns,
    identity=lambda entry: entry.key,
    footer=footer,
    detail=detail,
    words=lambda entry: str(entry.key.id),
    empty="no message matches",
)
