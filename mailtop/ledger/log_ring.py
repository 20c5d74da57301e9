"""The last lines of every log, as they came: bounded, merged by time when somebody looks, searchable.

Lines are kept as bytes in blocks, a log's own in order; nothing is split before it is looked at. When there is no more
room the log that holds most gives up its oldest block, so that a noisy daemon pushes out nobody but itself.
"""

from __future__ import annotations

from array import array
from collections import deque
from collections.abc import Callable, Generator, Iterator
from datetime import UTC, tzinfo
from heapq import heappop, heappush
from typing import NamedTuple, TypeVar

from mailtop.ledger.log_block import LONG, PER_LINE, Block, Clocked
from mailtop.ledger.log_filter import LogFilter
from mailtop.model.log import LogLine, LogPage, LogWindow, Place

ROOM = 24 << 20
"""Bytes that all lines may take, with what is needed to find each."""

Found = TypeVar("Found")
Looking = Generator[None, None, Found]
"""A look that pauses after every block, a few milliseconds each: lines may be added meanwhile, and are not in it."""

_TROUBLE = LogFilter("level:warning")
_NO_TIMES: array[float] = array("d")


class _Way(NamedTuple):
    """In which direction, and how far, blocks are merged."""

    meets: Callable[[Block], bool]
    order: Callable[[Block], float]
    within: Callable[[Place], bool]
    sign: int


class LogRing:
    """The lines of all logs. Belongs to one loop; `version` grows with every piece that comes in."""

    def __init__(self, room: int = ROOM) -> None:
        self.version = 0
        self.dropped = 0
        self._room = room
        self._weight = 0
        self._number = 0
        self._logs: dict[str, deque[Block]] = {}
        self._weights: dict[str, int] = {}

    def add(
        self,
        target: str,
        octets: bytes,
        last: float,
        times: bytes = b"",
        ahead: float = 0.0,
        zone: tzinfo | None = None,
    ) -> None:
        """Keep whole lines. `last`: the newest one's time by our clock; `times`: each line's, as doubles, where the
        carrier has told them. Else the lines' own stamps count, by a clock that is `ahead` of ours so many seconds, and
        in a `zone` where they name none (None: the one of this log before).
        """
        lines = octets.count(b"\n")
        if not lines:
            return
        each = array("d", times) if len(times) == 8 * lines else _NO_TIMES
        blocks = self._logs.setdefault(target, deque())
        known = zone or (blocks[-1].clocked.zone if blocks else UTC)
        clocked = Clocked(timed=True) if each else Clocked(ahead, known)
        for piece in _pieces(octets):
            count = piece.count(b"\n")
            if not blocks or not blocks[-1].clocked.like(clocked) or blocks[-1].weight + len(piece) > LONG:
                blocks.append(Block(target, clocked))
            before = blocks[-1].weight
            blocks[-1].add(piece, self._number + 1, count, each[:count], last)
            each = each[count:]
            self._number += count
            self._weigh(target, blocks[-1].weight - before)
        self.version += 1
        while self._weight > self._room and self._drop():
            pass

    def _weigh(self, target: str, more: int) -> None:
        self._weights[target] = self._weights.get(target, 0) + more
        self._weight += more

    def _drop(self) -> bool:
        """Give up the oldest block of the log that holds most; false where that is the only one."""
        largest = max(self._weights, key=self._weights.__getitem__)
        blocks = self._logs[largest]
        if len(blocks) == len(self._logs) == 1:
            return False
        block = blocks.popleft()
        self._weigh(largest, -block.weight)
        self.dropped += block.lines
        if not blocks:
            del self._logs[largest], self._weights[largest]
        return True

    # looking

    def page(self, where: str, window: LogWindow) -> LogPage:
        """The same as `look`, at one go."""
        looking = self.look(where, window)
        while True:
            try:
                next(looking)
            except StopIteration as ended:
                page: LogPage = ended.value
                return page

    def look(self, where: str, window: LogWindow) -> Looking[LogPage]:
        """The lines of one window that match a filter. Raises UsageError for a filter that means nothing."""
        wanted = LogFilter(where)
        anchor, found = window.anchor, None
        if window.seek:
            anchor = found = yield from self._sought(wanted, window)
            if found is None:
                return self._made((), window, before=(), after=(), found=None)
        before = yield from _taken(self._backward(wanted, anchor), window.back + 1)
        after: tuple[LogLine, ...] = ()
        if anchor is not None:
            after = yield from _taken(self._forward(wanted, anchor), window.ahead + 1)
        return self._made((*reversed(before[: window.back]),), window, before, after, found)

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

    def _sought(self, wanted: LogFilter, window: LogWindow) -> Looking[Place | None]:
        """The next line that holds what is sought, or the one before; errors and warnings where that is empty."""
        sought = LogFilter(window.find) if window.find else _TROUBLE
        lines = self._forward if window.seek > 0 else self._backward
        for line in lines(wanted, window.anchor, sought):
            if line is None:
                yield
            elif line.place != window.anchor:
                return line.place
        return None

    def _backward(
        self, wanted: LogFilter, anchor: Place | None, sought: LogFilter | None = None
    ) -> Iterator[LogLine | None]:
        """Matching lines before the anchor, the newest first."""
        upper = (float("inf"), 0) if anchor is None else anchor
        way = _Way(
            meets=lambda block: block.earliest <= upper[0],
            order=lambda block: -min(block.latest, upper[0]),
            within=lambda place: place < upper,
            sign=-1,
        )
        return self._merged(wanted, sought, way)

    def _forward(
        self, wanted: LogFilter, anchor: Place | None, sought: LogFilter | None = None
    ) -> Iterator[LogLine | None]:
        """Matching lines from the anchor on, in order."""
        lower = (0.0, 0) if anchor is None else anchor
        way = _Way(
            meets=lambda block: block.latest >= lower[0],
            order=lambda block: max(block.earliest, lower[0]),
            within=lambda place: place >= lower,
            sign=1,
        )
        return self._merged(wanted, sought, way)

    def _merged(self, wanted: LogFilter, sought: LogFilter | None, way: _Way) -> Iterator[LogLine | None]:
        """Merge blocks; one is opened only when the lines before it have been given out, and None after each.

        Lines wait until no block that is still closed can hold one that comes before them. What is added after the
        beginning is passed over, so that no line comes out of order.
        """
        newest, sign = self._number, way.sign
        chosen = [block for target, log in self._logs.items() if wanted.of(target) for block in log if way.meets(block)]
        closed = sorted(((way.order(block), at, block) for at, block in enumerate(chosen)), reverse=True)
        waiting: list[tuple[float, int, Block, int]] = []
        while closed or waiting:
            while closed and (not waiting or closed[-1][0] <= waiting[0][0]):
                block = closed.pop()[2]
                for at in block.matching(wanted, sought):
                    place = block.place(at)
                    if place[1] <= newest and way.within(place):
                        heappush(waiting, (sign * place[0], sign * place[1], block, at))
                yield None
            if waiting:
                _, _, block, at = heappop(waiting)
                yield block.line(at)


def _taken(lines: Iterator[LogLine | None], most: int) -> Looking[tuple[LogLine, ...]]:
    """So many lines, or all there are."""
    taken: list[LogLine] = []
    for line in lines:
        if line is None:
            yield
            continue
        taken.append(line)
        if len(taken) >= most:
            break
    return tuple(taken)


def _pieces(octets: bytes) -> Iterator[bytes]:
    """Whole lines in pieces that are quickly looked at; one line is not cut, however long."""
    weight = len(octets) + PER_LINE * octets.count(b"\n")
    middle = octets.rfind(b"\n", 0, len(octets) // 2) + 1 or octets.find(b"\n") + 1
    if weight <= LONG // 2 or middle in (0, len(octets)):
        yield octets
        return
    yield from _pieces(octets[:middle])
    yield from _pieces(octets[middle:])
