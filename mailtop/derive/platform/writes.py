"""Where the database is written to: in each set of servers that copy each other, one server, or one Galera cluster.

A set: servers of one name on several hosts, the members of one cluster, and replicas with what they follow.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from mailtop.derive.platform import HOLDER, Derived, Seen, host_of
from mailtop.model.board import Block, Line, Metric, Table
from mailtop.model.health import Health
from mailtop.model.sample import Fact, Sample
from mailtop.model.text import Foreign


class _Server:
    """One server as its blocks tell. `sources`: whom it follows, as it calls them; `cluster`: its Galera's uuid."""

    def __init__(self, status: Block, replica: Block | None, galera: Block | None) -> None:
        self.target = status.target
        words = dict(status.words)
        self.down = _says(status, "mariadb_up", 0.0)
        self.writes = None if status.stale or "writable" not in words else words["writable"] == "yes"
        self.cluster = dict(galera.words).get("state uuid", "").strip("0-") if galera is not None else ""
        if self.down or (galera is not None and _says(galera, "galera_primary", 0.0)):
            self.writes = False  # a member without a majority takes no writes, whatever read_only says
        tables = replica.tables if replica is not None else ()
        self.sources = [
            line.cells[0].decode("utf-8", "replace").split(" ")[0]
            for one in tables
            if one.title == "sources"
            for line in one.lines
        ]

        told = replica is not None and (replica.at > 0 or not replica.stale)
        self.follows = not self.cluster and (bool(self.sources) or (not told and not self.writes))
        """It copies another, or may: nobody could ask it, and it is not written to."""

    @property
    def names(self) -> set[str]:
        """What servers that copy it have in common with it."""
        host, _, container = self.target.partition("/")
        return {container or host, *self.sources, *([self.cluster] if self.cluster else [])}


def _says(block: Block, metric: str, value: float) -> bool:
    return not block.stale and any((one.metric, one.reading.value) == (metric, value) for one in block.figures)


def find(seen: Seen) -> Iterator[Sample | Fact | Table]:
    """Yield a row a set, the largest first: the top line shows that one."""
    replicas, clusters = ({one.target: one for one in seen.of(name)} for name in ("mariadb_replica", "galera"))
    servers = [_Server(one, replicas.get(one.target), clusters.get(one.target)) for one in seen.of("mariadb_status")]
    lines = []
    for number, members in enumerate(_sets(servers)):
        writers = [one for one in members if one.writes]
        blind = [one.target for one in members if one.writes is None]
        units = len({one.cluster or one.target for one in writers})
        if units > 1 or not blind:
            yield Sample("database_writers", units, (("of", _name(members)),))
        lines.append(_line(_name(members), writers, units, blind))
        if not number:
            holders = dict.fromkeys(host_of(one.target) for one in writers)
            if units > 1 and len(holders) == 1:
                holders = dict.fromkeys(one.target for one in writers)
            yield Fact(HOLDER, ", ".join(holders) or ("" if blind else "none"))
    if lines:
        yield Table("", ("database", "written to at", ""), tuple(lines), len(lines))


def _sets(servers: Sequence[_Server]) -> list[list[_Server]]:
    """Put together what has a name in common. A replica of a source that nobody knows belongs to the first set."""
    sets: list[tuple[set[str], list[_Server]]] = []
    for server in servers:
        near = [one for one in sets if one[0] & server.names]
        names, members = set(server.names), [server]
        for one in near:
            names, members = names | one[0], one[1] + members
            sets.remove(one)
        sets.append((names, members))
    found = [members for _, members in sets]
    lone = [one for one in found if all(server.follows for server in one)]
    main = next((one for one in found if one not in lone), None)
    if main is None:
        return sorted(found, key=len, reverse=True)
    main += [server for one in lone for server in one]
    return sorted((one for one in found if one not in lone), key=len, reverse=True)


def _name(members: Sequence[_Server]) -> str:
    return members[0].target.partition("/")[2] or members[0].target


def _line(name: str, writers: Sequence[_Server], units: int, blind: Sequence[str]) -> Line:
    said, health = "", Health.OK
    if units > 1:
        said, health = "two can be written to: they drift apart", Health.CRIT
    elif blind:
        said, health = f"not known: {', '.join(blind)}", Health.UNKNOWN
    elif not units:
        said, health = "none can be written to: mail defers, logins may fail", Health.CRIT
    where = ", ".join(one.target for one in writers)
    return Line(tuple(Foreign(text.encode()) for text in (name, where, said)), health)


WRITES = Derived(
    "writes",
    "replication",
    "writes",
    find,
    (
        Metric(
            "database_writers",
            "writers",
            exactly=1.0,
            means="servers that can be written to (read_only off), a Galera cluster as one; shown when all are known",
        ),
    ),
    of=("mariadb_status", "mariadb_replica", "galera"),
    order=20,
)
