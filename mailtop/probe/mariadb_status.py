"""A database server: is it there, does it write, how full and how busy is it."""

from __future__ import annotations

from collections.abc import Iterator

from mailtop.model.ask import Answer
from mailtop.model.errors import ParseError
from mailtop.model.sample import Fact, Kind, Sample
from mailtop.model.text import Foreign, shown
from mailtop.model.topology import Role
from mailtop.parse import mariadb
from mailtop.probe import Board, Found, Metric, Needs, Poll

_GAUGES = (
    (b"Threads_connected", "mariadb_connections"),
    (b"max_connections", "mariadb_max_connections"),
    (b"Threads_running", "mariadb_threads_running"),
    (b"Innodb_row_lock_current_waits", "mariadb_row_locks_waiting"),
    (b"Uptime", "mariadb_uptime_seconds"),
)
_TOTALS = (
    (b"Questions", "mariadb_questions_total"),
    (b"Slow_queries", "mariadb_slow_queries_total"),
    (b"Innodb_row_lock_waits", "mariadb_row_lock_waits_total"),
    (b"Aborted_connects", "mariadb_aborted_connects_total"),
)
_LOCK_TIME = b"Innodb_row_lock_time"  # milliseconds
_STATUS = ", ".join(f"'{name.decode()}'" for name in (*(name for name, _ in (*_GAUGES, *_TOTALS)), _LOCK_TIME))
QUERY = (
    f"SHOW GLOBAL STATUS WHERE Variable_name IN ({_STATUS});"
    " SHOW GLOBAL VARIABLES WHERE Variable_name IN ('max_connections', 'read_only', 'version')"
)


def read(answer: Answer) -> Iterator[Found]:
    """Yield counts, ratios and modes; only that it is down where nobody listens on its socket."""
    if mariadb.refused(answer):
        yield Sample("mariadb_up", 0)
        return
    values = mariadb.by_name(mariadb.rows(mariadb.answered(answer, "mariadb")))
    if b"Threads_connected" not in values:
        raise ParseError("mariadb", f"says no status: {shown(Foreign(answer.stdout), 80)!r}")
    yield Sample("mariadb_up", 1)
    for names, kind in ((_GAUGES, Kind.GAUGE), (_TOTALS, Kind.TOTAL)):
        for name, sample in names:
            value = mariadb.number(values, name)
            if value is not None:
                yield Sample(sample, value, kind=kind)
    waited = mariadb.number(values, _LOCK_TIME)
    if waited is not None:
        yield Sample("mariadb_row_lock_seconds_total", waited / 1000, kind=Kind.TOTAL)
    used, most = mariadb.number(values, b"Threads_connected"), mariadb.number(values, b"max_connections")
    if used is not None and most:
        yield Sample("mariadb_connections_ratio", round(used / most, 4))
    if b"read_only" in values:
        writable = values[b"read_only"] in (b"OFF", b"0")
        yield Sample("mariadb_writable", int(writable))
        yield Fact("writable", "yes" if writable else "no")
    if b"version" in values:
        yield Fact("version", shown(Foreign(values[b"version"]), 60))


BOARD = Board(
    "replication",
    "database",
    (
        Metric("mariadb_up", "up", crit=0.0, falls=True, means="1: it answers; 0: nobody listens on its socket"),
        Metric("mariadb_connections", "connections", means="clients that are connected"),
        Metric("mariadb_connections_ratio", "in use", "%", 0.70, 0.90, means="connections, of max_connections"),
        Metric("mariadb_threads_running", "running", means="clients that wait for an answer right now"),
        Metric("mariadb_questions_total", "queries", means="statements of clients"),
        Metric("mariadb_slow_queries_total", "slow queries", means="that took longer than long_query_time"),
        Metric("mariadb_row_lock_waits_total", "lock waits", means="statements that waited for a row (InnoDB)"),
        Metric("mariadb_row_lock_seconds_total", "lock time", "s", means="seconds a second that statements waited so"),
        Metric("mariadb_row_locks_waiting", "waiting now", means="statements that wait for a row right now (InnoDB)"),
        Metric("mariadb_aborted_connects_total", "failed logins", means="connections that came to no login"),
        Metric("mariadb_uptime_seconds", "up since", "s", means="since the server started"),
    ),
    order=10,
)

PROBE = Poll(
    "mariadb_status", Role.DATABASE, mariadb.command(QUERY), read, every=10.0, needs=Needs(binary=("sh",)), board=BOARD
)
