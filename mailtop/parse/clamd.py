"""What clamd says over its socket, in a session of its own protocol. Source: clamd(8), `clamd/thrmgr.c`.

`nc` is what the official images hold (BusyBox's in one, OpenBSD's in the other); bash and perl stand in for it.
clamd answers PING at once, and STATS from a thread of its pool: with all of them busy, STATS waits.
"""

from __future__ import annotations

import re

from msgspec import Struct

from mailtop.model.errors import ParseError
from mailtop.model.text import Foreign, shown

TALK = r"""
u=$(sed -n 's,.* 00010000 .* \(/[^ ]*clam[^ ]*\)$,\1,p' /proc/net/unix 2>/dev/null | grep -v milter | head -n 1)
if grep -qs ':0CEE [0-9A-F]*:0000 0A ' /proc/net/tcp /proc/net/tcp6; then
    echo listens
    if command -v nc >/dev/null; then printf "$say" | timeout 3 nc 127.0.0.1 3310
    else timeout 3 bash -c 'exec 3<>/dev/tcp/127.0.0.1/3310 && printf "$0" >&3 && exec cat <&3' "$say"; fi
elif [ -n "$u" ]; then
    echo listens
    if nc -h 2>&1 | grep -q -e '-[0-9A-Za-z]*U'; then printf "$say" | timeout 3 nc -U "$u"
    else printf "$say" | timeout 3 perl -MIO::Socket::UNIX -e 'my $s = IO::Socket::UNIX->new($ARGV[0]) or die "$!\n";
        print $s <STDIN>; $s->flush; print while <$s>' "$u"; fi
fi
s=$?
case $s in 124 | 143) printf late ;; *) exit $s ;; esac
"""
"""Shell that tells `listens` where clamd does (port 3310, else a Unix socket with clam in its name), then its answers
to `$say` as they come within 3 s, each with its number before and a NUL behind; then `late` where some did not come."""

_THREADS = re.compile(rb"^THREADS: live (\d+)\s+idle (\d+)\s+max (\d+)", re.MULTILINE)
_QUEUE = re.compile(rb"^QUEUE: (\d+) items", re.MULTILINE)
_TASK = re.compile(rb"^\t(\S+) (\d+\.\d+) ", re.MULTILINE)
_NO_SCAN = (b"STATS", b"IDLE")  # the one that answers, and threads that wait for work
_VERSION = re.compile(rb"ClamAV ([^/\s]+)(?:/(\d+)/)?")


class Stats(Struct, frozen=True):
    """clamd's pool: threads that scan (without the one that answers), at most `threads`; `queue`: waiting for one.

    `oldest`: seconds that the longest scan has taken, None: none runs.
    """

    busy: int
    threads: int
    queue: int
    oldest: float | None = None


def replies(text: bytes) -> dict[int, bytes]:
    r"""Return a session's complete answers by their number.

    >>> replies(b"1: PONG\x002: ClamAV 1.4.6\x003: POO")
    {1: b'PONG', 2: b'ClamAV 1.4.6'}
    """
    pairs = (part.partition(b": ") for part in text.split(b"\0")[:-1])
    return {int(number): said for number, colon, said in pairs if colon and number.isdigit()}


def version(said: bytes) -> tuple[str, int | None]:
    """Return the engine's version, and that of the daily signatures it has loaded (None: none that it could read).

    >>> version(b"ClamAV 1.4.6/27654/Sat Nov 21 02:41:22 2026"), version(b"ClamAV 1.4.6")
    (('1.4.6', 27654), ('1.4.6', None))
    """
    if not (match := _VERSION.match(said)):
        raise ParseError("clamd", f"no version: {shown(Foreign(said), 80)!r}")
    return shown(Foreign(match[1]), 20), int(match[2]) if match[2] else None


def stats(said: bytes) -> Stats:
    """Read the answer to STATS; raises ParseError."""
    pool = said[said.find(b" PRIMARY\n") :]
    threads, queue = _THREADS.search(pool), _QUEUE.search(pool)
    if not threads or not queue or not said.endswith(b"END"):
        raise ParseError("clamd STATS", f"not what it was: {shown(Foreign(said), 80)!r}")
    live, idle, most = map(int, threads.groups())
    oldest = max((float(took) for task, took in _TASK.findall(pool) if task not in _NO_SCAN), default=None)
    return Stats(max(0, live - idle - 1), most, int(queue[1]), oldest)
