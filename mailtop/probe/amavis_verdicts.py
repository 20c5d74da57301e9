"""The verdicts of Amavis and how long it took, from its log; its own traffic among them, none of the learning.

`(pid-nn) Passed|Blocked CATEGORY {…} … <from> -> <to>, …, Hits: 3.1, …, N ms`: every part behind the category is
optional, a long line goes on in the next one. Source: amavisd's default `$log_templ`.
"""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Iterable, Sequence

from mailtop.metrics.lately import Lately, Values
from mailtop.model.board import Line
from mailtop.model.sample import Sample
from mailtop.model.text import Foreign
from mailtop.model.topology import Role
from mailtop.probe import Board, Found, Listener, Metric, Table

WINDOW = 600.0
"""Seconds over which verdicts are counted."""
LAST = 8  # blocked messages that are shown

_LINE = re.compile(rb"(?:<\d>|[^(<]{0,100}\bamavis\S*: )?\(\d[\d-]*\) (.*)", re.DOTALL)
_VERDICT = re.compile(rb"(Passed|Blocked) ([A-Z]+(?:-[A-Z]+)*)(?:[-\d]*)(?: \(([^()]{0,200})\))?")
_TOOK = re.compile(rb", (\d{1,9}) ms$")
_WAY = re.compile(rb" <([^<>]{0,320})> -> <([^<>]{0,320})>")
_HITS = re.compile(rb", Hits: (-?\d+(?:\.\d+)?)[,-]")
_BLIND = re.compile(rb"\(!+\)\w*\s*AV: ALL VIRUS SCANNERS FAILED|\(!+\)AV: ALL VIRUS SCANNERS FAILED")


class Verdicts:
    """What one Amavis has said lately."""

    def __init__(self) -> None:
        self._verdicts: Lately[tuple[str, str]] = Lately(WINDOW)
        self._blind: Lately[str] = Lately(WINDOW)
        self._took = Values(WINDOW)
        self._blocked: deque[tuple[float, tuple[Foreign, ...]]] = deque(maxlen=LAST)
        self._spam_at = 0.0

    def read(self, lines: Sequence[bytes], times: Sequence[float]) -> None:
        """See Listening."""
        for line, at in zip(lines, times, strict=True):
            if match := _LINE.match(line):
                self._told(match[1], at)

    def _told(self, said: bytes, at: float) -> None:
        if took := _TOOK.search(said):
            self._took.add(at, int(took[1]) / 1000)
        if verdict := _VERDICT.match(said):
            what, category = verdict[1].decode(), verdict[2].decode()
            self._verdicts.add(at, (what, category))
            if category == "SPAM":
                self._spam_at = at
            if what == "Blocked":
                way, hits = _WAY.search(said), _HITS.search(said)
                why = verdict[3] or (b"hits " + hits[1] if hits else b"")
                sender, recipient = way.groups() if way else (b"", b"")
                cells = (verdict[2], sender or b"<>", recipient, why)
                self._blocked.append((at, tuple(map(Foreign, cells))))
        elif _BLIND.match(said):
            self._blind.add(at, "")

    def found(self, now: float) -> Iterable[Found]:
        """See Listening."""
        verdicts = self._verdicts.sums(now)
        total = verdicts.total()
        yield Sample("amavis_mails", total)
        if total:
            for (what, category), number in sorted(verdicts.items(), key=lambda one: -one[1]):
                yield Sample("amavis_verdicts", number, (("verdict", what), ("what", category)))
            spam = sum(number for (_, category), number in verdicts.items() if category.startswith("SPAM"))
            yield Sample("amavis_spam_ratio", spam / total)
        yield Sample("amavis_unchecked", sum(n for (_, category), n in verdicts.items() if category == "UNCHECKED"))
        yield Sample("amavis_scanners_failed", self._blind.sums(now).total())
        took = self._took.quantile(0.95, now)
        if took is not None:
            yield Sample("amavis_scan_seconds", took, (("quantile", "p95"),))
        lines = [Line(cells) for _, cells in reversed(self._blocked)]
        if lines:
            yield Table("last blocked", ("verdict", "from", "to", "why"), tuple(lines))


LISTENER = Listener(
    "amavis_verdicts",
    Role.FILTER,
    Verdicts,
    Board(
        "filter",
        "verdicts, 10 min",
        (
            Metric(
                "amavis_mails", "mails", means="messages with a verdict in the last 10 min", glance="checked", adds=True
            ),
            Metric("amavis_verdicts", "", means="messages by verdict in the last 10 min"),
            Metric("amavis_spam_ratio", "spam", "%", means="share of spam among them; one that collapses is a fault"),
            Metric(
                "amavis_scan_seconds",
                "scan",
                "s",
                10.0,
                30.0,
                means="time to check a message, 95 of 100 of 10 min",
                glance="check takes",
            ),
            Metric("amavis_unchecked", "unchecked", warn=1.0, means="messages passed unchecked in the last 10 min"),
            Metric("amavis_scanners_failed", "no scanner", crit=1.0, means="ALL VIRUS SCANNERS FAILED in 10 min"),
        ),
        order=10,
    ),
)
