"""What a replica says of the servers that it follows: threads, lag, errors, positions, semi-sync."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from mailtop.model.ask import Answer
from mailtop.model.board import Line
from mailtop.model.errors import ParseError
from mailtop.model.sample import Fact, Labels, Sample
from mailtop.model.text import Foreign, shown
from mailtop.model.topology import Role
from mailtop.parse import mariadb
from mailtop.parse.mariadb_replica import LATE, QUERY, TOO_LATE, Following, following
from mailtop.probe import Board, Found, Metric, Needs, Poll, Table

MOST = 50  # lines of a table
REMEDY = "GRANT REPLICA MONITOR ON *.* (MySQL: REPLICATION CLIENT) to that user, or let root in over the socket"

_OWN = (
    " SHOW GLOBAL STATUS WHERE Variable_name IN ('Uptime', 'Rpl_semi_sync_master_status',"
    " 'Rpl_semi_sync_master_clients', 'Rpl_semi_sync_slave_status', 'Rpl_semi_sync_source_status',"
    " 'Rpl_semi_sync_source_clients', 'Rpl_semi_sync_replica_status');"
    " SHOW GLOBAL VARIABLES WHERE Variable_name IN ('gtid_current_pos', 'gtid_executed')"
)


def read(answer: Answer) -> Iterator[Found]:
    """Yield one set of samples and one line a source; of a server that follows none, a fact that says so."""
    lines = mariadb.rows(mariadb.answered(answer, "mariadb", REMEDY))
    values = mariadb.by_name(lines)
    if b"Uptime" not in values:
        raise ParseError("mariadb", f"says no status: {shown(Foreign(answer.stdout), 80)!r}")
    sources = [following(record) for record in mariadb.records(lines)]
    yield from _own(values)
    if not sources:
        yield Fact("replication", "no replica")
        return
    for source in sources[:MOST]:
        yield from _followed(source)
    yield Table("sources", ("source", "IO", "SQL", ">lag s", "error"), tuple(_lines(sources[:MOST])), len(sources))


def _own(values: dict[bytes, bytes]) -> Iterator[Found]:
    """Yield what is the server's own: its position, and the part that it has in semi-synchronous replication."""
    position = values.get(b"gtid_current_pos") or values.get(b"gtid_executed")
    if position:
        yield Fact("GTID", shown(Foreign(position), 80))
    primary, replica = (
        any(values.get(b"Rpl_semi_sync_%s_status" % name) == b"ON" for name in names)
        for names in ((b"master", b"source"), (b"slave", b"replica"))
    )
    yield Fact("semi-sync", " and ".join(("primary",) * primary + ("replica",) * replica) or "off")
    if primary:
        for name in (b"Rpl_semi_sync_master_clients", b"Rpl_semi_sync_source_clients"):
            clients = mariadb.number(values, name)
            if clients is not None:
                yield Sample("mariadb_semi_sync_clients", clients)


def _followed(source: Following) -> Iterator[Found]:
    name = shown(source.name, 40)
    labels: Labels = (("connection", name),) if name else ()
    yield Sample("mariadb_replica_io_running", int(source.receives), labels)
    yield Sample("mariadb_replica_sql_running", int(source.applies), labels)
    if source.lag is not None:
        yield Sample("mariadb_replica_lag_seconds", source.lag, labels)
    if source.unapplied is not None:
        yield Sample("mariadb_replica_unapplied_transactions", source.unapplied, labels)
    for what, position in (("received", source.received), ("applied", source.applied)):
        if position:
            yield Fact(f"{what} {name}".strip(), shown(position, 80))


def _lines(sources: Iterable[Following]) -> Iterator[Line]:
    for one in sources:
        source = Foreign(b"%s (%s)" % (one.source, one.name)) if one.name else one.source
        lag = Foreign(b"" if one.lag is None else b"%d" % one.lag)
        yield Line((source, one.io, one.sql, lag, Foreign(one.error[:400])), one.health)


BOARD = Board(
    "replication",
    "replica",
    (
        Metric("mariadb_replica_io_running", "IO thread", crit=0.0, falls=True, means="1: connected to its source"),
        Metric("mariadb_replica_sql_running", "SQL thread", crit=0.0, falls=True, means="1: applies what it received"),
        Metric(
            "mariadb_replica_lag_seconds",
            "lag",
            "s",
            LATE,
            TOO_LATE,
            means="behind its source, beyond the delay that is wanted; not known while a thread does not run",
            glance="replica behind",
        ),
        Metric(
            "mariadb_replica_unapplied_transactions", "unapplied", means="transactions received and not yet applied"
        ),
        Metric("mariadb_semi_sync_clients", "semi-sync", means="replicas that confirm each transaction"),
    ),
    order=20,
)

PROBE = Poll(
    "mariadb_replica",
    Role.DATABASE,
    mariadb.command(f"{QUERY};{_OWN}"),
    read,
    every=15.0,
    needs=Needs(binary=("sh",)),
    board=BOARD,
)
