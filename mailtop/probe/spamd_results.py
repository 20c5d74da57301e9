"""What spamd judged and how long it took, from its log: learning and `spamc` traffic too, so verdicts are Amavis's.

`result: Y 10 - TESTS scantime=0.1,size=…`: `.` is ham, the score is cut to an integer, TESTS may be empty.
Source: spamd's log at its usual level.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from mailtop.metrics.lately import Lately, Values
from mailtop.model.sample import Sample
from mailtop.model.topology import Role
from mailtop.probe import Board, Found, Listener, Metric

WINDOW = 600.0
"""Seconds over which results are counted."""

_RESULT = re.compile(
    rb"[^<]{0,120}?spamd(?:\[\d+\])?: (?:spamd: )?result: ([Y.]) +(-?\d+) - \S* ?scantime=(\d+(?:\.\d+)?),"
)
_STATES = re.compile(rb"[^<]{0,120}?prefork: child states: ([A-Z]*)\s*$")
_FULL = re.compile(rb"[^<]{0,120}?prefork: server reached --max-children setting")


class Results:
    """What one spamd has said lately."""

    def __init__(self) -> None:
        self._counts: Lately[str] = Lately(WINDOW)
        self._took = Values(WINDOW)
        self._states = ""

    def read(self, lines: Sequence[bytes], times: Sequence[float]) -> None:
        """See Listening."""
        for line, at in zip(lines, times, strict=True):
            if result := _RESULT.match(line):
                self._counts.add(at, "spam" if result[1] == b"Y" else "ham")
                self._took.add(at, float(result[3]))
            elif states := _STATES.match(line):
                self._states = states[1].decode()
            elif _FULL.match(line):
                self._counts.add(at, "full")

    def found(self, now: float) -> Iterable[Found]:
        """See Listening."""
        counts = self._counts.sums(now)
        for name in ("spam", "ham"):
            yield Sample("spamd_results", counts[name], (("result", name),))
        took = self._took.quantile(0.95, now)
        if took is not None:
            yield Sample("spamd_scan_seconds", took, (("quantile", "p95"),))
        if self._states:
            yield Sample("spamd_children_busy", self._states.count("B"))
            yield Sample("spamd_children_said", len(self._states))
        yield Sample("spamd_full", counts["full"])


LISTENER = Listener(
    "spamd_results",
    Role.ANTISPAM,
    Results,
    Board(
        "filter",
        "results, 10 min",
        (
            Metric("spamd_results", "", means="results in the last 10 min, learning and spamc among them"),
            Metric("spamd_scan_seconds", "scan", "s", 10.0, 30.0, means="scan time, 95 of 100 of the last 10 min"),
            Metric("spamd_children_busy", "busy", means="children that were busy when spamd last told"),
            Metric("spamd_children_said", "children", means="children that there were then"),
            Metric("spamd_full", "full", warn=1.0, means="all children were busy, in the last 10 min"),
        ),
        order=30,
    ),
)
