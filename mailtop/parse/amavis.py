"""What amavisd's children do, from the titles that they give themselves. Source: amavis 2.13 (`$0 =` in its modules).

`(ch5-avail)` and `(virgin child)` wait for a connection; `(ch5-00123-05-idle)`, `(ch5-idle)` hold one and wait for its
client; `(00123-05)`, `(ch5-00123-05)`, `(ch5-accept)`, `(ch5)` work; `(ch5-finish)` ends.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterable

from msgspec import Struct

_CHILD = re.compile(rb"child (\d+) .*amavisd\S* \((.*)\)$")
_FILE = re.compile(rb"file (\d+) .*/amavis-\d{8}T\d{6}-0*(\d+)-[^/]+/(email\.txt|parts)(/.*)?$")


class Children(Struct, frozen=True):
    """`master`: it runs. `free`, `waiting` (on a client) and `working` children; `oldest`: seconds, None: not known."""

    master: bool
    free: int = 0
    waiting: int = 0
    working: int = 0
    oldest: int | None = None


def children(lines: Iterable[bytes], now: int) -> Children:
    """Read `child PID TITLE` and `file MTIME PATH` lines.

    A child keeps its folder from mail to mail. Where that holds parts, or a mail newer than the last clearing of the
    parts, the mail's file tells since when it is being checked; else the mail is not there yet.
    """
    states: dict[int, str] = {}
    written: dict[int, int] = {}
    cleared: dict[int, int] = {}
    parts: dict[int, int] = defaultdict(int)
    master = False
    for line in lines:
        if match := _CHILD.fullmatch(line):
            title = match[2]
            if title == b"master":
                master = True
            elif not title.endswith(b"-finish"):
                states[int(match[1])] = _state(title)
        elif match := _FILE.fullmatch(line):
            at, pid = int(match[1]), int(match[2])
            if match[4]:
                parts[pid] += 1
            else:
                (written if match[3] == b"email.txt" else cleared)[pid] = at
    since = [
        written[pid]
        for pid, state in states.items()
        if state == "working" and pid in written and (parts[pid] or written[pid] > cleared.get(pid, now))
    ]
    counts = Counter(states.values())
    oldest = max(0, now - min(since)) if since else None
    return Children(master, counts["free"], counts["waiting"], counts["working"], oldest)


def _state(title: bytes) -> str:
    if title == b"virgin child" or title.endswith(b"-avail"):
        return "free"
    return "waiting" if title.endswith(b"-idle") else "working"
