"""Systemd's units that failed, on a host that has systemd. Source: systemctl(1), `--plain --no-legend`."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from mailtop.model.ask import Answer, Command
from mailtop.model.board import Line
from mailtop.model.errors import ParseError
from mailtop.model.health import Health
from mailtop.model.sample import Fact, Sample
from mailtop.model.text import Foreign, shown
from mailtop.probe import Board, Found, Metric, Poll, Table

LINES = 20
COLUMNS = ("unit", "state", "what it is")
ASK = Command(("systemctl", "list-units", "--failed", "--plain", "--no-legend", "--no-pager"), timeout=5.0)

_NO_PROGRAM = 127  # the shell's
_ANOTHER = b"not been booted with systemd"


def read(answer: Answer) -> Iterable[Found]:
    """Yield how many failed, and which; where another program than systemd started the host, that it does."""
    if _ANOTHER in answer.stderr or answer.exit == _NO_PROGRAM:
        yield Fact("systemd", "does not run this host")
        return
    rows = list(_rows(answer.ok("systemctl")))
    yield Sample("host_units_failed", len(rows))
    if rows:
        lines = tuple(Line(tuple(map(Foreign, row)), Health.WARN) for row in rows[:LINES])
        yield Table("failed units", COLUMNS, lines, len(rows))


def _rows(stdout: bytes) -> Iterator[tuple[bytes, bytes, bytes]]:
    """Name, state and description: `UNIT LOAD ACTIVE SUB DESCRIPTION`."""
    for line in stdout.splitlines():
        words = line.split(None, 4)
        if len(words) < 4 or b"." not in words[0]:
            raise ParseError("systemctl", f"no unit: {shown(Foreign(line), 80)!r}")
        yield words[0], b" ".join(words[2:4]), words[4] if len(words) > 4 else b""


PROBE = Poll(
    "host_units",
    None,
    ASK,
    read,
    every=60.0,
    board=Board(
        "hosts",
        "units",
        (Metric("host_units_failed", "failed units", warn=1.0, means="systemd's units that ended in failure"),),
        order=24,
    ),
)
