"""Lines of /proc/meminfo and /proc/vmstat. Source: proc_meminfo(5): `kB` are 1024 bytes; proc_vmstat(5)."""

from __future__ import annotations

import re

from mailtop.model.errors import ParseError
from mailtop.model.text import Foreign, shown

_LINE = re.compile(rb"(\w+):? +(\d+)( kB)?")


def read(octets: bytes) -> dict[bytes, int]:
    """Return bytes and counts by the kernel's names; raises ParseError where not even the size of memory is told.

    >>> read(b"MemTotal:       24683656 kB\\noom_kill 3\\n")
    {b'MemTotal': 25276063744, b'oom_kill': 3}
    """
    found = {}
    for line in octets.splitlines():
        match = _LINE.fullmatch(line)
        if match is None:
            raise _not_so(line)
        found[match[1]] = int(match[2]) * (1024 if match[3] else 1)
    if not found.get(b"MemTotal"):
        raise _not_so(octets)
    return found


def _not_so(octets: bytes) -> ParseError:
    return ParseError("/proc/meminfo", f"not what it was: {shown(Foreign(octets), 80)!r}")
