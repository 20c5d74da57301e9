"""Mail as it flows: rates, delay stages, TLS, and who is behind it, of one Postfix or of all together."""

from __future__ import annotations

from msgspec import Struct

from mailtop.model.text import Foreign
from mailtop.model.topology import Hop

TREND = 30
"""Minutes that a trend tells of."""


class Stream(Struct, frozen=True):
    """Messages, never attempts, of one kind: `accepted`, `submitted`, `sent`, `mailbox`, `rejected`, `deferred`,
    `bounced`; or of a hop that is no mail: `filter`, `archive`.

    `minute`, `five`, `hour`: messages a second over so long, None where it is not known. `total`: in the hour.
    `trend`: a number for each of the last whole minutes, oldest first; None before
    the log begins.
    """

    name: str
    minute: float | None
    five: float | None
    hour: float | None
    total: int
    trend: tuple[int | None, ...] = ()


class Delay(Struct, frozen=True):
    """The delays of attempts at one hop in the last ten minutes, in seconds: (p50, p95) of each stage.

    `a` before the queue manager, `b` in it, `c` connecting, `d` transmitting; `bcd` is what an attempt takes.
    `retry`: attempts for mail that had been tried before; their `a` and `b` hold the waiting.
    """

    hop: Hop
    retry: bool
    a: tuple[float, float]
    b: tuple[float, float]
    c: tuple[float, float]
    d: tuple[float, float]
    bcd: tuple[float, float]


class Share(Struct, frozen=True):
    """So many of so many in the last hour: `in`, `submission`, `out` with TLS; `failing` of the mail that was tried.

    `of` 0: there was none, and no share. `own`: those from own networks, which are counted apart.
    """

    name: str
    part: int
    of: int
    own: int = 0


class Ranked(Struct, frozen=True):
    """One row of what is most in the last hour. `table`: `senders`, `users`, `clients`, `destinations`, `refused`
    (clients), `reasons`, `logins` (that failed, by address), `guessed` (by user), `postscreen` or `warnings`.

    `count`: messages, or events; of a destination, recipients that it took, with those `deferred` and `bounced`, and
    when it last took one.
    """

    table: str
    name: Foreign
    count: int
    deferred: int = 0
    bounced: int = 0
    last: float = 0.0


class Flow(Struct, frozen=True):
    """What the logs tell of the last hour. `unknown`: whose part is missing, and why."""

    streams: tuple[Stream, ...] = ()
    delays: tuple[Delay, ...] = ()
    shares: tuple[Share, ...] = ()
    ranks: tuple[Ranked, ...] = ()
    unknown: str = ""
