"""All that a face is given: one frozen Snapshot per tick, and Pages on request."""

from __future__ import annotations

from enum import StrEnum

from msgspec import Struct

from mailtop.model.alerts import Alert as Alert
from mailtop.model.alerts import Noted
from mailtop.model.board import Block, Figure
from mailtop.model.destination import Standing
from mailtop.model.flow import Flow
from mailtop.model.health import NO_DATA as NO_DATA
from mailtop.model.health import Health as Health
from mailtop.model.health import Reading as Reading
from mailtop.model.log import LogPage, LogWindow
from mailtop.model.mail import QueueEntry
from mailtop.model.operation import Receipt
from mailtop.model.question import Question
from mailtop.model.text import Foreign
from mailtop.model.topology import Hop, Role

SKEW_WARN, SKEW_CRIT = 2.0, 30.0  # seconds between a host's clock and ours


class Link(StrEnum):
    """The state of one host's connection."""

    CONNECTING = "connecting"
    UP = "up"
    DOWN = "down"


class Cell(Struct, frozen=True):
    """One figure of a host: `load`, `memory`, a filesystem by its mount point. `unit`: `%`, `B`, `s` or empty.

    The reading's `note` says more in a few words (`19 d` to full).
    """

    name: str
    reading: Reading
    unit: str = ""


class HostState(Struct, frozen=True):
    """One host's connection. `note` is the error's line while it is down; `retry_at`: when the next try is due.

    `cells`: its load and disks, the most telling first. `ahead`: seconds that its clock is ahead of ours, negative
    where it is behind, 0.0 as long as nothing proves either; all times in a snapshot are by our clock.
    """

    name: str
    link: Link
    since: float
    note: str = ""
    retry_at: float = 0.0
    cells: tuple[Cell, ...] = ()
    ahead: float = 0.0

    @property
    def clock(self) -> Health:
        """How its clock is: rates and ages are corrected for it, but certificates, replicas and people's eyes are not.

        >>> [HostState("mail1", Link.UP, 0.0, ahead=seconds).clock.value for seconds in (0.0, 2.0, -2.5, 60.0)]
        ['ok', 'ok', 'warn', 'crit']
        """
        wrong = abs(self.ahead)
        return Health.CRIT if wrong > SKEW_CRIT else Health.WARN if wrong > SKEW_WARN else Health.OK


class ProbeState(Struct, frozen=True):
    """One probe on one target: when it last succeeded, how long it took (seconds), and why it fails.

    `tried`: when it last ran at all, 0.0 = not yet. `aside`: for a screen of its own: whoever wants the queue does not
    wait for it.
    """

    target: str
    probe: str
    health: Health
    last_ok: float = 0.0
    took: float = 0.0
    every: float = 0.0
    note: str = ""
    tried: float = 0.0
    aside: bool = False


class TargetState(Struct, frozen=True):
    """A target with what is known of it. `state`: Docker's word (running, paused, exited …) or empty."""

    name: str
    host: str
    roles: tuple[Role, ...]
    health: Health
    state: str = ""
    note: str = ""


class HopState(Struct, frozen=True):
    """One hop over all hosts. `rate` mail/s, `p95` and `oldest` seconds, `growth` messages in ten minutes.

    `last_success`: how many seconds ago the hop last succeeded.

    `failing`: the leading trouble in a few words, empty where there is none. `hosts`: (host, health) in the
    platform's order. `note`: why the row is empty, where it is (not watched yet, no such role).
    """

    hop: Hop
    rate: Reading
    p95: Reading
    active: Reading
    deferred: Reading
    growth: Reading
    oldest: Reading
    last_success: Reading
    failing: str = ""
    hosts: tuple[tuple[str, Health], ...] = ()
    note: str = ""


class LogState(Struct, frozen=True):
    """One followed log. `unreadable` lines are counted, never hidden; `gap` in seconds that no source had any more.

    `gap_at`: when the last gap was found, 0.0 = there is none. `lost`: lines that the source says it did not keep.
    """

    target: str
    source: str
    health: Health
    lines: int = 0
    unreadable: int = 0
    gap: float = 0.0
    last_at: float = 0.0
    note: str = ""
    gap_at: float = 0.0
    lost: int = 0


class QueueState(Struct, frozen=True):
    """One Postfix's queue: messages by queue directory, and the age of what is known.

    `counts`: (queue, Reading). `oldest`: seconds. `listed`: how many entries the last full listing held, and
    `listed_at` when; `listing` 0.0…1.0 while one runs, else None. `bytes` over the last full listing.
    """

    target: str
    counts: tuple[tuple[str, Reading], ...]
    oldest: Reading
    listed: int = 0
    listed_at: float = 0.0
    listing: float | None = None
    bytes: int = 0
    note: str = ""


class Snapshot(Struct, frozen=True):
    """The whole platform at one moment.

    `destinations`: those that mailtop has changed, or left half-way. `glance`: a figure each of what services measure,
    over all targets; `of` names the target where it is the worst one's.
    `versions` maps a page kind (`causes`, `shape`, `messages`) to a number that grows when its content changed.
    `unlocked_until`: 0.0 in OBSERVE. `read_only` cannot be unlocked.
    `replay`: the speed factor, 0.0 live; `played`: how many seconds of the recording, of how many.
    `vip` and `writes`: which host holds the VIP, and where the database is writable; empty while nobody knows.
    `answering`: probes that are well, and were left out of `probes` on the way to a face.
    """

    seq: int
    at: float
    platform: str
    colour: str = ""
    hosts: tuple[HostState, ...] = ()
    targets: tuple[TargetState, ...] = ()
    probes: tuple[ProbeState, ...] = ()
    answering: int = 0
    logs: tuple[LogState, ...] = ()
    hops: tuple[HopState, ...] = ()
    queues: tuple[QueueState, ...] = ()
    alerts: tuple[Alert, ...] = ()
    questions: tuple[Question, ...] = ()
    receipts: tuple[Receipt, ...] = ()
    destinations: tuple[Standing, ...] = ()
    glance: tuple[Figure, ...] = ()
    versions: dict[str, int] = {}
    interval: float = 1.0
    read_only: bool = False
    unlocked_until: float = 0.0
    replay: float = 0.0
    played: tuple[float, float] = (0.0, 0.0)
    recording: bool = False
    paused: bool = False
    vip: str = ""
    vip_health: Health = Health.UNKNOWN
    writes: str = ""
    writes_health: Health = Health.UNKNOWN


class PageAsk(Struct, frozen=True):
    """A window on something too long for a snapshot.

    `kind`: `causes`, `shape`, `messages`, `flow`, `logs`, `alerts`, or `board` with a screen in `where`. Else `where`
    is a filter as typed (`sender:ann`, words, `!`, `~`). `cause` and `domain` narrow to one cause's messages, or one
    recipient domain's to the letter (None: any). `sort`: a column's name; `-` before it turns it round; empty = the
    kind's own order. `window`: which log lines, for `logs`.
    """

    kind: str
    target: str = ""
    where: str = ""
    cause: str = ""
    domain: Foreign | None = None
    sort: str = ""
    offset: int = 0
    limit: int = 200
    window: LogWindow | None = None


class Cause(Struct, frozen=True):
    """Mail that waits, or bounced, for one reason at one next hop from one sender.

    `id` is stable while the cause lives. `reason` is normalised (addresses, ids and numbers out), `code` its enhanced
    status. `deferred`, `active`, `held` are messages now, `bounced` messages in the last hour, `growth` messages in
    ten minutes. `sender`: the leading one, with `senders` counting all; times are seconds since the epoch.
    `next_hop` empty: the row gathers `next_hops` of them, each too small for a row of its own.
    """

    id: str
    target: str
    hop: Hop | None
    reason: Foreign
    code: str
    next_hop: Foreign
    sender: Foreign
    senders: int
    deferred: int
    active: int = 0
    held: int = 0
    bounced: int = 0
    growth: int = 0
    oldest: float = 0.0
    first_seen: float = 0.0
    next_hops: int = 1


class Shape(Struct, frozen=True):
    """One recipient domain: messages by age, as qshape's buckets (limits in minutes in `AGES`)."""

    domain: Foreign
    total: int
    buckets: tuple[int, ...]


AGES = (5, 10, 20, 40, 80, 160, 320, 640, 1280)
"""Upper limits of the age buckets in minutes; the last bucket holds all that is older."""


class Page(Struct, frozen=True):
    """One window: rows of one kind, or the log. `total` counts all that match, `at` when it was true.

    `known` says what the rows rest on: `listing`, `cut` (one that broke off), `log` (the shadow queue) or `sample`.
    `unknown` says why rows are missing, or may be; without it, no rows means no mail.
    """

    ask: PageAsk
    version: int
    total: int
    at: float
    known: str = "listing"
    unknown: str = ""
    causes: tuple[Cause, ...] = ()
    shapes: tuple[Shape, ...] = ()
    messages: tuple[QueueEntry, ...] = ()
    log: LogPage | None = None
    flow: Flow | None = None
    blocks: tuple[Block, ...] = ()
    alerts: tuple[Noted, ...] = ()


class Series(Struct, frozen=True):
    """Values of one series at equal steps, oldest first; None where nothing was measured. `step` in seconds."""

    key: str
    start: float
    step: float
    values: tuple[float | None, ...]
