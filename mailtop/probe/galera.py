"""A Galera node, as it sees its cluster. Source: MariaDB's "Galera Cluster Status Variables"."""

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
    (b"wsrep_cluster_size", "galera_cluster_size"),
    (b"wsrep_local_recv_queue", "galera_receive_queue"),
    (b"wsrep_local_recv_queue_avg", "galera_receive_queue_average"),
    (b"wsrep_local_send_queue", "galera_send_queue"),
)
_CONFLICTS = b"wsrep_local_cert_failures"
_PAUSED = b"wsrep_flow_control_paused_ns"
_FACTS = (
    (b"wsrep_node_name", "node"),
    (b"wsrep_cluster_name", "cluster name"),
    (b"wsrep_cluster_status", "cluster"),
    (b"wsrep_local_state_comment", "state"),
    (b"wsrep_cluster_state_uuid", "state uuid"),
    (b"wsrep_provider_version", "provider"),
)
_NO_CONFIGURATION = b"18446744073709551615"  # -1, as it is written outside a primary component
_SYNCED, _DONOR = b"4", b"2"
QUERY = (
    "SHOW GLOBAL STATUS WHERE Variable_name = 'Uptime' OR Variable_name LIKE 'wsrep%';"
    " SHOW GLOBAL VARIABLES WHERE Variable_name IN"
    " ('wsrep_on', 'wsrep_provider', 'wsrep_cluster_address', 'wsrep_node_name', 'wsrep_desync',"
    " 'wsrep_cluster_name')"
)


def read(answer: Answer) -> Iterator[Found]:
    """Yield the cluster's state; of a server without Galera, a fact that says so."""
    values = mariadb.by_name(mariadb.rows(mariadb.answered(answer, "mariadb")))
    if b"Uptime" not in values:
        raise ParseError("mariadb", f"says no status: {shown(Foreign(answer.stdout), 80)!r}")
    if values.get(b"wsrep_on") != b"ON" or values.get(b"wsrep_provider", b"none") in (b"none", b""):
        yield Fact("Galera", "no Galera")
        return
    if b"wsrep_cluster_status" not in values:
        raise ParseError("mariadb", "has Galera, and tells nothing of it")
    yield from _judged(values)
    for name, sample in _GAUGES:
        value = mariadb.number(values, name)
        if value is not None:
            yield Sample(sample, value)
    members = _configured(values.get(b"wsrep_cluster_address", b""))
    size = mariadb.number(values, b"wsrep_cluster_size")
    if members and size is not None:
        yield Sample("galera_members_missing", max(0.0, members - size))
    conflicts, paused = mariadb.number(values, _CONFLICTS), mariadb.number(values, _PAUSED)
    if conflicts is not None:
        yield Sample("galera_conflicts_total", conflicts, kind=Kind.TOTAL)
    if paused is not None:
        yield Sample("galera_flow_control_paused_seconds_total", paused / 1e9, kind=Kind.TOTAL)
    yield from _facts(values)


def _judged(values: dict[bytes, bytes]) -> Iterator[Sample]:
    """Yield what is 1 on a good node. One that was taken out of step on purpose is neither synced nor not."""
    yield Sample("galera_primary", int(values[b"wsrep_cluster_status"].lower() == b"primary"))
    for name, sample in ((b"wsrep_ready", "galera_ready"), (b"wsrep_connected", "galera_connected")):
        if name in values:
            yield Sample(sample, int(values[name] == b"ON"))
    state = values.get(b"wsrep_local_state")
    if state is not None and not (state == _DONOR and values.get(b"wsrep_desync") == b"ON"):
        yield Sample("galera_synced", int(state == _SYNCED))


def _configured(address: bytes) -> int:
    """Count the members that `gcomm://a,b,c?options` names; 0 where it names none.

    >>> _configured(b"gcomm://galera1,galera2:4567?pc.wait_prim=no"), _configured(b"gcomm://")
    (2, 0)
    """
    members = address.partition(b"://")[2].partition(b"?")[0].split(b",")
    return sum(1 for member in members if member.strip())


def _facts(values: dict[bytes, bytes]) -> Iterator[Fact]:
    for name, fact in _FACTS:
        if values.get(name):
            yield Fact(fact, shown(Foreign(values[name]), 60))
    members = values.get(b"wsrep_incoming_addresses", b"")
    if members and b"AUTO" not in members:  # that is what a member says whose own address is not known
        yield Fact("members", shown(Foreign(members), 400))
    configuration = values.get(b"wsrep_cluster_conf_id", _NO_CONFIGURATION)
    if configuration != _NO_CONFIGURATION:
        yield Fact("conf id", shown(Foreign(configuration), 20))
    if values.get(b"wsrep_desync") == b"ON":
        yield Fact("desync", "on")


BOARD = Board(
    "replication",
    "galera",
    (
        Metric("galera_primary", "primary", crit=0.0, falls=True, means="1: in a component that has a majority"),
        Metric("galera_ready", "ready", crit=0.0, falls=True, means="1: takes queries"),
        Metric("galera_connected", "connected", crit=0.0, falls=True, means="1: to the other members"),
        Metric("galera_synced", "synced", warn=0.0, falls=True, means="1: in step, no donor and not joining"),
        Metric("galera_cluster_size", "members", means="of the component that this node is in"),
        Metric("galera_members_missing", "missing", warn=1.0, means="of those that wsrep_cluster_address names"),
        Metric(
            "galera_flow_control_paused_seconds_total",
            "paused",
            "s",
            0.05,
            0.2,
            means="seconds a second that replication stood still for a slow member",
        ),
        Metric("galera_receive_queue_average", "receive avg", "", 1.0, 10.0, means="write sets that wait, on average"),
        Metric("galera_receive_queue", "receive queue", means="write sets that wait to be applied"),
        Metric("galera_send_queue", "send queue", means="write sets that wait to be sent"),
        Metric("galera_conflicts_total", "conflicts", means="transactions that lost against another member's"),
    ),
    order=30,
)

PROBE = Poll(
    "galera", Role.DATABASE, mariadb.command(QUERY), read, every=15.0, needs=Needs(binary=("sh",)), board=BOARD
)
