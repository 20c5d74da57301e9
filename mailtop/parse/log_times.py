"""When the lines of a log file were written, and in which zone its traditional stamps are.

A file's modification time is when its last line was written. So that line's own stamp tells the zone of the program
that writes them, whatever the host, the container or the daemon have theirs set to.
"""

from __future__ import annotations

from datetime import timedelta, timezone

from mailtop.parse.log_line import parts
from mailtop.parse.stamp import Stamps

QUARTER = 900.0  # seconds: zones differ by quarters of an hour
FARTHEST = 14 * 3600.0  # seconds: no zone is farther from UTC
_TRIED = 50  # lines without a stamp that are passed over


def zone_of(stamp: bytes, at: float) -> timezone | None:
    """The zone in which a stamp without one was written, where it was written at `at`; None where it has its own.

    >>> zone_of(b"Nov 24 08:28:57", 1795505338.2), zone_of(b"2026-11-24T07:28:57+00:00", 1795505338.2)
    (datetime.timezone(datetime.timedelta(seconds=3600)), None)
    """
    if not stamp or (len(stamp) > 19 and stamp[19:].lstrip(b".,0123456789")):
        return None
    ahead = round((Stamps(at).at(stamp) - at) / QUARTER) * QUARTER
    return timezone(timedelta(seconds=ahead)) if abs(ahead) <= FARTHEST else None


def zone_of_lines(lines: bytes, at: float) -> timezone | None:
    """The zone of the stamps of lines of which the last was written at `at`; None where they have their own."""
    return zone_of(_last_stamp(lines), at)


class LogTimes:
    """Times of one file's lines, as seconds since the epoch; 0.0 where no line has a stamp."""

    def __init__(self) -> None:
        self._stamps = Stamps(0.0)

    def learn(self, lines: bytes, written: float) -> None:
        """The last of these lines was written at `written`; which year and zone that makes, holds for all."""
        stamp = _last_stamp(lines)
        self._stamps.reference = written
        self._stamps.be_in(zone_of(stamp, written))

    def last(self, lines: bytes) -> float:
        """When the last of whole lines was written."""
        stamp = _last_stamp(lines)
        return self._stamps.at(stamp) if stamp else 0.0

    def first(self, lines: bytes) -> float:
        """When the first of whole lines was written."""
        for line in lines[: 64 << 10].split(b"\n", _TRIED)[:_TRIED]:
            if stamp := parts(line).stamp:
                return self._stamps.at(stamp)
        return 0.0

    def since(self, lines: bytes, at: float) -> int:
        """Where, in whole lines that are in order, those that were not written before `at` begin."""
        low, high = 0, len(lines)
        while low < high:
            middle = lines.rfind(b"\n", low, (low + high) // 2) + 1 or low
            written = self.first(lines[middle : middle + (64 << 10)])
            if written and written < at:
                low = lines.find(b"\n", middle) + 1 or high
            else:
                high = middle
        return low


def _last_stamp(lines: bytes) -> bytes:
    end = len(lines.rstrip(b"\n"))
    for _ in range(_TRIED):
        start = lines.rfind(b"\n", 0, end) + 1
        if stamp := parts(lines[start:end]).stamp:
            return stamp
        if not start:
            break
        end = start - 1
    return b""
