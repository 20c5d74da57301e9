"""What /proc tells of spamd: its command line, its children, its connections. Sources: spamd(1), proc(5)."""

from __future__ import annotations

import re
from collections.abc import Iterable

from msgspec import Struct

_SOCKET = re.compile(rb"\s*\d+: [0-9A-F]+:030F [0-9A-F]+:[0-9A-F]+ ([0-9A-F]{2}) \S+:([0-9A-F]{8}) (.*)")
_MOST = re.compile(rb" (?:--max-children[= ]|-m ?)(\d+)(?= |$)")


class Sockets(Struct, frozen=True):
    """Of port 783: does something listen, connections that are `taken` by a child, and that `wait` to be."""

    listens: bool
    taken: int
    wait: int


def sockets(lines: Iterable[bytes]) -> Sockets:
    """Read lines of /proc/net/tcp and tcp6. What nobody took yet has no inode, and is counted by the listener."""
    listeners = taken = wait = 0
    for line in lines:
        if match := _SOCKET.match(line):
            state, queue, rest = match.groups()
            if state == b"0A":
                listeners += 1
                wait += int(queue, 16)
            elif state in (b"01", b"08") and rest.split()[4:5] not in ([], [b"0"]):  # established, or half closed
                taken += 1
    return Sockets(listeners > 0, taken, wait)


def most_children(args: bytes) -> int | None:
    """Return how many children a command line allows: five where it does not say; None from a daemon, which hides it.

    >>> most_children(b"/usr/bin/perl /usr/sbin/spamd -L -m 3 -s stderr"), most_children(b"/usr/bin/perl spamd -L")
    (3, 5)
    >>> most_children(b"spamd")
    """
    if args.strip() == b"spamd":
        return None
    match = _MOST.search(args)
    return int(match[1]) if match else 5
