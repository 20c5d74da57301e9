"""On which ports somebody listens, from the kernel's tables of its network namespace. Source: proc_pid_net(5), tcp.

An address is in hexadecimal, in the host's order of bytes, which on all that Docker runs on is little-endian; the
state of a socket that listens is `0A`.
"""

from __future__ import annotations

import re

from mailtop.model.errors import ParseError
from mailtop.model.text import Foreign, shown

LISTEN = ("grep", "-h", "-s", " 0A ", "/proc/net/tcp", "/proc/net/tcp6")
"""Asks for these lines only: a server has thousands of others."""

_ROW = re.compile(rb"\s*\d+: ([0-9A-F]{32}|[0-9A-F]{8}):([0-9A-F]{4}) [0-9A-F]+:0000 0A ")
_LOOPBACK = re.compile(rb"[0-9A-F]{6}7F|0{24}01000000|0{16}FFFF0000[0-9A-F]{6}7F")


def ports(stdout: bytes) -> dict[int, bool]:
    r"""Return the ports, and whether each can be reached from outside of its own machine or container.

    >>> ports(b"   0: 00000000:0019 00000000:0000 0A 0\n   1: 0100007F:2729 00000000:0000 0A 0\n")
    {25: True, 10025: False}
    """
    found: dict[int, bool] = {}
    for line in stdout.splitlines():
        row = _ROW.match(line)
        if row is None:
            raise ParseError("/proc/net/tcp", f"no socket that listens: {shown(Foreign(line), 80)!r}")
        port = int(row[2], 16)
        found[port] = found.get(port, False) or _LOOPBACK.fullmatch(row[1]) is None
    return found
