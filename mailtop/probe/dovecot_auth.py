"""How long Dovecot's auth process takes to say that it knows no such user: what each login waits for at least.

`doveadm auth lookup` of a name that nobody has goes through the auth process, its workers and their database, and
changes nothing: exit 67 (no such user), 0 (where every name is a user) or 75 (it could not tell). What is measured is
the program's time on the host, its start of some 10 ms among it. With `auth_verbose` it leaves a line in the log.
The metrics of `doveadm stats dump` are sums since the start, in which nobody sees the last minute.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from mailtop.model.ask import Answer, Command
from mailtop.model.errors import ParseError
from mailtop.model.sample import Sample
from mailtop.model.text import Foreign, shown
from mailtop.model.topology import Role
from mailtop.probe import Board, Found, Metric, Needs, Poll

TOOK, ANSWERS = "dovecot_auth_lookup_seconds", "dovecot_auth_answers"
NOBODY = "mailtop@latency.invalid"
NO_USER, CANNOT_TELL, LATE = 67, 75, 137  # killed: doveadm does not heed a kinder signal while it waits

_TIMED = (
    'a=$(date +%s%N); timeout -s KILL 4 doveadm auth lookup "$1" >/dev/null; r=$?;'
    ' b=$(date +%s%N); echo "took $a $b"; exit $r'
)
_TOOK = re.compile(rb"took (\d{16,20}) (\d{16,20})\n")


def read(answer: Answer) -> Iterator[Found]:
    """Yield whether it answers, and how long that takes."""
    if answer.exit not in (0, NO_USER, CANNOT_TELL, LATE):
        answer.ok("doveadm auth", "only root may ask it")
    took = _TOOK.fullmatch(answer.stdout)
    if took is None:
        raise ParseError("doveadm auth", f"tells no time: {shown(Foreign(answer.stdout), 80)!r}")
    yield Sample(ANSWERS, int(answer.exit in (0, NO_USER)))
    yield Sample(TOOK, max(0, int(took[2]) - int(took[1])) / 1e9)


BOARD = Board(
    "sessions",
    "auth",
    (
        Metric(
            ANSWERS, "answers", crit=0.0, falls=True, means="1: knows whether a user exists; 0: says it cannot tell"
        ),
        Metric(TOOK, "lookup", "s", 0.25, 2.0, means="a lookup of a user who does not exist, through its database"),
    ),
    order=16,
)

PROBE = Poll(
    "dovecot_auth",
    Role.IMAP,
    Command(("sh", "-c", _TIMED, "sh", NOBODY), timeout=12.0, large=True),
    read,
    every=60.0,
    needs=Needs(binary=("doveadm", "timeout"), root=True),
    board=BOARD,
)
