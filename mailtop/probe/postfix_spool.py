"""Room for mail that comes in: Postfix refuses it (452 4.3.1) where its queue's filesystem has too little left.

It wants one and a half times `message_size_limit`, and at least `queue_minfree`. Source: postconf(5), queue_minfree.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from mailtop.model.ask import Asking, Command
from mailtop.model.errors import ParseError
from mailtop.model.sample import Sample
from mailtop.model.text import Foreign, shown
from mailtop.model.topology import Role, Target
from mailtop.parse import postfix_settings
from mailtop.probe import Board, Found, Metric, Needs, Probe

TIMES = 1.5  # of message_size_limit, that must be free


def run(target: Target) -> Asking[Iterable[Found]]:
    """Ask for the settings, seldom, and for the filesystem of this instance's queue."""
    argv = ("postconf", *target.config, "queue_directory", "message_size_limit", "queue_minfree")
    settings = postfix_settings.settings((yield Command(argv, lasts=300.0)).ok("postconf"))
    queue, limit, least = (settings.get(name, "") for name in argv[-3:])
    if not queue.startswith("/") or not limit.isdigit() or not least.isdigit():
        said = f"{queue}, {limit}, {least}".encode("utf-8", "replace")
        raise ParseError(
            "postconf", f"queue_directory, message_size_limit, queue_minfree: {shown(Foreign(said), 80)!r}"
        )
    free = _available((yield Command(("df", "-P", "-k", "--", queue), timeout=5.0)).ok("df"))
    return tuple(_told(free, max(TIMES * int(limit), int(least))))


def _available(stdout: bytes) -> int:
    """Bytes that are left to those who are not root, as Postfix counts too."""
    line = stdout.rstrip(b"\n").rpartition(b"\n")[2].split(None, 5)
    if len(line) < 6 or not line[1].isdigit() or not line[3].lstrip(b"-").isdigit():
        raise ParseError("df", f"no filesystem: {shown(Foreign(stdout), 80)!r}")
    return max(0, int(line[3])) * 1024


def _told(free: int, needed: float) -> Iterator[Sample]:
    yield Sample("postfix_spool_available_bytes", free)
    if needed:  # neither limit is set: it takes mail as long as there is room
        yield Sample("postfix_spool_needed_bytes", needed)
        yield Sample("postfix_spool_room_ratio", round(free / needed, 4))


BOARD = Board(
    "hosts",
    "spool",
    (
        Metric(
            "postfix_spool_room_ratio",
            "room for mail",
            "",
            2.0,
            1.0,
            falls=True,
            means="space that is free for the queue, in times of what Postfix wants: below 1 it refuses all mail",
        ),
        Metric("postfix_spool_available_bytes", "free", "B", means="on the filesystem of Postfix's queue"),
        Metric(
            "postfix_spool_needed_bytes",
            "wanted free",
            "B",
            means="one and a half times message_size_limit, at least queue_minfree",
        ),
    ),
    order=25,
)

PROBE = Probe("postfix_spool", Role.MTA, run, every=30.0, needs=Needs(binary=("postconf", "df")), board=BOARD)
