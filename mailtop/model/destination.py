"""Destinations whose delivery mailtop has changed: paused, throttled, rerouted; in force, or left half-way.

`InForce` and `UnderWay` are kept as JSON on the target, beside its configuration: so another operator's mailtop knows
of them too, and a mailtop that was killed leaves word of what it had begun.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from time import gmtime, strftime

from msgspec import Struct

from mailtop.model.errors import UsageError
from mailtop.model.text import Foreign, shown

_LABEL = r"[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?"
_DOMAIN = re.compile(rf"(?=.{{1,253}}\Z){_LABEL}(?:\.{_LABEL})*")
_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86_400}
FILES = ("main.cf", "master.cf")


class Destination(Struct, frozen=True):
    """A recipient domain on one target: the scope of acts that change how mail is delivered."""

    target: str
    domain: str


class Terms(Struct, frozen=True):
    """On which terms a destination is changed. `seconds` until it should be lifted, 0.0: nobody said.

    `relay`: where a reroute leads. `concurrency` deliveries at a time, `delay` whole seconds between two: a throttle.
    """

    seconds: float = 3600.0
    relay: str = ""
    concurrency: int = 1
    delay: int = 1


class Change(Struct, frozen=True):
    """One change of a destination, and all that belongs to it in Postfix's configuration.

    `service`: the clone in master.cf, `line` its whole line. `row`: the table of one row in `transport_maps`.
    `settings` are the clone's own. `deferred`: it is named in `defer_transports`. `until`: 0.0 where nobody said.
    """

    action: str
    domain: str
    service: str
    line: str
    row: str
    settings: tuple[tuple[str, str], ...]
    deferred: bool
    by: str
    at: float
    until: float = 0.0


class Hashes(Struct, frozen=True):
    """SHA-256 of both files, in hex."""

    main: str
    master: str


class InForce(Struct, frozen=True, tag="in force"):
    """What is in force on a target. `before`: the files before the first change; `left`: as the last one left them.

    `exact`: the saved files are those before the first change. Not so where somebody else edited in between.
    """

    before: Hashes
    left: Hashes
    exact: bool
    changes: tuple[Change, ...]


class UnderWay(Struct, frozen=True, tag="under way"):
    """A change that has begun. `was` and `will`: both files before and after; no `will`: nothing live was touched yet.

    `order`: in which the files are replaced. `drops`: nothing is in force afterwards.
    """

    action: str
    domain: str
    by: str
    at: float
    order: tuple[str, ...]
    was: Hashes
    will: Hashes | None = None
    drops: bool = False


class Standing(Struct, frozen=True):
    """One change on one target, for a face: in force, or left `half_way` by a mailtop that ended in the middle."""

    target: str
    domain: str
    action: str
    by: str
    at: float
    until: float = 0.0
    half_way: bool = False

    def overdue(self, now: float) -> bool:
        """Should it have been lifted by now?"""
        return bool(self.until) and now >= self.until

    @property
    def words(self) -> str:
        """`bigmail.test is paused`; whole words for a line."""
        if self.half_way:
            what = self.action.rpartition(".")[2] or "change"
            return f"{self.domain or 'a destination'}: a {what} was begun and not finished"
        return f"{self.domain} is {STATES.get(self.action, 'changed')}"

    def told(self, now: float) -> str:
        """What it is, by whom, and until when: a line for people, times in UTC."""
        end = strftime("%Y-%m-%d %H:%M UTC", gmtime(self.until)) if self.until else ""
        late = ", overdue" if self.overdue(now) else ""
        return " ".join(filter(None, (self.words, self.by and f"by {self.by}", end and f"until {end}{late}")))

    def __str__(self) -> str:
        return f"{self.words} by {self.by or 'nobody knows whom'}, at {self.at:.0f}, until {self.until:.0f}"


class Standings(Struct, frozen=True):
    """All that is in force on one target, or left half-way; none is a finding too."""

    changes: tuple[Standing, ...] = ()

    def __str__(self) -> str:
        return "; ".join(map(str, self.changes)) or "no destination is changed"


STATES = {
    "destination.pause": "paused",
    "destination.throttle": "throttled",
    "destination.reroute": "rerouted",
}


def seconds_of(text: str) -> float:
    """Return how long `30m`, `1h`, `2d` is; 0.0 for `ever`, where nobody says. Raises UsageError for anything else.

    >>> seconds_of("90m"), seconds_of("ever")
    (5400.0, 0.0)
    """
    words = text.strip().lower()
    if words in ("ever", "0"):
        return 0.0
    number, unit = words[:-1], _UNITS.get(words[-1:])
    if unit is None or not (number.isascii() and number.isdigit()) or not 0 < int(number) * unit <= 366 * 86_400:
        raise UsageError(f"time {text[:20]!r}", "is none, or more than a year", "as in 30m, 1h, 2d, or ever")
    return float(int(number) * unit)


def domain_of(text: str | Foreign) -> str:
    """Return a recipient domain as Postfix looks it up; raises UsageError for what is none.

    >>> domain_of("BigMail.test")
    'bigmail.test'
    """
    words = shown(text, 300) if isinstance(text, bytes) else text
    domain = words.strip().lower()
    if not words.isascii() or not _DOMAIN.fullmatch(domain):  # the Kelvin sign's small letter is a k
        raise UsageError(f"domain {words[:60]!r}", "is no recipient domain", "name one as in bigmail.test (IDN: xn--…)")
    return domain


def paused(standings: Iterable[Standing], target: str, domain: Foreign | str) -> Standing | None:
    """The pause of a recipient domain on a target, None where there is none.

    Retry and flush go straight through `defer_transports`: while a destination is paused, they are refused for it.
    """
    name = (shown(domain) if isinstance(domain, bytes) else domain).lower()
    for standing in standings:
        if (standing.target, standing.domain) == (target, name) and standing.action == "destination.pause":
            return standing
    return None
