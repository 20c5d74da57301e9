"""One queue id's page in the book, and what others may see of it."""

from __future__ import annotations

from msgspec import Struct

from mailtop.ledger.reasons import Group
from mailtop.model.mail import QueueId
from mailtop.model.text import Foreign
from mailtop.model.topology import Hop
from mailtop.parse.batch import Delivery

UNKNOWN, SMTPD, SUSPECT, REINJECTED, LOCAL, REQUEUED, NOTICE, IGNORED = range(8)
"""How an id came into the queue: its beginning is not in the log (UNKNOWN); accepted by smtpd; by smtpd from where
the filter may be, so accepted or re-injected (SUSPECT); from sendmail; by `postsuper -r`; a bounce notification of
our own; a probe or monitor. Numbers, not an enum: the hot path compares one a line."""

SENT, DEFERRED, BOUNCED, EXPIRED, DISCARDED, FORWARDED, SOFTBOUNCE, OTHER = range(8)
STATUSES = ("sent", "deferred", "bounced", "expired", "discarded", "forwarded", "softbounce", "other")
"""What became of one attempt. Discarded: `sent`, to a filter that threw it away. Forwarded: `sent`, by local(8) as a
new message. Softbounce: it would have bounced but for `soft_bounce`, and waits."""


class Entry(Struct, gc=False):
    """What is known of one id. `gc=False`: it never holds a cycle, and a million of them cost the collector nothing.

    `waiting`: recipients that were deferred; `done`: how many are finished. `marks`: a bit per hop and status that
    the message has been counted under. `last` is the last attempt's row, `busy` when qmgr last began with it.
    """

    arrival: float
    origin: int
    client: bytes = b""
    user: bytes = b""
    sender: bytes = b""
    size: int = 0
    recipients: int = 0
    done: int = 0
    marks: int = 0
    busy: float = 0.0
    last: Delivery | None = None
    hop: int = -1
    status: int = OTHER
    waiting: set[bytes] | None = None
    cause: Group | None = None
    bounced: Group | None = None
    held: bool = False
    next: bytes = b""
    ended: float = 0.0


class Shadow(Struct, frozen=True):
    """A queued message as the log knows it. Times: seconds since the epoch; `size` bytes; `sender` empty: null.

    `hop`: what it waits for, None where not proven. `outstanding`: recipients not finished, None where the log does
    not say how many there are. `user`: the SASL login. `last_at` 0.0: no attempt yet. `deferred`: it waits for a
    retry; else it is active or fresh. `held`: postsuper said so. `known`: its beginning is in the log.
    """

    id: QueueId
    arrival: float
    sender: Foreign
    size: int
    recipients: int
    outstanding: int | None
    hop: Hop | None
    recipient: Foreign
    relay: Foreign
    reason: Foreign
    code: str
    last_at: float
    deferred: bool
    held: bool
    known: bool
    user: Foreign
    client: Foreign


class LastDelivery(Struct, frozen=True):
    """The last attempt for one id: what the receipts rest on. `status` as in `postfix_deliveries_total`."""

    at: float
    recipient: Foreign
    hop: Hop
    status: str
    relay: Foreign
    reason: Foreign


def shadow(id_: QueueId, entry: Entry, hop: Hop | None) -> Shadow:
    """Return what others may see of an entry; `hop`: what it waits for."""
    last = entry.last
    waits = bool(entry.waiting) and last is not None
    return Shadow(
        id=id_,
        arrival=entry.arrival,
        sender=Foreign(entry.sender),
        size=entry.size,
        recipients=entry.recipients,
        outstanding=max(0, entry.recipients - entry.done) if entry.recipients else None,
        hop=hop,
        recipient=Foreign(last[2] if last else b""),
        relay=Foreign(last[4] if last else b""),
        reason=Foreign(last[9] if last and waits else b""),
        code=last[7].decode("ascii", "replace") if last and waits else "",
        last_at=last[0] if last else 0.0,
        deferred=waits and last is not None and last[0] >= entry.busy,
        held=entry.held,
        known=entry.origin != UNKNOWN,
        user=Foreign(entry.user),
        client=Foreign(entry.client),
    )
