"""The last lines of every log, as they came: bounded, merged by time when somebody looks, searchable.

Lines are kept as bytes in blocks, a log's own in order; nothing is split before it is looked at. When there is no more
room the log that holds most gives up its oldest block, so that a noisy daemon pushes out nobody but itself.
"""

from __future__ import annotations

import re
from array import array
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from itertools import islice

from mailtop.ledger.log_block import Block
from mailtop.ledger.log_filter import LogFilter
from mailtop.model.log import Level, LogLine, LogPage, LogWindow, Place

ROOM = 24 << 20
"""Bytes of lines that are kept in all."""

_TROUBLE = re.compile(rb"error|fatal|panic|crit|emerg|alert|warn|<[0-4]>| 5\d\d ", re.IGNORECASE)
_NO_TIMES: array[float] = array("d")


class LogRing:
    """The lines of all logs. Belongs to one loop; `version` grows with every piece that comes in."""

    def __init__(self, room: int = ROOM) -> None:
        self.version = 0
        self.dropped = 0
        self._room = room
        self._octets = 0
        self._number = 0
        self._logs: dict[str, deque[Block]] = {}

    def add(self, target: str, octets: bytes, last: float, times: bytes = b"", ahead: float = 0.0) -> None:
        """Keep whole lines. `last`: the newest one's time by our clock; `times`: each line's, as doubles, where the
        carrier has told them. Else the lines' own stamps count, by a clock that is `ahead` of ours so many seconds.
        """
        lines = octets.count(b"\n")
        if not lines:
            return
        each = array("d", times) if len(times) == 8 * lines else _NO_TIMES
        blocks = self._logs.setdefault(target, deque())
        if not blocks or not blocks[-1].takes(len(octets), ahead, timed=bool(each)):
            blocks.append(Block(target, ahead, timed=bool(each)))
        blocks[-1].add(octets, self._number + 1, lines, each, last)
        self._number += lines
        self._octets += len(octets)
        self.version += 1
        while self._octets > self._room and self._drop():
            pass

    def _drop(self) -> bool:
        """Give up the oldest block of the log that holds most; false where there is only one block left."""
        largest = max(self._logs.values(), key=lambda blocks: sum(len(block.octets) for block in blocks))
        if len(largest) < 2:
            return False
        block = largest.popleft()
        self._octets -= len(block.octets)
        self.dropped += block.lines
        return True

    # looking

    def page(self, where: str, window: LogWindow) -> LogPage:
        """The lines of one window that match a filter. Raises UsageError for a filter that means nothing."""
        wanted = LogFilter(where)
        anchor, found = window.anchor, None
        if window.seek:
            anchor = found = self._sought(wanted, window)
            if found is None:
                return self._made((), window, before=(), after=(), found=None)
        before = tuple(islice(self._backward(wanted, anchor), window.back + 1))
        ahead = islice(self._forward(wanted, anchor), window.ahead + 1) if anchor is not None else ()
        return self._made((*reversed(before[: window.back]),), window, before, tuple(ahead), found)

    def _made(
        self,
        lines: tuple[LogLine, ...],
        window: LogWindow,
        before: tuple[LogLine, ...],
        after: tuple[LogLine, ...],
        found: Place | None,
    ) -> LogPage:
        blocks = [block for log in self._logs.values() for block in log]
        return LogPage(
            (*lines, *after[: window.ahead]),
            held=sum(block.lines for block in blocks),
            since=min((block.earliest for block in blocks), default=0.0),
            dropped=self.dropped,
            more_before=len(before) > window.back,
            more_after=len(after) > window.ahead,
            found=found,
        )

    def _sought(self, wanted: LogFilter, window: LogWindow) -> Place | None:
        """The next line that holds what is sought, or the one before; errors and warnings where that is empty."""
        sought = LogFilter(window.find) if window.find else None
        needle = sought.needle if sought else _TROUBLE
        lines = self._forward if window.seek > 0 else self._backward
        for line in lines(wanted, window.anchor, needle):
            if line.place != window.anchor and (line.level is not Level.INFO if sought is None else sought(line)):
                return line.place
        return None

    def _backward(
        self, wanted: LogFilter, anchor: Place | None, needle: re.Pattern[bytes] | None = None
    ) -> Iterator[LogLine]:
        """Matching lines before the anchor, the newest first."""
        upper = (float("inf"), 0) if anchor is None else anchor
        return self._merged(
            wanted,
            needle,
            meets=lambda block: block.earliest <= upper[0],
            order=lambda block: -min(block.latest, upper[0]),
            within=lambda place: place < upper,
            reverse=True,
        )

    def _forward(
        self, wanted: LogFilter, anchor: Place | None, needle: re.Pattern[bytes] | None = None
    ) -> Iterator[LogLine]:
        """Matching lines from the anchor on, in order."""
        lower = (0.0, 0) if anchor is None else anchor
        return self._merged(
            wanted,
            needle,
            meets=lambda block: block.latest >= lower[0],
            order=lambda block: max(block.earliest, lower[0]),
            within=lambda place: place >= lower,
            reverse=False,
        )

    def _merged(
        self,
        wanted: LogFilter,
        needle: re.Pattern[bytes] | None,
        *,
        meets: Callable[[Block], bool],
        order: Callable[[Block], float],
        within: Callable[[Place], bool],
        reverse: bool,
    ) -> Iterator[LogLine]:
        """Merge blocks; one is opened only when the lines before it have been given out.

        Lines wait in `open_` until no block that is still closed can hold one that comes before them.
        """
        closed = sorted((block for log in self._chosen(wanted) for block in log if meets(block)), key=order)
        closed.reverse()  # the next one is the last
        waiting: list[tuple[Place, LogLine]] = []
        sign = -1 if reverse else 1
        while closed or waiting:
            while closed and (not waiting or order(closed[-1]) <= sign * waiting[-1][0][0]):
                block = closed.pop()
                lines = block.lines_that_match(wanted, needle, within)
                waiting += [(line.place, line) for line in lines]
                waiting.sort(key=lambda pair: pair[0], reverse=not reverse)  # the next one is the last
            if waiting:
                yield waiting.pop()[1]

    def _chosen(self, wanted: LogFilter) -> Iterable[deque[Block]]:
        return [blocks for target, blocks in self._logs.items() if wanted.of(target)]
