"""The full-text index of the archive, over its MySQL protocol. Source: Manticore's manual; Sphinx 2.2 says the same."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from mailtop.model.ask import Answer, Asking
from mailtop.model.errors import ParseError
from mailtop.model.sample import Fact, Kind, Sample
from mailtop.model.text import Foreign, shown
from mailtop.model.topology import Role, Target
from mailtop.parse import mariadb
from mailtop.probe import Board, Found, Metric, Needs, Probe

_PORTS = (9306, 9307)
QUERY = (  # META tells of the search before it
    "SHOW STATUS; SELECT id FROM piler1 WHERE MATCH('mailtop') LIMIT 1; SHOW META;"
    " SHOW TABLE piler1 STATUS; SELECT COUNT(*), MAX(id) FROM piler1"
)
_COUNTED = [b"count(*)", b"max(id)"]

_SAMPLES = (
    (b"uptime", "manticore_uptime_seconds", Kind.GAUGE),
    (b"queries", "manticore_queries_total", Kind.TOTAL),
    (b"maxed_out", "manticore_refused_total", Kind.TOTAL),
    (b"time", "manticore_search_seconds", Kind.GAUGE),
    (b"ram_bytes", "manticore_ram_bytes", Kind.GAUGE),
    (b"disk_bytes", "manticore_disk_bytes", Kind.GAUGE),
    (b"ram_chunk", "manticore_ram_chunk_bytes", Kind.GAUGE),
    (b"disk_chunks", "manticore_disk_chunks", Kind.GAUGE),
)


def run(target: Target) -> Asking[Iterable[Found]]:  # noqa: ARG001 — the same question to all
    """Ask at the usual port, and at the other where nobody listens there. What has no piler1 still tells its status."""
    for port in _PORTS:
        answer = yield mariadb.command(QUERY, "-h127.0.0.1", f"-P{port}", "--loose-skip-ssl", "--force")
        if not mariadb.refused(answer):
            return tuple(_read(answer))
    return (Sample("manticore_up", 0),)


def _read(answer: Answer) -> Iterator[Found]:
    lines = mariadb.rows(answer.stdout or mariadb.answered(answer, "searchd"))
    values = mariadb.by_name(lines)
    if b"uptime" not in values:
        raise ParseError("searchd", f"says no status: {shown(Foreign(answer.stdout), 80)!r}")
    yield Sample("manticore_up", 1)
    for name, sample, kind in _SAMPLES:
        value = mariadb.number(values, name)
        if value is not None:
            yield Sample(sample, value, kind=kind)
    if _COUNTED in lines[:-1]:
        counted = dict(zip(_COUNTED, lines[lines.index(_COUNTED) + 1], strict=False))
        for name, sample in ((b"count(*)", "manticore_documents"), (b"max(id)", "manticore_newest_id")):
            value = mariadb.number(counted, name)
            if value is not None:
                yield Sample(sample, value)
    else:
        yield Fact("piler1", "no such table")
    if b"version" in values:
        yield Fact("version", shown(Foreign(values[b"version"]), 60))


def cost(found: tuple[Found, ...], took: float) -> float:  # noqa: ARG001 — the time is mostly the way
    """The largest id is looked for in all documents: 12 ms for 200,000."""
    documents = sum(one.value for one in found if isinstance(one, Sample) and one.name == "manticore_documents")
    return 0.015 + documents * 6e-8


BOARD = Board(
    "archive",
    "index",
    (
        Metric("manticore_up", "up", crit=0.0, falls=True, means="1: it answers; 0: nobody listens on 9306 or 9307"),
        Metric("manticore_documents", "documents", means="mails in the table piler1"),
        Metric("manticore_newest_id", "newest id", means="the largest id in piler1: Piler's id of that mail"),
        Metric("manticore_search_seconds", "search", "s", 1.0, 5.0, means="how long a search for one word took"),
        Metric("manticore_queries_total", "searches", means="of all clients"),
        Metric("manticore_refused_total", "refused", means="clients turned away for too many of them"),
        Metric("manticore_ram_bytes", "RAM", "B", means="memory that piler1 holds"),
        Metric("manticore_ram_chunk_bytes", "RAM chunk", "B", means="of it, what is not on disk yet"),
        Metric("manticore_disk_bytes", "on disk", "B", means="files of piler1"),
        Metric("manticore_disk_chunks", "disk chunks", means="parts of piler1 that each search looks through"),
        Metric("manticore_uptime_seconds", "up since", "s", means="since searchd started"),
    ),
    order=20,
)

PROBE = Probe("manticore", Role.SEARCH, run, every=30.0, needs=Needs(binary=("sh",)), cost=cost, board=BOARD)
