"""Is the host's clock kept right, and how far is it off? As chrony tells, else systemd, which only says yes or no.

What mailtop itself sees of a clock is another matter: it compares it with its own.
"""

from __future__ import annotations

from collections.abc import Iterable

from mailtop.model.ask import Asking, Command
from mailtop.model.errors import ParseError
from mailtop.model.sample import Fact, Sample
from mailtop.model.text import Foreign, shown
from mailtop.model.topology import Target
from mailtop.probe import Board, Found, Metric, Probe

_FIELDS = 14  # of `chronyc -c tracking`; source: chronyc(1), and chrony's client.c for their order
_FROM, _OFFSET, _LEAP = 0, 4, 13
_NO = b"Not synchronised"
_ITSELF = b"7F7F0101"  # 127.127.1.1: its own clock, for want of a server
_TIMEDATED = {b"NTPSynchronized=yes": 1.0, b"NTPSynchronized=no": 0.0}  # source: timedatectl(1)


def run(target: Target) -> Asking[Iterable[Found]]:  # noqa: ARG001 — the same questions to all
    """Ask chrony, and where there is none, systemd. A host with neither has another clock keeper, or none."""
    tracking = yield Command(("chronyc", "-c", "tracking"))
    if tracking.exit == 0:
        fields = tracking.stdout.strip().split(b",")
        try:
            offset = abs(float(fields[_OFFSET]))
        except (IndexError, ValueError) as error:
            raise _not_so("chronyc", tracking.stdout) from error
        if len(fields) != _FIELDS:
            raise _not_so("chronyc", tracking.stdout)
        if fields[_LEAP] == _NO or fields[_FROM] == _ITSELF:
            return (Sample("clock_synchronised", 0.0),)
        return (Sample("clock_synchronised", 1.0), Sample("clock_offset_seconds", offset))
    systemd = yield Command(("timedatectl", "show", "-p", "NTPSynchronized"))
    if systemd.exit != 0:
        return (Fact("clock", "neither chrony nor systemd tells"),)
    told = systemd.stdout.strip()
    if told not in _TIMEDATED:
        raise _not_so("timedatectl", told)
    return (Sample("clock_synchronised", _TIMEDATED[told]),)


def _not_so(program: str, said: bytes) -> ParseError:
    return ParseError(program, f"not what it was: {shown(Foreign(said), 80)!r}")


BOARD = Board(
    "hosts",
    "clock",
    (
        Metric("clock_synchronised", "synchronised", warn=0.0, falls=True, means="1: with a time server, as they say"),
        Metric("clock_offset_seconds", "off by", "s", 2.0, 30.0, means="of the clock from the time chrony reckons"),
    ),
    order=18,
)

PROBE = Probe("host_clock", None, run, every=60.0, board=BOARD)
