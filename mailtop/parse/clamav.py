"""ClamAV's databases and freshclam's log. Sources: `libclamav/cvd.c`, `libfreshclam/libfreshclam_internal.c` of 1.4."""

from __future__ import annotations

import re
from datetime import UTC, datetime

from msgspec import Struct

from mailtop.model.errors import ParseError
from mailtop.model.text import Foreign, shown

_STARTED = re.compile(rb"update process started at (\w{3} \w{3} [ \d]\d \d\d:\d\d:\d\d \d{4})")
_DONE = re.compile(rb"daily\.c[vl]d (?:updated|database is up-to-date) \(version: ")


class Database(Struct, frozen=True):
    """One database's header. `built`: seconds since the epoch."""

    version: int
    signatures: int
    built: int


def database(header: bytes) -> Database:
    """Read the first 512 bytes of a .cvd, .cld or .cud: nine fields, the last of them the time it was built.

    >>> database(b"ClamAV-VDB:24 Nov 2026 12-41 +0000:27781:1:90:X:X:lab:1795524099   ")
    Database(version=27781, signatures=1, built=1795524099)
    """
    fields = header.split(b":")
    if len(fields) < 9 or fields[0] != b"ClamAV-VDB":
        raise ParseError("ClamAV database", f"no header: {shown(Foreign(header), 80)!r}")
    try:
        return Database(int(fields[2]), int(fields[3]), int(fields[8]))
    except ValueError as error:
        raise ParseError("ClamAV database", f"header without numbers: {shown(Foreign(header), 80)!r}") from error


def since_success(lines: list[bytes]) -> float | None:
    """Return seconds between the last run of freshclam that had the daily database and the last run; None: no such run.

    The log's times are of a zone that nobody tells: only their differences are used.
    """
    started = good = None
    for line in lines:
        if match := _STARTED.search(line):
            started = _time(match[1])
        elif _DONE.search(line):
            good = started
    return (started - good).total_seconds() if started and good else None


def _time(text: bytes) -> datetime | None:
    try:
        return datetime.strptime(text.decode("ascii"), "%a %b %d %H:%M:%S %Y").replace(tzinfo=UTC)
    except ValueError:
        return None
