"""A log file, followed through rotation: by rename, by copy and truncation, by replacing; packed or not.

No program is left running on the host: once a second the file is looked at, and read where it has grown. A place in it
is known by the bytes before it (`Spot`), so it is found again under another name, in a copy, or in a packed file. What
is found nowhere any more is a gap, told with the first line after it.

A file that was rotated away may still be written to, until its daemon opens the new one: so the old one is left only
when the new one had something in it *before* the old one was read to its end.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Protocol

from msgspec.structs import replace

from mailtop.model.ask import Chunk
from mailtop.model.errors import Denied, Garbled, LinkLost, Missing, ParseError
from mailtop.parse.log_file import PRINT, Look, Sibling, Spot, printed
from mailtop.parse.log_times import LogTimes

PACE = 1.0  # seconds between two looks
CHUNK = 256 << 10
LINE_LIMIT = 128 << 10
NARROW = 64 << 10  # bytes that are read at a file's end, or where a search by time has come close
DISORDER = 2.0  # seconds by which lines may be out of order


class Files(Protocol):
    """Where the files are."""

    def look(self, path: str, start: int = 0, known: int = -1, packing: str = "") -> Look:
        """See a file, with its bytes from `start` on or a little before, CHUNK of them at the least where there are so
        many; with none if it is `known` bytes long. A packed one is seen unpacked. Raises from AskFailed: Missing where
        there is no such file, Denied where it may not be read."""

    def family(self, path: str) -> tuple[Sibling, ...]:
        """See the file and all that it was rotated into, oldest first, the file itself last."""


class LogFile:
    """One file, followed from one place on. `thing` names it in errors; `wait` returns False when it is all over."""

    def __init__(self, files: Files, path: str, thing: str, wait: Callable[[float], bool]) -> None:
        self._files = files
        self._path = path
        self._thing = thing
        self._wait = wait
        self._times = LogTimes()
        self._spot = Spot("", 0, "", 0.0)
        self._unchanged = ("", 0.0)  # the file and its time when it was seen to hold our place
        self._searched: tuple[tuple[str, str], ...] = ()  # the files among which our place was not found

    def follow(self, since: int = 0, resume: str = "") -> Iterator[Chunk]:
        """Yield what was and will be written, from `resume`, else from `since`, else from now on; see Source.follow."""
        try:
            newest = self._newest()
            self._spot = Spot.of(resume) if resume else self._beginning(since)
        except ParseError as error:
            raise Garbled(self._thing, error.reason) from error
        to_come = newest > self._spot.at or (since and not resume and newest == self._spot.at)
        yield Chunk(b"", self._spot.token, newest if to_come else 0.0)
        while True:
            yield from self._read_on()
            if not self._wait(PACE):
                raise LinkLost(self._thing, "closed")

    # where to begin

    def _newest(self) -> float:
        """When the newest line was written that is seen at once; the zone of the stamps is learnt on the way."""
        for one in reversed(self._family()):
            if one.size and not one.packing:
                try:
                    look = self._files.look(one.path, max(0, one.size - NARROW))
                except (Missing, Denied):
                    if one.path == self._path:
                        raise
                    continue
                whole = look.octets[: look.octets.rfind(b"\n") + 1]
                if look.whole:
                    self._times.learn(whole, look.mtime)
                return self._times.last(whole)
        return 0.0

    def _family(self) -> tuple[Sibling, ...]:
        family = self._files.family(self._path)
        if not family:
            self._files.look(self._path)  # says why
            raise Missing(self._thing, "no such file")
        return family

    def _beginning(self, since: int) -> Spot:
        """From `since` on; without one, behind the last whole line."""
        if since:
            return Spot("", 0, "", float(since))
        look = self._files.look(self._path)
        if not look.whole:
            look = self._files.look(self._path, look.size - NARROW)
        end = look.octets.rfind(b"\n") + 1
        if not end:
            return Spot("", 0, "", look.mtime)
        return Spot(look.file, look.start + end, printed(look.octets[:end]), self._times.last(look.octets[:end]))

    # going on

    def _read_on(self) -> Iterator[Chunk]:
        """Read all that there is by now."""
        try:
            while (look := self._here()) is not None:
                yield from self._lines(look)
                if look.whole or not look.octets:
                    return
            yield from self._elsewhere()
        except Missing:  # renamed or packed under our eyes: the next look finds it
            self._family()

    def _here(self) -> Look | None:
        """The file itself, if it is the one in which we stand."""
        spot = self._spot
        start = max(0, spot.offset - PRINT)
        try:
            look = self._files.look(self._path, start, spot.offset)
            if look.size == spot.offset and (look.file, look.mtime) != self._unchanged:
                look = self._files.look(self._path, start)  # perhaps truncated, and as long again
        except Missing:
            return None
        if not self._stands_in(look):
            return None
        self._unchanged = look.file, look.mtime
        return look

    def _stands_in(self, look: Look) -> bool:
        spot = self._spot
        if not spot.offset or look.size < spot.offset:
            return False
        if not look.octets:  # nobody has written to it since
            return True
        return printed(look.octets[: spot.offset - look.start]) == spot.print

    def _elsewhere(self) -> Iterator[Chunk]:
        """Find our place in the files that this one was rotated into, and read from there on; else by time."""
        family = self._family()
        at = self._found_in(family) if self._spot.offset else None
        if at is not None:
            newer = [one for one in family[at + 1 :] if one.size]
            yield from self._rest_of(family[at], ended=bool(newer))
        else:
            names = tuple((one.path, one.file) for one in family)
            if self._spot.offset and names != self._searched:  # perhaps it was being renamed just then
                self._searched = names
                return
            if self._spot.offset:
                self._spot = replace(self._spot, file="", offset=0, print="", lost=True)
            newer = [one for one in family if one.size and one.mtime + 1.0 > self._spot.at]
        self._searched = ()
        for one in newer:
            ended = one is not newer[-1]
            if self._spot.offset:
                yield from self._begun(one, ended)
            else:
                yield from self._since(one, ended)

    def _found_in(self, family: tuple[Sibling, ...]) -> int | None:
        """Which of the files holds our place."""
        spot, rotated = self._spot, range(len(family))
        for at in sorted(rotated, key=lambda at: (family[at].file != spot.file, -at)):
            one = family[at]
            if one.mtime + 1.0 + DISORDER > spot.at and (one.packing or one.size >= spot.offset):
                try:
                    look = self._read(one, max(0, spot.offset - PRINT))
                except Denied:
                    continue
                if look.octets and self._stands_in(look):
                    return at
        return None

    def _read(self, one: Sibling, start: int) -> Look:
        """Look at a file of the family, if it is still called so."""
        look = self._files.look(one.path, start, packing=one.packing)
        if look.file != one.file:
            raise Missing(self._thing, "renamed meanwhile")
        return look

    def _rest_of(self, one: Sibling, ended: bool) -> Iterator[Chunk]:
        """All that a file holds behind our place in it."""
        while True:
            look = self._read(one, max(0, self._spot.offset - PRINT))
            yield from self._lines(look, ended=ended)
            if look.whole:
                return

    def _begun(self, one: Sibling, ended: bool) -> Iterator[Chunk]:
        """All of the next file. As long as it holds no whole line, our place stays in the one before."""
        look = self._read(one, 0)
        yield from self._lines(look, 0, ended=ended)
        if not look.whole:
            yield from self._rest_of(one, ended)

    def _since(self, one: Sibling, ended: bool) -> Iterator[Chunk]:
        """What a file holds that was not written before our time; a file without any is left at its end."""
        offset = 0 if one.packing else self._sought(one)
        while True:
            look = self._read(one, max(0, offset - PRINT))
            octets, at = look.octets, offset - look.start
            at = octets.find(b"\n", at - 1) + 1 if at else 0
            end = octets.rfind(b"\n") + 1
            at += self._times.since(octets[at:end], self._spot.at) if at < end else 0
            if at < end:
                yield from self._lines(look, at, ended=ended)
                if not look.whole:
                    yield from self._rest_of(one, ended)
                return
            if look.whole:
                if one.path == self._path and end:
                    self._spot = replace(
                        self._spot, file=look.file, offset=look.start + end, print=printed(octets[:end])
                    )
                return
            offset = look.start + max(end, len(octets) - CHUNK)

    def _sought(self, one: Sibling) -> int:
        """An offset, not far before the first line that was not written before our time: a few looks find it."""
        low, high = 0, one.size
        while high - low > NARROW:
            middle = (low + high) // 2
            look = self._read(one, middle)
            lines = look.octets[look.octets.find(b"\n", middle - look.start) + 1 :][:NARROW]
            written = self._times.first(lines[: lines.rfind(b"\n") + 1])
            if written and written < self._spot.at - DISORDER:
                low = middle
            else:
                high = middle
        return low

    def _lines(self, look: Look, at: int | None = None, *, ended: bool = False) -> Iterator[Chunk]:
        """Cut what a look shows, from our place or from `at` on, into chunks of whole lines; move on behind each.

        `ended`: nothing more will be written there, so that a last line without its newline is one too.
        """
        octets = look.octets
        at = self._spot.offset - look.start if at is None else at
        if look.whole and octets.endswith(b"\n"):
            self._times.learn(octets[-CHUNK:], look.mtime)
        while (stop := _line_end(octets, at, ended and look.whole)) > at:
            lines = octets[at:stop] if octets[stop - 1] == 10 else octets[at:stop] + b"\n"
            old, written = self._spot, self._times.last(lines) or self._spot.at
            gap = max(0.0, (self._times.first(lines) or written) - old.at) if old.lost else 0.0
            self._spot = Spot(look.file, look.start + stop, printed(octets[max(0, stop - PRINT) : stop]), written)
            at = stop
            yield Chunk(lines, self._spot.token, written, gap)


def _line_end(octets: bytes, at: int, ended: bool) -> int:
    """Where a chunk that begins at `at` ends: behind a newline, or where a line is longer than any; else `at`."""
    stop = octets.rfind(b"\n", at, at + CHUNK) + 1
    if stop > at:
        return stop
    if len(octets) - at >= CHUNK:
        return at + LINE_LIMIT
    return len(octets) if ended else at
