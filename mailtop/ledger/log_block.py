"""A piece of one log: lines as bytes, with what is needed to find the time of each."""

from __future__ import annotations

import re
from array import array
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from datetime import UTC, tzinfo
from itertools import islice
from typing import NamedTuple

from mailtop.ledger.log_filter import LogFilter
from mailtop.model.log import Level, LogLine, Place
from mailtop.model.text import Foreign
from mailtop.parse.log_line import parts
from mailtop.parse.stamp import Stamps

LONG = 64 << 10
"""Bytes: what comes is added to the newest block of its log until that weighs so much."""

PER_LINE, PER_PIECE = 17, 36
"""Bytes besides a line's own: its end, time, level, and whether it matched; and a piece's figures."""

_LEVELS = tuple(Level)
_RANK = {level: rank for rank, level in enumerate(_LEVELS)}
_TRIED = 50  # lines without a stamp that are passed over at a piece's beginning
_NEWLINE = re.compile(rb"\n")


class Clocked(NamedTuple):
    """How the lines of a log tell the time: the carrier has `timed` each, or their own stamps do, in this `zone`, by a
    clock that is `ahead` of ours so many seconds.
    """

    ahead: float = 0.0
    zone: tzinfo = UTC
    timed: bool = False

    def like(self, other: Clocked) -> bool:
        """May lines of both stand in one block?"""
        return self[1:] == other[1:] and abs(self.ahead - other.ahead) < 0.5


class Block:
    """Lines of one log, in order. `earliest` and `latest` bound the times of all its lines.

    A line's time is worked out when somebody looks, from what came with it and before it: so it never changes after.
    """

    __slots__ = (
        *("_begins", "_ends", "_hits", "_lasts", "_levels", "_lows"),
        *("_numbers", "_seen", "_starts", "_times", "_where"),
        *("clocked", "earliest", "latest", "lines", "octets", "target"),
    )

    def __init__(self, target: str, clocked: Clocked) -> None:
        self.target = target
        self.clocked = clocked
        self.octets = bytearray()
        self.lines = 0
        self.earliest, self.latest = float("inf"), 0.0
        # of each piece: the index of its first line, that line's number and time, and bounds of all its times
        self._starts, self._numbers, self._begins = array("I"), array("Q"), array("d")
        self._lows, self._lasts = array("d"), array("d")
        # of each line, as far as somebody has looked
        self._ends, self._times, self._levels = array("I"), array("d"), array("B")
        # the lines that match the filter which was asked for last, among those `_seen`
        self._where, self._seen, self._hits = "", 0, array("I")

    @property
    def weight(self) -> int:
        """Bytes that it may come to take."""
        return len(self.octets) + PER_LINE * self.lines + PER_PIECE * len(self._starts)

    def add(self, octets: bytes, first: int, lines: int, times: array[float], last: float) -> None:
        """Add whole lines; `first`: the number of the first of them, `last`: the newest one's time."""
        if self.clocked.timed:
            low, high = min(times), max(times)
            self._times.extend(times)
        else:
            low, high = min(self._first(octets, last), last), last
        self.earliest, self.latest = min(self.earliest, low), max(self.latest, high)
        self._starts.append(self.lines)
        self._numbers.append(first)
        self._begins.append(low)
        self._lows.append(self.earliest)
        self._lasts.append(high)
        self.octets += octets
        self.lines += lines

    def _first(self, octets: bytes, last: float) -> float:
        """When the first line was written that says so."""
        for match in islice(re.finditer(rb"[^\n]*\n", octets), _TRIED):
            if stamp := parts(match[0]).stamp:
                begins = self._stamps(last).at(stamp) - self.clocked.ahead
                return begins if begins > 0.0 else last
        return last

    def _stamps(self, last: float) -> Stamps:
        return Stamps(last + self.clocked.ahead, self.clocked.zone)

    # looking

    def matching(self, wanted: LogFilter, sought: LogFilter | None = None) -> Sequence[int]:
        """Indices of the lines that match both, in order."""
        found = self._matching(wanted)
        if sought is None or not found:
            return found
        among = found if isinstance(found, range) else frozenset(found)
        return [at for at in self._candidates(sought, 0) if at in among and sought(self.line(at))]

    def _matching(self, wanted: LogFilter) -> Sequence[int]:
        if not wanted.of_lines:
            return range(self.lines)
        if self._where != wanted.where:
            self._where, self._seen, self._hits = wanted.where, 0, array("I")
        if self._seen < self.lines:
            self._hits.extend(at for at in self._candidates(wanted, self._seen) if wanted(self.line(at)))
            self._seen = self.lines
        return self._hits

    def _candidates(self, wanted: LogFilter, begin: int) -> Iterator[int]:
        """Indices from `begin` on of lines that may match: they hold what all that match hold."""
        levels = None if wanted.levels is None else frozenset(_RANK[level] for level in wanted.levels)
        for at in self._holding(wanted.needle, begin) if wanted.needle else range(begin, self.lines):
            if levels is None or self._graded()[at] in levels:
                yield at

    def _holding(self, needle: bytes, begin: int) -> Iterator[int]:
        lowered = self.octets.lower()
        if needle not in lowered:  # most blocks end here, before anybody has looked for their lines
            return
        ends = self._ended()
        start = ends[begin - 1] if begin else 0
        while (found := lowered.find(needle, start)) >= 0:
            at = bisect_right(ends, found)
            yield at
            start = ends[at]

    def place(self, at: int) -> Place:
        """Where one line stands among those of all logs."""
        piece = bisect_right(self._starts, at) - 1
        return self._timed()[at], self._numbers[piece] + at - self._starts[piece]

    def line(self, at: int) -> LogLine:
        """One line, read."""
        read = parts(self._octets(at))
        return LogLine(*self.place(at), self.target, read.program, read.level, Foreign(read.text))

    def _octets(self, at: int) -> bytes:
        ends = self._ended()
        return bytes(self.octets[ends[at - 1] if at else 0 : ends[at]])

    def _ended(self) -> array[int]:
        """Where each line ends."""
        if len(self._ends) < self.lines:
            begin = self._ends[-1] if self._ends else 0
            self._ends.extend([match.end() for match in _NEWLINE.finditer(self.octets, begin)])
        return self._ends

    def _graded(self) -> array[int]:
        """How bad each line is."""
        if self.clocked.timed:
            for at in range(len(self._levels), self.lines):
                self._levels.append(_RANK[parts(self._octets(at)).level])
        else:
            self._timed()
        return self._levels

    def _timed(self) -> array[float]:
        """Each line's time. By their own stamps: a line without one has that of the line before it in its piece."""
        done = len(self._times)
        if done == self.lines:
            return self._times
        first = bisect_right(self._starts, done) - 1  # pieces are added whole, and read whole
        stamps = self._stamps(self._lasts[first])
        for piece in range(first, len(self._starts)):
            low, high = self._lows[piece], self._lasts[piece]
            end = self._starts[piece + 1] if piece + 1 < len(self._starts) else self.lines
            at = self._begins[piece]
            for index in range(self._starts[piece], end):
                read = parts(self._octets(index))
                if read.stamp:
                    at = min(max(stamps.at(read.stamp) - self.clocked.ahead, low), high)
                self._times.append(at)
                self._levels.append(_RANK[read.level])
        return self._times
