"""What is known of a log file and of those that it was rotated into: places in them, their order in time.

Source: logrotate(8): `mail.log.1`, `mail.log.2.gz`, `mail.log-20261124`, with `extension` `mail-20261124.log`.
"""

from __future__ import annotations

import re
from hashlib import blake2b

from msgspec import Struct

from mailtop.model.errors import ParseError
from mailtop.model.text import Foreign

PRINT = 256  # bytes before a place by which it is known again, whatever the file is called by now
UNPACKERS = {"gz": ("gzip", "-dc"), "xz": ("xz", "-dc"), "bz2": ("bzip2", "-dc"), "zst": ("zstd", "-dcq")}

_ROTATED = re.compile(r"[.-](\d[\d.-]*|old)(?:\.(gz|xz|bz2|zst))?")
_DATED = 10_000  # a number from here on is a date, and grows with time; below, it grows with age
_REGULAR = 0x8000


class Spot(Struct, frozen=True):
    """A place between two lines of a file: where the next reading goes on. Opaque outside as `token`.

    `file`: device and inode, `offset` in bytes (unpacked), `print`: a hash of the bytes before it, `at`: when the last
    line before it was written, seconds since the epoch. Offset 0: no place, but all lines written since `at`.
    `lost`: lines after `at` are missing, and nothing has told yet how long.
    """

    file: str
    offset: int
    print: str
    at: float
    lost: bool = False

    @classmethod
    def of(cls, token: str) -> Spot:
        """Read a token; raises ParseError.

        >>> Spot.of("2049:131 4096 9f86d081884c7d65 1795505338.0 0").offset
        4096
        """
        words = token.split(" ")
        try:
            file, offset, hashed, at, lost = words
            return cls(file, int(offset), hashed, float(at), lost == "1")
        except ValueError as error:
            raise ParseError("resume point", f"{token[:60]!r} is none of a log file") from error

    @property
    def token(self) -> str:
        """The resume point as text."""
        return f"{self.file or '-'} {self.offset} {self.print or '-'} {self.at!r} {self.lost:d}"


def printed(octets: bytes) -> str:
    """The hash of what stands before a place."""
    return blake2b(octets[-PRINT:], digest_size=8).hexdigest()


class Look(Struct, frozen=True):
    """A file as it was at one moment: who it is, how long, when written; and `octets` of it from `start` on."""

    file: str
    size: int
    mtime: float
    start: int = 0
    octets: bytes = b""

    @property
    def whole(self) -> bool:
        """Do the octets reach to its end?"""
        return self.start + len(self.octets) >= self.size


class Sibling(Struct, frozen=True):
    """The followed file, or one that it was rotated into. `packing`: `gz` …, empty where it is plain."""

    path: str
    file: str
    size: int
    mtime: float
    packing: str = ""


def look_of(answer: bytes, start: int) -> Look:
    r"""Read what the host's look at a file printed: a line of `stat`, and the octets from `start` on.

    >>> look_of(b"2049:131 6 1795505338\none\ntwo\n", 0).octets
    b'one\ntwo\n'
    """
    line, newline, octets = answer.partition(b"\n")
    words = line.split(b" ")
    if not newline or len(words) != 3 or not words[1].isdigit() or not words[2].isdigit():
        raise ParseError("stat", Foreign(b"says " + line[:80]))
    return Look(words[0].decode("ascii", "replace"), int(words[1]), float(words[2]), start, octets)


def family_of(answer: bytes, path: str) -> tuple[Sibling, ...]:
    """Read `stat`'s lines for a file and its possible siblings: those that are, oldest first, `path` itself last.

    A packed file beside its plain self is still being packed.
    """
    found = {}
    for line in answer.splitlines():
        words = line.decode("utf-8", "surrogateescape").split(" ", 4)
        if len(words) == 5 and words[1].isdigit() and words[2].isdigit() and int(words[3], 16) & 0xF000 == _REGULAR:
            known = _rotated(words[4], path)
            if known is not None:
                found[words[4]] = (known[0], Sibling(words[4], words[0], int(words[1]), float(words[2]), known[1]))
    plain = {name for name, (_, one) in found.items() if not one.packing}
    kept = [
        (order, one)
        for order, one in found.values()
        if one.path.removesuffix(f".{one.packing}") not in plain - {one.path}
    ]
    return tuple(one for _, one in sorted(kept, key=lambda pair: (pair[1].path == path, pair[1].mtime, pair[0])))


def _rotated(name: str, path: str) -> tuple[int, str] | None:
    """A rotated file's place in the order of those written in the same second, and how it is packed; else None."""
    if name == path:
        return 0, ""
    stem, dot, extension = path.rpartition(".")
    match = _ROTATED.fullmatch(name[len(path) :]) if name.startswith(path) else None
    if match is None and dot and "/" not in extension and name.startswith(stem):
        match = re.fullmatch(rf"[.-](\d[\d.-]*)\.{re.escape(extension)}(?:\.(gz|xz|bz2|zst))?", name[len(stem) :])
    if match is None:
        return None
    digits = re.sub(r"\D", "", match[1])
    number = int(digits) if digits else 0
    return (number if number >= _DATED else -number), match[2] or ""
