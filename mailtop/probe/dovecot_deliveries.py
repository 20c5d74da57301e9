"""What became of mail that Dovecot was to deliver: by LMTP and Sieve, from its log, 2.3 and 2.4.

`lmtp(USER)<pid><session>: Info: [sieve: ]msgid=<…>: WHAT`, where WHAT is `saved mail to …`, `stored mail into …`,
`fileinto action: stored …`, `discard action: Marked …`, `reject action: rejected …`, `redirect action: forwarded …` or
`save failed to …: REASON`; and `sieve: Execution of script … failed`, after which the mail was kept all the same.
Source: Dovecot's mail-deliver, Pigeonhole's log, `deliver_log_format` as shipped.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from mailtop.metrics.lately import Lately
from mailtop.model.board import Line
from mailtop.model.health import Health
from mailtop.model.sample import Sample
from mailtop.model.text import Foreign
from mailtop.model.topology import Role
from mailtop.probe import Board, Found, Listener, Metric, Table

WINDOW = 300.0
"""Seconds over which all is counted."""
TOP = 20  # users that are named
FAILED = "dovecot_deliveries_failed"
SCRIPTS = "dovecot_sieve_failures"

_RESULTS = ("saved", "discarded", "rejected", "forwarded", "failed", "over quota")
_STAMP = rb"(?:\w{3} +\d+ [\d:.]+ |[\dT:.+-]{19,32} )?(?:\S+ )?(?:dovecot(?:\[\d+\])?: )?"
_DELIVERS = re.compile(_STAMP + rb"(?:lmtp|lda)\(([^)<]{1,320})\)(?:<[^>]{0,100}>){0,2}: (?:Info: |Error: )?")
_MESSAGE = rb"(?:sieve: )?(?:(?:[^:<]|<[^>]{0,400}>){0,400}: )?(?:\w{1,20} action: )?"
_OUTCOME = re.compile(
    _MESSAGE + rb"(?:(saved mail to|stored mail into)|([Mm]arked message to be discarded|discarded)|(rejected message)"
    rb"|(forwarded to)|(?:save )?(failed to (?:save|store|[^:]{1,400}:))( Quota exceeded)?|(Temporarily failed to))"
)
_SCRIPT = re.compile(rb"(?:sieve: )?(?:Execution of script .{1,400} failed|[Ff]ailed to (?:compile|open|run) script)")


class Deliveries:
    """What one Dovecot has delivered lately, and could not."""

    def __init__(self) -> None:
        self._counts: Lately[str] = Lately(WINDOW)
        self._troubled: Lately[tuple[bytes, bytes]] = Lately(WINDOW)

    def read(self, lines: Sequence[bytes], times: Sequence[float]) -> None:
        """See Listening."""
        for line, at in zip(lines, times, strict=True):
            if delivers := _DELIVERS.match(line):
                self._delivery(delivers[1], line, delivers.end(), at)

    def _delivery(self, user: bytes, line: bytes, start: int, at: float) -> None:
        if _SCRIPT.match(line, start):
            self._counts.add(at, "script")
            self._troubled.add(at, (user, b"Sieve script fails"))
        elif outcome := _OUTCOME.match(line, start):
            saved, discarded, rejected, forwarded, _, full, _ = outcome.groups()
            chosen = (saved, discarded, rejected, forwarded, None if full else b"failed", full)
            result = next(name for name, part in zip(_RESULTS, chosen, strict=True) if part)
            self._counts.add(at, result)
            if result in ("failed", "over quota"):
                self._troubled.add(at, (user, b"over quota" if full else b"not saved"))

    def found(self, now: float) -> Iterable[Found]:
        """See Listening."""
        counts, troubled = self._counts.sums(now), self._troubled.sums(now)
        for result in _RESULTS:
            if counts[result] or result == "saved":
                yield Sample("dovecot_deliveries", counts[result], (("result", result),))
        yield Sample(FAILED, counts["failed"])
        yield Sample(SCRIPTS, counts["script"])
        if troubled:
            top = troubled.most_common(TOP)
            lines = tuple(
                Line((Foreign(user), Foreign(what), Foreign(b"%d" % number)), Health.WARN)
                for (user, what), number in top
            )
            yield Table("mail not delivered as wanted", ("user", "what", ">times"), lines, len(troubled))


LISTENER = Listener(
    "dovecot_deliveries",
    Role.IMAP,
    Deliveries,
    Board(
        "sessions",
        "deliveries, 5 min",
        (
            Metric("dovecot_deliveries", "deliveries", means="mails in 5 min, by what became of them"),
            Metric(FAILED, "failed", warn=1.0, crit=20.0, means="mails in 5 min that could not be saved; not: quota"),
            Metric(SCRIPTS, "sieve fails", warn=1.0, means="Sieve scripts that failed in 5 min; the mail was kept"),
        ),
        order=22,
    ),
)
