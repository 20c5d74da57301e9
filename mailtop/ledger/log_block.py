"""A piece of one log: lines as bytes, with what is needed to find the time of each."""

from __future__ import annotations

import re
from array import array
from bisect import bisect_right
from collections.abc import Callable, Iterator

from mailtop.ledger.log_filter import LogFilter
from mailtop.model.log import LogLine, Place
from mailtop.model.text import Foreign
from mailtop.parse.log_line import parts
from mailtop.parse.stamp import Stamps

LONG = 64 << 10
"""Bytes: what comes is added to the newest block of its log until that is so long."""


class Block:
    """Lines of one log, in order. `timed`: the carrier told each line's time.

    `earliest` and `latest` bound the times of all its lines.
    """

    __slots__ = ("_ahead", "_known", "_numbers", "_starts", "_times", "earliest", "latest", "lines", "octets", "target")

    def __init__(self, target: str, ahead: float, *, timed: bool) -> None:
        self.target = target
        self.octets = bytearray()
        self.lines = 0
        self.earliest, self.latest = float("inf"), 0.0
        self._ahead = ahead
        self._times: array[float] | None = array("d") if timed else None
        self._starts: list[int] = []  # of each piece: the index of its first line …
        self._numbers: list[int] = []  # … and that line's number: other logs' lines come in between
        self._known: tuple[array[int], array[float]] | None = None

    def takes(self, octets: int, ahead: float, *, timed: bool) -> bool:
        """May so many bytes be added?"""
        alike = (self._times is not None) is timed and abs(self._ahead - ahead) < 0.5
        return alike and len(self.octets) + octets <= LONG

    def add(self, octets: bytes, first: int, lines: int, times: array[float], last: float) -> None:
        """Add whole lines; `first`: the number of the first of them."""
        self._known = None
        self._starts.append(self.lines)
        self._numbers.append(first)
        self.octets += octets
        self.lines += lines
        if self._times is not None:
            self._times.extend(times)
            self.earliest, self.latest = min(self.earliest, *times), max(self.latest, *times)
            return
        stamp = parts(octets[: octets.find(b"\n") + 1]).stamp
        begins = Stamps(last + self._ahead).at(stamp) - self._ahead if stamp else last
        self.earliest = min(self.earliest, begins if begins > 0.0 else last, last)
        self.latest = max(self.latest, last)

    def lines_that_match(
        self, wanted: LogFilter, needle: re.Pattern[bytes] | None, within: Callable[[Place], bool]
    ) -> Iterator[LogLine]:
        """The block's lines that match, and are within; `needle`: what each must hold besides."""
        ends, times = self._index()
        for at in self._candidates(ends, [found for found in (wanted.needle, needle) if found is not None]):
            place = (times[at], self._number(at))
            if within(place):
                read = parts(bytes(self.octets[ends[at - 1] if at else 0 : ends[at]]))
                line = LogLine(*place, self.target, read.program, read.level, Foreign(read.text))
                if wanted(line):
                    yield line

    def _candidates(self, ends: array[int], needles: list[re.Pattern[bytes]]) -> Iterator[int]:
        """Indices of lines that hold all needles."""
        if not needles:
            yield from range(self.lines)
            return
        after = -1
        for match in needles[0].finditer(self.octets):
            at = bisect_right(ends, match.start())
            if at != after and all(self._holds(needle, ends, at) for needle in needles[1:]):
                yield at
            after = at

    def _holds(self, needle: re.Pattern[bytes], ends: array[int], at: int) -> bool:
        return needle.search(self.octets, ends[at - 1] if at else 0, ends[at]) is not None

    def _number(self, at: int) -> int:
        piece = bisect_right(self._starts, at) - 1
        return self._numbers[piece] + at - self._starts[piece]

    def _index(self) -> tuple[array[int], array[float]]:
        """Where each line ends, and each line's time; worked out when somebody looks."""
        if self._known is None:
            ends = array("I", (match.end() for match in re.finditer(rb"\n", self.octets)))
            self._known = ends, self._times if self._times is not None else self._stamped(ends)
        return self._known

    def _stamped(self, ends: array[int]) -> array[float]:
        """Times by the lines' own stamps; a line without one has that of the line before it."""
        stamps, last, times, start = Stamps(self.latest + self._ahead), self.earliest, array("d"), 0
        for end in ends:
            stamp = parts(bytes(self.octets[start:end])).stamp
            if stamp:
                last = min(max(stamps.at(stamp) - self._ahead, self.earliest), self.latest)
            times.append(last)
            start = end
        return times
