"""What one chunk of a Postfix log says, by kind: a list of rows a kind, a plain tuple a line.

A row's text is bytes as the line has it (`Foreign` to whoever shows it), and its first field is the line's time in
whole seconds since the epoch. The four kinds that nearly every line is of are bare tuples, for what a class would cost.
"""

from __future__ import annotations

from collections import Counter
from enum import StrEnum
from typing import NamedTuple

from msgspec import Struct, field

Client = tuple[float, bytes, bytes, bytes, bytes, bytes]
"""smtpd took a message: at, id, client (`name[address]`), SASL user, original queue id, program."""

Message = tuple[float, bytes, bytes]
"""cleanup read a Message-ID: at, id, message-id without brackets (may be empty)."""

Active = tuple[float, bytes, bytes, int, int]
"""qmgr began with a message, at first and at every retry: at, id, sender (empty: null), size in bytes, recipients."""

Delivery = tuple[float, bytes, bytes, bytes, bytes, bytes, bytes, bytes, bytes, bytes, bytes]
"""One attempt for one recipient: at, id, recipient, orig_to, relay, delay, delays (`a/b/c/d`), dsn, status, reason,
program. `delay` and `delays` are seconds, as text. Address probes (deliverable, undeliverable) are not here."""

Removed = tuple[float, bytes]
"""An id's end: at, id."""


class Notice(NamedTuple):
    """bounce made a notification: `new` is its queue id, `kind` as logged: `sender non-delivery` and the like."""

    at: float
    id: bytes
    new: bytes
    kind: bytes


class Expired(NamedTuple):
    """qmgr gave a message up. `status`: `expired` or `force-expired`."""

    at: float
    id: bytes
    sender: bytes
    status: bytes


class Reject(NamedTuple):
    """A refusal by smtpd, postscreen or a milter. `code` 0, `dsn` empty where the line has none; no `id`: NOQUEUE."""

    at: float
    id: bytes
    program: bytes
    stage: bytes
    client: bytes
    code: int
    dsn: bytes
    reason: bytes
    sender: bytes
    recipient: bytes


class SaslFailure(NamedTuple):
    """A login that failed at smtpd. `user` is empty where Postfix does not name one (before 3.5)."""

    at: float
    client: bytes
    method: bytes
    user: bytes


class Pickup(NamedTuple):
    """A message from sendmail or a requeue; `original`: the id it had before `postsuper -r`, else empty."""

    at: float
    id: bytes
    uid: int
    sender: bytes
    original: bytes


class Handled(NamedTuple):
    """postsuper did something to one id. `what`: `hold`, `release`, `requeue`, `remove` or `expire`."""

    at: float
    id: bytes
    what: str


class Trouble(StrEnum):
    """Warnings that matter."""

    LIMIT = "process_limit"
    THROTTLED = "throttling"
    DIED = "process_died"
    FATAL = "fatal"
    SPACE = "no_space"
    QUEUE_FILE = "queue_file"
    LOOKUP = "lookup"
    CONGESTED = "congested"


class Alarm(NamedTuple):
    """One warning that matters, with its text."""

    at: float
    kind: Trouble
    program: bytes
    text: bytes


class Master(NamedTuple):
    """The mail system itself. `what`: `started`, `stopped` or `reloaded`."""

    at: float
    what: str
    text: bytes


class Sessions(NamedTuple):
    """Sessions of one smtpd service in which mail was taken, by how they ended: with STARTTLS, in clear, and in clear
    from private networks."""

    program: bytes
    tls: int
    clear: int
    own: int


class Batch(Struct):
    """All that a chunk says.

    Deliveries come in the order of time, other rows in order within their program. `last`: the time of
    the newest Postfix line that was kept, 0.0 where there is none.
    `foreign` lines are other programs'; `unreadable` lines are Postfix's with an id whose rest does not parse (or
    reads two ways, as a stranger's text can make it), with a few of them as `samples`. `connects` … are plain
    counts;
    `tls_relays`: to whom TLS was established; `postscreen`: its lines by their first eight bytes;
    `deleted`: messages that postsuper deleted, by its summaries (`-d ALL` names no ids).
    """

    clients: list[Client] = field(default_factory=list)
    messages: list[Message] = field(default_factory=list)
    active: list[Active] = field(default_factory=list)
    deliveries: list[Delivery] = field(default_factory=list)
    removed: list[Removed] = field(default_factory=list)
    notices: list[Notice] = field(default_factory=list)
    expired: list[Expired] = field(default_factory=list)
    rejects: list[Reject] = field(default_factory=list)
    sasl_failures: list[SaslFailure] = field(default_factory=list)
    pickups: list[Pickup] = field(default_factory=list)
    handled: list[Handled] = field(default_factory=list)
    alarms: list[Alarm] = field(default_factory=list)
    masters: list[Master] = field(default_factory=list)
    samples: list[bytes] = field(default_factory=list)
    lines: int = 0
    foreign: int = 0
    unreadable: int = 0
    connects: int = 0
    disconnects: int = 0
    tls: int = 0
    sessions: list[Sessions] = field(default_factory=list)
    tls_relays: set[bytes] = field(default_factory=set)
    postscreen: Counter[bytes] = field(default_factory=Counter)
    probes: int = 0
    deleted: int = 0
    last: float = 0.0
