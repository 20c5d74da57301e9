"""Dovecot's own replication (2.3): users that wait for the other node, and users that could not be copied to it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from mailtop.model.ask import Asking, Command
from mailtop.model.board import Line
from mailtop.model.errors import ParseError
from mailtop.model.health import Health
from mailtop.model.sample import Fact, Sample
from mailtop.model.text import Foreign
from mailtop.model.topology import Role, Target
from mailtop.parse import dovecot
from mailtop.probe import Board, Found, Metric, Needs, Probe, Table

LINES = 50
USERS = 5000  # up to so many all are listed when some failed: there is no question for those alone
USAGE = 64  # EX_USAGE: doveadm knows no such command
QUEUES = {
    b"Queued 'sync' requests": "sync",
    b"Queued 'high' requests": "high",
    b"Queued 'low' requests": "low",
    b"Queued 'full resync' requests": "full_resync",
}
FAILED = (b"Queued 'failed' requests", b"Waiting 'failed' requests")  # to be tried now, and later
KNOWN = b"Total number of known users"

_STATUS = ("doveadm", "-f", "tab", "replicator", "status")


def run(target: Target) -> Asking[Iterable[Found]]:  # noqa: ARG001 — the same question to all
    """Ask for the totals, and for the users where some failed; say why there are none."""
    status = yield Command(_STATUS)
    if status.exit == USAGE and b"replicator" not in status.stderr:
        return (Fact("dovecot_replication", "this Dovecot has none: the replicator was removed in 2.4"),)
    if status.exit and b"replicator-doveadm) failed: No such file" in status.stderr:
        dovecot.services((yield Command(("doveadm", "-f", "tab", "service", "status"))))  # a stopped one has none too
        return (Fact("dovecot_replication", "not configured: no replicator-doveadm socket"),)
    thing = "doveadm replicator status"
    totals = {name: dovecot.number(thing, value) for name, value in dovecot.table(thing, status, b"field", b"value")}
    if KNOWN not in totals:
        raise ParseError(thing, "no total of users")
    found = tuple(_totals(totals))
    if not any(totals.get(name) for name in FAILED) or totals[KNOWN] > USERS:
        return found
    rows = dovecot.table(thing, (yield Command((*_STATUS, "*"))), b"username", b"priority", b"success sync", b"failed")
    return *found, _failed(rows)


def _totals(totals: dict[bytes, int]) -> Iterator[Sample]:
    """Yield how many users wait, by urgency, how many failed, and of how many."""
    for name, queue in QUEUES.items():
        if name in totals:
            yield Sample("dovecot_replicator_queued_users", totals[name], (("queue", queue),))
    yield Sample("dovecot_replicator_failed_users", sum(totals.get(name, 0) for name in FAILED))
    yield Sample("dovecot_replicator_known_users", totals[KNOWN])


def _failed(rows: list[tuple[bytes, ...]]) -> Table:
    """Return the users whose last replication failed, in the order that doveadm lists them."""
    failed = [row[:3] for row in rows if row[3] == b"y"]
    lines = tuple(Line(tuple(map(Foreign, row)), Health.WARN) for row in failed[:LINES])
    return Table("failed users", ("user", "queue", ">good sync ago"), lines, len(failed))


BOARD = Board(
    "replication",
    "mailboxes",
    (
        Metric(
            "dovecot_replicator_failed_users",
            "failed users",
            warn=1.0,
            means="whose last copy to the other node failed",
        ),
        Metric("dovecot_replicator_queued_users", "queued", means="users that wait to be copied, by urgency"),
        Metric("dovecot_replicator_known_users", "users", means="that the replicator knows"),
    ),
    order=40,
)

PROBE = Probe(
    "dovecot_replicator",
    Role.IMAP,
    run,
    every=30.0,
    needs=Needs(binary=("doveadm",), root=True, sudo="doveadm"),
    board=BOARD,
)
