"""Docker's stream of frames and stamps, as it comes over the Engine API.

Source: Docker Engine API, "Attach to a container", stream format: a frame is one byte of stream (1 stdout, 2 stderr,
3 the daemon's own error), three zero bytes, four bytes of length, the payload. A container with a TTY has no frames.
With `timestamps=1` each message begins with its RFC 3339 time and a space; the Engine writes nine digits and `Z`.
Messages longer than 16 KiB come in pieces without a newline that share one stamp.
"""

from __future__ import annotations

import re
from array import array
from datetime import UTC, datetime
from struct import Struct as Layout

from msgspec import Struct

from mailtop.model.errors import ParseError
from mailtop.model.text import Foreign

LINE_LIMIT = 128 << 10  # a joined line is cut here, so that a chunk stays bounded
FRAME_LIMIT = 16 << 20  # the Engine's frames are below 64 KiB; more is no frame but junk
PIECE = 16 << 10  # where the Engine splits a message

_STDOUT, _STDERR, _DAEMON = 0x01000000, 0x02000000, 0x03000000
_HEADER = Layout(">LL")
_STAMP = len("2026-11-24T02:46:32.722256346Z")
_RFC3339 = re.compile(rb"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:\.(\d{1,9}))?(Z|[+-]\d\d:\d\d) ")
_SET_BACK = 60.0  # seconds; a stamp so far behind the newest means that the host's clock was set back


def demux(octets: bytes) -> tuple[bytes, bytes, int]:
    r"""Return (stdout, stderr, octets used) of the whole frames at the start of `octets`; raises ParseError.

    >>> demux(b"\1\0\0\0\0\0\0\2hi\2\0\0\0\0\0\0\3no\n\1\0\0\0")
    (b'hi', b'no\n', 21)
    """
    out: list[bytes] = []
    err: list[bytes] = []
    at, end = 0, len(octets)
    while at + 8 <= end:
        head, size = _HEADER.unpack_from(octets, at)
        stop = at + 8 + size
        _check(head, size, octets, at)
        if stop > end:
            break
        (out if head == _STDOUT else err).append(octets[at + 8 : stop])
        at = stop
    return b"".join(out), b"".join(err), at


class Position(Struct, frozen=True):
    """A point in a log, between two lines: where the next reading goes on. Opaque outside as `token`.

    Several lines may share one stamp, and two streams are stamped before they are written, so that a line may come
    behind a later one. Hence: the newest stamp, how many lines with it were read, and how many older ones came
    `behind` the last of those. `count` 0: all lines up to `stamp` are read. An empty stamp: the log's beginning.
    """

    stamp: bytes = b""
    count: int = 0
    behind: int = 0

    @classmethod
    def of(cls, token: str) -> Position:
        """Read a token; raises ParseError.

        >>> Position.of("2026-11-24T02:46:32.722256346Z 2 0").count
        2
        """
        if token == "start":  # noqa: S105  (a resume point, no secret)
            return cls()
        stamp, _, rest = token.partition(" ")
        count, _, behind = rest.partition(" ")
        if len(stamp) != _STAMP or not stamp.isascii() or not count.isdigit() or not behind.isdigit():
            raise ParseError("resume point", f"{token[:60]!r} is none of a Docker log")
        return cls(stamp.encode(), int(count), int(behind))

    @property
    def token(self) -> str:
        """The resume point as text."""
        return f"{self.stamp.decode()} {self.count} {self.behind}" if self.stamp else "start"

    @property
    def since(self) -> int:
        """What to ask the Engine for: whole seconds since the epoch, one second early for lines out of order."""
        return max(0, int(epoch(self.stamp)) - 1) if self.stamp else 0


class LogReader:
    """Makes whole lines of what a log stream sends, and drops those that are `position` or before it.

    `position` moves with every line that is returned. `lost_until`: the stamp of the first line when the line at
    the resume point is no longer in the log, else empty: what lies between is lost, or never was. `stamps`: those of
    the lines that were returned last.
    """

    def __init__(self, position: Position | None = None, tty: bool = False) -> None:
        self.position = position
        self.stamps: list[bytes] = []
        self.lost_until = b""
        self._seek = position
        self._found = 0
        self._behind = 0
        self._tty = tty
        self._split = self._split_text if tty else self._split_frames
        self._rest = b""
        self._open: dict[int, tuple[bytes, list[bytes]]] = {}  # by stream: the stamp and pieces of an unfinished line

    def feed(self, octets: bytes) -> bytes:
        """Return the whole, new lines in what has come so far, without stamps; raises ParseError."""
        return self._kept(*self._split(self._rest + octets if self._rest else octets))

    def end(self) -> bytes:
        """The stream is over: return a last line that never got its newline."""
        stamps, lines = self._split(self._rest + b"\n") if self._tty and self._rest else ([], [])
        for stream in tuple(self._open):
            self._finish(stream, stamps, lines)
        return self._kept(stamps, lines)

    @property
    def times(self) -> bytes:
        """When each of the lines was written that were returned last: seconds since the epoch, as doubles."""
        return array("d", map(epoch, self.stamps)).tobytes()

    @property
    def cut(self) -> bool:
        """Does the stream stand in the middle of a frame?"""
        return bool(self._rest) and not self._tty

    def _kept(self, stamps: list[bytes], lines: list[bytes]) -> bytes:
        self.stamps = stamps
        if not stamps:
            return b""
        if self._seek is not None:
            known = self._known(self._seek, stamps)
            if known:
                del stamps[:known], lines[:known]
            if not stamps:
                return b""
        self._move(stamps)
        return b"".join(lines)

    def _known(self, seek: Position, stamps: list[bytes]) -> int:
        """How many of these lines were read before. Ends the seeking at the first new one."""
        for index, stamp in enumerate(stamps):
            if self._found < seek.count and stamp <= seek.stamp:
                self._found += stamp == seek.stamp
            elif seek.count == 0 and stamp <= seek.stamp:
                continue
            elif self._found == seek.count and self._behind < seek.behind and stamp <= seek.stamp:
                self._behind += 1
            else:
                if seek.count and not self._found:
                    self.lost_until = stamp
                self._seek = None
                return index
        return len(stamps)

    def _move(self, stamps: list[bytes]) -> None:
        newest = max(stamps)
        count = stamps.count(newest)
        at = len(stamps) - 1
        while stamps[at] != newest:
            at -= 1
        after = stamps[at + 1 :]
        old = self.position
        if old is not None and newest <= old.stamp and epoch(old.stamp) - epoch(newest) < _SET_BACK:
            if newest == old.stamp:
                count, behind = old.count + count, 0
            else:
                newest, count, behind, after = old.stamp, old.count, old.behind, stamps
        else:
            behind = 0
        if after:  # those that the Engine would send again, asked from `since` on
            since = Position(newest).since
            behind += sum(epoch(stamp) >= since for stamp in after)
        self.position = Position(newest, count, behind)

    def _split_frames(self, octets: bytes) -> tuple[list[bytes], list[bytes]]:
        stamps: list[bytes] = []
        lines: list[bytes] = []
        at, end = 0, len(octets)
        unpack, unfinished = _HEADER.unpack_from, self._open
        while at + 8 <= end:
            head, size = unpack(octets, at)
            text = at + 8 + _STAMP + 1
            stop = at + 8 + size
            if stop > end or head == _DAEMON:
                _check(head, size, octets, at)
                break
            if (  # the shape of nearly all: one whole line behind the Engine's own stamp
                not unfinished
                and text <= stop
                and octets[text - 2] == 90  # Z
                and octets[text - 1] == 32
                and octets[stop - 1] == 10
                and head in (_STDOUT, _STDERR)
            ):
                stamps.append(octets[at + 8 : text - 1])
                lines.append(octets[text:stop])
            else:
                _check(head, size, octets, at)
                self._piece(head, octets[at + 8 : stop], stamps, lines)
            at = stop
        self._rest = octets[at:]
        return stamps, lines

    def _piece(self, stream: int, message: bytes, stamps: list[bytes], lines: list[bytes]) -> None:
        """Take one message: a whole line, or a piece of one."""
        if not message:
            return
        stamp, text = _stamped(message)
        if stream in self._open and self._open[stream][0] != stamp:  # a program ended without a newline
            self._finish(stream, stamps, lines)
        _, pieces = self._open.setdefault(stream, (stamp, []))
        if sum(map(len, pieces)) < LINE_LIMIT:
            pieces.append(text[:LINE_LIMIT])
        if text.endswith(b"\n"):
            self._finish(stream, stamps, lines)

    def _finish(self, stream: int, stamps: list[bytes], lines: list[bytes]) -> None:
        stamp, pieces = self._open.pop(stream)
        line = b"".join(pieces)[:LINE_LIMIT]
        stamps.append(stamp)
        lines.append(line if line.endswith(b"\n") else line + b"\n")

    def _split_text(self, octets: bytes) -> tuple[list[bytes], list[bytes]]:
        """A TTY's stream: stamps, no frames, CR LF. The pieces of a long line each carry the stamp again."""
        stamps: list[bytes] = []
        lines: list[bytes] = []
        *whole, rest = octets.split(b"\n")
        if len(rest) > 8 * LINE_LIMIT:
            raise ParseError("docker log", "a megabyte without a line's end")
        for message in whole:
            stamp, text = _stamped(message + b"\n")
            while len(text) > PIECE and text.startswith(stamp + b" ", PIECE):
                self._piece(_STDOUT, stamp + b" " + text[:PIECE], stamps, lines)
                text = text[PIECE + _STAMP + 1 :]
            text = text[:-2] + b"\n" if text.endswith(b"\r\n") else text
            self._piece(_STDOUT, stamp + b" " + text, stamps, lines)
        self._rest = rest
        return stamps, lines


def epoch(stamp: bytes) -> float:
    """Return a stamp of nine digits and `Z` as seconds since the epoch.

    >>> epoch(b"2026-11-24T02:46:32.500000000Z")
    1795488392.5
    """
    seconds = datetime.fromisoformat(stamp[:19].decode("ascii", "replace")).replace(tzinfo=UTC).timestamp()
    return seconds + int(stamp[20:29]) / 1e9


def _stamped(message: bytes) -> tuple[bytes, bytes]:
    """Split a message into its stamp, in UTC with nine digits whatever the daemon writes, and its text."""
    match = _RFC3339.match(message)
    if match is None:
        raise ParseError("docker log", Foreign(b"no time before: " + message[:60]))
    moment, fraction, zone = match.groups()
    if zone != b"Z":
        there = datetime.fromisoformat((moment + zone).decode())
        moment = there.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S").encode()
    return b"%s.%sZ" % (moment, (fraction or b"").ljust(9, b"0")), message[match.end() :]


def _check(head: int, size: int, octets: bytes, at: int) -> None:
    if head == _DAEMON:
        raise ParseError("docker stream", Foreign(b"the Engine says: " + octets[at + 8 : at + 8 + min(size, 300)]))
    if head not in (_STDOUT, _STDERR) or size > FRAME_LIMIT:
        raise ParseError("docker stream", Foreign(b"no frame begins with " + octets[at : at + 8]))
