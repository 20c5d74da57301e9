"""The virus engine: does it answer, how many of its threads scan, what waits for one, how much memory it takes."""

from __future__ import annotations

from collections.abc import Iterator

from mailtop.model.ask import Answer, Command
from mailtop.model.errors import ParseError
from mailtop.model.sample import Fact, Sample
from mailtop.model.topology import Role
from mailtop.parse import clamd
from mailtop.probe import Board, Found, Metric, Poll

_SCRIPT = (
    r"""grep -sh '^VmRSS:' $(grep -slx clamd /proc/[0-9]*/comm | sed 's/comm$/status/') | head -n 1
say='zIDSESSION\0zPING\0zVERSION\0zSTATS\0zEND\0'"""
    + clamd.TALK
)


def read(answer: Answer) -> Iterator[Found]:
    """Yield what it answered. With no process and no listener it is down; with a process only, it may still load."""
    memory, listens, text = answer.ok("clamd").partition(b"listens\n")
    if memory:
        fields = memory.split()
        if len(fields) != 3 or not fields[1].isdigit():
            raise ParseError("clamd", "its process tells no memory")
        yield Sample("clamd_memory_bytes", int(fields[1]) * 1024)
        if not listens:
            reason = "runs, and listens on neither port 3310 nor a Unix socket: it may still load its signatures"
            raise ParseError("clamd", reason)
    replies = clamd.replies(text)
    up = replies.get(1) == b"PONG"
    yield Sample("clamd_up", int(up))
    if up and 2 in replies:
        yield Fact("version", clamd.version(replies[2])[0])
    if up and 3 in replies:
        stats = clamd.stats(replies[3])
        yield Sample("clamd_queue", stats.queue)
        yield Sample("clamd_threads_busy", stats.busy)
        yield Sample("clamd_threads_max", stats.threads)
        yield Sample("clamd_threads_busy_ratio", stats.busy / stats.threads if stats.threads else 1.0)
        if stats.oldest is not None:
            yield Sample("clamd_oldest_scan_seconds", stats.oldest)
    elif up and text.endswith(b"\0late"):
        yield Sample("clamd_threads_busy_ratio", 1.0)
    elif up:
        raise ParseError("clamd", "ended the session before it told its STATS")


BOARD = Board(
    "filter",
    "clamd",
    (
        Metric("clamd_up", "answers", crit=0.0, falls=True, means="1: clamd answers PING within 3 s"),
        Metric("clamd_threads_busy_ratio", "threads busy", "%", 0.8, 1.0, means="threads that scan; at 1 STATS waits"),
        Metric("clamd_queue", "queue", warn=5, crit=20, means="scans that wait for a thread"),
        Metric("clamd_oldest_scan_seconds", "oldest scan", "s", means="how long the longest running scan has taken"),
        Metric("clamd_threads_max", "threads", means="MaxThreads: how many scans it runs at once"),
        Metric("clamd_memory_bytes", "memory", "B", means="resident memory; a reload may double it"),
    ),
    order=20,
)

PROBE = Poll("clamd", Role.ANTIVIRUS, Command(("sh", "-c", _SCRIPT)), read, every=15.0, board=BOARD)
