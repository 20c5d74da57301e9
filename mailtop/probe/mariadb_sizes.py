"""How large each database is. The server opens the tables that it has not opened yet for it: asked seldom."""

from __future__ import annotations

from collections.abc import Iterator

from mailtop.model.ask import Answer
from mailtop.model.errors import ParseError
from mailtop.model.sample import Sample
from mailtop.model.text import Foreign, shown
from mailtop.model.topology import Role
from mailtop.parse import mariadb
from mailtop.probe import Board, Metric, Needs, Poll

_HEADER = [b"db", b"bytes"]
QUERY = (
    "SELECT table_schema AS db, SUM(data_length + index_length) AS bytes FROM information_schema.tables"
    " WHERE table_type = 'BASE TABLE' AND table_schema NOT IN"
    " ('mysql', 'sys', 'information_schema', 'performance_schema')"
    " GROUP BY table_schema ORDER BY bytes DESC LIMIT 20"
)


def read(answer: Answer) -> Iterator[Sample]:
    """Yield bytes of data and indexes, of the 20 largest; a server with no database but its own says nothing."""
    lines = mariadb.rows(mariadb.answered(answer, "mariadb"))
    if lines and lines[0] != _HEADER:
        raise ParseError("mariadb", f"says no sizes: {shown(Foreign(answer.stdout), 80)!r}")
    for line in lines[1:]:
        size = mariadb.number(dict(zip(_HEADER, line, strict=False)), b"bytes")
        if size is not None:
            yield Sample("mariadb_database_bytes", size, (("database", shown(Foreign(line[0]), 60)),))


BOARD = Board(
    "replication",
    "databases",
    (Metric("mariadb_database_bytes", "size", "B", means="data and indexes, as the server estimates them"),),
    order=40,
)

PROBE = Poll(
    "mariadb_sizes",
    Role.DATABASE,
    mariadb.command(QUERY, large=True),
    read,
    every=600.0,
    needs=Needs(binary=("sh",)),
    board=BOARD,
)
