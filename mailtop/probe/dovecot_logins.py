"""Who logged in and who failed to or was one too many, what went wrong: from Dovecot's log, 2.3 and 2.4.

A login: `imap-login: Info: Login: user=<…>` (2.3), `… Logged in: user=<…>` (2.4). A failure: `Disconnected: … (auth
failed, N attempts in S secs): user=<…>` or `Aborted login …` (2.3), `Login aborted: … (auth_failed): user=<…>` (2.4).
What is said before the colon is Dovecot's own; names and addresses behind it are strangers'. Source: dovecot's login
process, `login_log_format` as shipped.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from mailtop.metrics.lately import Lately
from mailtop.model.board import Line
from mailtop.model.sample import Sample
from mailtop.model.snapshot import Health
from mailtop.model.text import Foreign
from mailtop.model.topology import Role
from mailtop.probe import Board, Found, Listener, Metric, Table

WINDOW = 300.0
"""Seconds over which all is counted."""
FROM_ONE, FROM_ALL = 20, 100
"""Failures from one address, and from all, in the window: from there on it is worth a look."""
TOP = 10  # addresses that are shown

_STAMP = rb"(?:\w{3} +\d+ [\d:.]+ |[\dT:.+-]{19,32} )?(?:\S+ )?(?:dovecot(?:\[\d+\])?: )?"
_LOGIN = re.compile(_STAMP + rb"(\w+)-login: (?:Info: )?(.*)", re.DOTALL)
_OK = re.compile(rb"(?:Login|Logged in): user=<([^>]{0,255})>")
_FAILED = re.compile(
    rb"(?:Disconnected|Aborted login|Login aborted)[^<]{0,200}?\(auth failed, (\d{1,4}) attempts[^<]{0,200}: "
    rb"user=<([^>]{0,255})>"
)
_FROM = re.compile(rb", rip=([0-9A-Fa-f.:]{2,45})[,\s]")
_LIMIT = re.compile(rb"service\(([\w-]{1,40})\): process_limit \(\d+\) reached")
_CLIENTS = re.compile(rb"service\(([\w-]{1,40})\): client_limit \(\d+\) reached")
_TROUBLE = re.compile(_STAMP + rb"(?:[^:<]{1,60}(?:<[^>]*>){0,2}: )?(Error|Fatal|Panic): ")
_LOCK = re.compile(
    rb"[Ll]ock(?:ed|ing)?\b.{0,200}(?:timed? ?out|failed|stale|after \d+ sec)|[Tt]ime(?:d )?out.{0,80} lock\b"
    rb"|\bcorrupted\b|Corrupted |: Broken file ",
    re.DOTALL,
)
_TOO_MANY = re.compile(
    rb"(?:Disconnected: |Login aborted: )?Maximum number of connections from user\+IP exceeded [^<]{0,200}: "
    rb"user=<([^>]{0,255})>"
)


class Logins:
    """What one Dovecot has said lately."""

    def __init__(self) -> None:
        self._counts: Lately[str] = Lately(WINDOW)
        self._failed: Lately[tuple[bytes, bytes]] = Lately(WINDOW)
        self._too_many: Lately[tuple[bytes, bytes]] = Lately(WINDOW)

    def read(self, lines: Sequence[bytes], times: Sequence[float]) -> None:
        """See Listening."""
        for line, at in zip(lines, times, strict=True):
            if login := _LOGIN.match(line):
                self._login(login[2], at)
            if _LIMIT.search(line) or _CLIENTS.search(line):
                self._counts.add(at, "limit")
            elif _TROUBLE.match(line):
                self._counts.add(at, "lock" if _LOCK.search(line) else "error")

    def _login(self, said: bytes, at: float) -> None:
        if _OK.match(said):
            self._counts.add(at, "ok")
        elif failed := _FAILED.match(said):
            address = _FROM.search(said, failed.end())
            number = int(failed[1])
            self._counts.add(at, "failed", number)
            self._failed.add(at, (address[1] if address else b"", failed[2]), number)
        elif refused := _TOO_MANY.match(said):
            address = _FROM.search(said, refused.end())
            self._too_many.add(at, (refused[1], address[1] if address else b""))

    def found(self, now: float) -> Iterable[Found]:
        """See Listening."""
        counts, failed = self._counts.sums(now), self._failed.sums(now)
        by_address: dict[bytes, int] = {}
        users: dict[bytes, set[bytes]] = {}
        for (address, user), number in failed.items():
            by_address[address] = by_address.get(address, 0) + number
            users.setdefault(address, set()).add(user)
        for name in ("ok", "failed"):
            yield Sample("dovecot_logins", counts[name], (("result", name),))
        yield Sample("dovecot_failed_logins", counts["failed"])
        yield Sample("dovecot_failed_of_one", max(by_address.values(), default=0))
        too_many = self._too_many.sums(now)
        yield Sample("dovecot_user_limit_refusals", too_many.total())
        yield Sample("dovecot_limits_reached", counts["limit"])
        yield Sample("dovecot_lock_errors", counts["lock"])
        yield Sample("dovecot_errors", counts["error"])
        if by_address:
            top = sorted(by_address.items(), key=lambda one: -one[1])[:TOP]
            lines = tuple(_line(address, number, users[address]) for address, number in top)
            yield Table("failed logins", ("address", ">failed", ">users", "for example"), lines, len(by_address))
        if too_many:
            lines = tuple(
                Line((Foreign(user), Foreign(address), Foreign(b"%d" % number)), Health.WARN)
                for (user, address), number in too_many.most_common(TOP)
            )
            yield Table("at mail_max_userip_connections", ("user", "address", ">refused"), lines, len(too_many))


def _line(address: bytes, number: int, users: set[bytes]) -> Line:
    example = min(users)
    cells = (address or b"unknown", b"%d" % number, b"%d" % len(users), example)
    return Line(tuple(map(Foreign, cells)), Health.WARN if number >= FROM_ONE else Health.OK)


LISTENER = Listener(
    "dovecot_logins",
    Role.IMAP,
    Logins,
    Board(
        "sessions",
        "logins, 5 min",
        (
            Metric("dovecot_logins", "logins", means="logins in the last 5 min, by result"),
            Metric(
                "dovecot_failed_logins",
                "failed",
                warn=FROM_ALL,
                means="failed attempts in 5 min, from all",
                glance="failed logins",
                adds=True,
            ),
            Metric("dovecot_failed_of_one", "by one", warn=FROM_ONE, means="failed attempts in 5 min, of one address"),
            Metric(
                "dovecot_user_limit_refusals",
                "one too many",
                warn=1.0,
                means="logins refused in 5 min: that user has mail_max_userip_connections from that address",
            ),
            Metric("dovecot_limits_reached", "limit hit", crit=1.0, means="process_limit or client_limit reached"),
            Metric("dovecot_lock_errors", "lock errors", warn=1.0, crit=5.0, means="lock errors, corrupted indexes"),
            Metric("dovecot_errors", "errors", warn=1.0, means="other errors in the last 5 min"),
        ),
        order=20,
    ),
)
