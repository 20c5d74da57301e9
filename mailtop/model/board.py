"""What is measured of a service, judged and shown: metrics as they are declared, figures with a health, tables."""

from __future__ import annotations

from math import isnan

from msgspec import Struct

from mailtop.model.health import NO_DATA, Health, Reading
from mailtop.model.text import Foreign


class Metric(Struct, frozen=True):
    """One number that a probe finds, declared beside it. `name`: its sample's; `label`: two or three words.

    `unit`: `%` (the sample is a ratio, 0 … 1), `B`, `s`, or empty for a count; what only rises is shown a second.
    From `warn` and `crit` on it is so (None: never); where it `falls` to be worse, at and below them; where it must be
    `exactly` so many, anything else is crit. `means`: what it tells, a line for the documentation. `glance`: its label
    on Overview, empty where it is not there: the worst of all targets, or their sum where it `adds`.
    """

    name: str
    label: str
    unit: str = ""
    warn: float | None = None
    crit: float | None = None
    falls: bool = False
    means: str = ""
    glance: str = ""
    adds: bool = False
    exactly: float | None = None

    def health(self, value: float) -> Health:
        """Return how a value is; what is no number is not known.

        >>> used = Metric("used_ratio", "used", "%", warn=0.8, crit=0.9)
        >>> [used.health(value).value for value in (0.5, 0.8, 0.95, float("nan"))]
        ['ok', 'warn', 'crit', 'unknown']
        >>> up = Metric("up", "up", crit=0.0, falls=True)
        >>> [up.health(value).value for value in (1.0, 0.0)]
        ['ok', 'crit']
        >>> holders = Metric("vip_holders", "holders", exactly=1.0)
        >>> [holders.health(value).value for value in (0.0, 1.0, 2.0)]
        ['crit', 'ok', 'crit']
        """
        if isnan(value):
            return Health.UNKNOWN
        if self.exactly is not None and value != self.exactly:
            return Health.CRIT
        for limit, health in ((self.crit, Health.CRIT), (self.warn, Health.WARN)):
            if limit is not None and (value <= limit if self.falls else value >= limit):
                return health
        return Health.OK


class Trend(Struct, frozen=True):
    """Something that may run out: `of` names the samples that fall to 0 then, `name` the metric of the seconds until.

    `what` that is, in a word that may be left out (`inodes`). The engine finds it out, not the probe.
    """

    of: str
    name: str
    what: str = ""


class Figure(Struct, frozen=True):
    """One number as it is shown. `of`: its labels' values, in words (`/var`, `INBOX`); `metric`: its name.

    `unit` as a Metric's, `/s` where it is a rate. `reading.value` of `%` is 0 … 100.
    """

    metric: str
    label: str
    of: str = ""
    unit: str = ""
    reading: Reading = NO_DATA


class Line(Struct, frozen=True):
    """One row of a table: its texts, a stranger's all, and how it is."""

    cells: tuple[Foreign, ...]
    health: Health = Health.OK


class Table(Struct, frozen=True):
    """Rows that a probe found: sessions, filesystems, replicas. `total`: how many there are, though fewer are here.

    Columns whose title begins with `>` are set to the right.
    """

    title: str
    columns: tuple[str, ...]
    lines: tuple[Line, ...] = ()
    total: int = 0


class Block(Struct, frozen=True):
    """What one probe tells of one target. `health`: the worst of it; `note`: why it tells nothing, or not now.

    `words`: facts (a version, a mode), each one text that is ours.
    """

    target: str
    probe: str
    title: str
    health: Health
    at: float = 0.0
    stale: bool = False
    note: str = ""
    figures: tuple[Figure, ...] = ()
    words: tuple[tuple[str, str], ...] = ()
    tables: tuple[Table, ...] = ()
