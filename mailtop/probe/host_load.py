"""The host's load and uptime, from two files of /proc."""

from __future__ import annotations

from collections.abc import Iterator

from mailtop.model.ask import Answer, Command
from mailtop.model.errors import ParseError
from mailtop.model.sample import Sample
from mailtop.model.text import Foreign, shown
from mailtop.probe import Board, Metric, Needs, Poll


def read(answer: Answer) -> Iterator[Sample]:
    """Yield load averages, and seconds since the boot. Source: proc(5)."""
    lines = answer.ok("loadavg").splitlines()
    try:
        (one, five, fifteen), up = map(float, lines[0].split()[:3]), float(lines[1].split()[0])
    except (IndexError, ValueError) as error:
        raise ParseError("/proc/loadavg", f"not what it was: {shown(Foreign(answer.stdout), 80)!r}") from error
    for minutes, load in (("1", one), ("5", five), ("15", fifteen)):
        yield Sample("host_load", load, (("minutes", minutes),))
    yield Sample("host_uptime_seconds", up)


BOARD = Board(
    "hosts",
    "host",
    (
        Metric("host_load", "load", means="processes that run or wait for a disk, over so many minutes"),
        Metric("host_uptime_seconds", "up", "s", means="since the boot"),
    ),
    order=10,
    aside=False,
)

PROBE = Poll(
    "host_load",
    None,
    Command(("cat", "/proc/loadavg", "/proc/uptime")),
    read,
    every=10.0,
    needs=Needs(binary=("cat",)),
    board=BOARD,
)
