"""One holder of the VIP, one place to write: proven, or not known, and never one on half of the evidence."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from mailtop.derive.platform import HOLDER, Derived, Seen
from mailtop.derive.platform.fingerprints import FINGERPRINTS
from mailtop.derive.platform.readiness import READINESS
from mailtop.derive.platform.vip_holder import VIP_HOLDER
from mailtop.derive.platform.writes import WRITES
from mailtop.model.board import Block, Figure, Line, Table
from mailtop.model.sample import Fact, Sample
from mailtop.model.snapshot import Health, QueueState, Reading
from mailtop.model.text import Foreign, shown

VIP = "192.0.2.9"


def told(one: Derived, *blocks: Block, hosts: tuple[str, ...] = ("mail1", "mail2"), vips: tuple[str, ...] = ()) -> str:
    """`holder | health of each row | samples`."""
    found = tuple(one.find(Seen(hosts, blocks, vips)))
    holder = [fact.value for fact in found if isinstance(fact, Fact) and fact.name == HOLDER]
    rows = [line.health.value for table in found if isinstance(table, Table) for line in table.lines]
    samples = [f"{sample.value:g}" for sample in found if isinstance(sample, Sample)]
    return " | ".join((*holder, *rows, *samples))


def host(name: str, held: str = "", vip: str = VIP, *, stale: bool = False) -> Block:
    words = (("addresses", f"10.0.0.1 {held}".strip()), *([("VIP", vip)] if vip else []))
    return Block(name, "vip", "", Health.UNKNOWN if stale else Health.OK, stale=stale, words=words)


NEVER = Block("mail2", "vip", "", Health.UNKNOWN, stale=True, note="not asked yet")


@pytest.mark.parametrize(
    ("blocks", "expected"),
    [
        ([host("mail1", VIP), host("mail2")], "mail1 | ok | 1"),
        ([host("mail1"), host("mail2")], "none | crit | 0"),
        ([host("mail1", VIP), host("mail2", VIP)], "mail1, mail2 | crit | 2"),
        ([host("mail1", VIP), host("mail2", stale=True)], "mail1 | unknown"),
        ([host("mail1", VIP), host("mail2", VIP, stale=True)], "mail1 | unknown"),
        ([host("mail1", VIP), NEVER], "mail1 | unknown"),
        ([host("mail1", VIP)], "mail1 | unknown"),
        ([host("mail1"), NEVER], " | unknown"),
        ([host("mail1", stale=True), NEVER], " | unknown"),
        ([host("mail1", VIP), host("mail2", vip="", stale=True)], "mail1 | ok | 1"),
        ([host("mail1", vip=""), host("mail2", vip="")], ""),
    ],
)  # fmt: skip
def test_one_host_holds_the_vip_or_it_is_wrong_or_not_known(blocks: list[Block], expected: str) -> None:
    assert told(VIP_HOLDER, *blocks) == expected


def test_a_third_host_that_cannot_be_asked_does_not_make_two_holders_one() -> None:
    three = ("mail1", "mail2", "mail3")

    assert told(VIP_HOLDER, host("mail1", VIP), host("mail2", VIP), hosts=three) == "mail1, mail2 | crit | 2"


def test_the_configured_vip_counts_and_every_host_could_hold_it() -> None:
    blocks = [host("mail1", "192.0.2.7"), host("mail2", vip="")]

    assert told(VIP_HOLDER, *blocks, vips=("192.0.2.7",)) == "mail1 | ok | 1"
    assert told(VIP_HOLDER, blocks[0], host("mail2", vip="", stale=True), vips=("192.0.2.7",)) == "mail1 | unknown"


def server(target: str, writes: str, *, stale: bool = False) -> Block:
    words = (("writable", writes),) if writes else ()
    return Block(target, "mariadb_status", "", Health.OK, stale=stale, words=words)


def follows(target: str, source: bytes) -> Block:
    row = Line(tuple(map(Foreign, (source, b"Yes", b"Yes", b"0", b""))))
    return Block(target, "mariadb_replica", "", Health.OK, tables=(Table("sources", ("source",), (row,)),))


def alone(target: str) -> Block:
    return Block(target, "mariadb_replica", "", Health.OK, at=1.0, words=(("replication", "no replica"),))


def figure(target: str, probe: str, metric: str, value: float, health: Health = Health.OK) -> Block:
    figures = (Figure(metric, metric, reading=Reading(value, health)),)
    return Block(target, probe, probe, health, figures=figures)


def member(target: str, uuid: str) -> Block:
    return Block(target, "galera", "", Health.OK, words=(("state uuid", uuid),))


@pytest.mark.parametrize(
    ("blocks", "expected"),
    [
        ([server("mail1/maildb", "yes"), server("mail2/maildb", "no")], "mail1 | ok | 1"),
        ([server("mail1/maildb", "no"), server("mail2/maildb", "no")], "none | crit | 0"),
        ([server("mail1/maildb", "yes"), server("mail2/maildb", "yes")], "mail1, mail2 | crit | 2"),
        ([server("mail1/maildb", "yes"), server("mail2/maildb", "no", stale=True)], "mail1 | unknown"),
        ([server("mail1/maildb", "", stale=True), server("mail2/maildb", "no")], " | unknown"),
        ([server("mail1/maildb", "yes"), server("mail1/copy", "yes"), follows("mail1/copy", b"maildb (a)")],
         "mail1/maildb, mail1/copy | crit | 2"),
        ([server("mail1/maildb", "yes"), server("mail2/copy", "no"), follows("mail2/copy", b"10.0.0.1")],
         "mail1 | ok | 1"),
        ([server("mail1/maildb", "yes"), server("mail1/pilerdb", "yes")], "mail1 | ok | ok | 1 | 1"),
        ([server("mail1/maildb", "yes"), server("mail1/copy", "no")], "mail1 | ok | 1"),
        ([server("mail1/maildb", "yes"), server("mail1/pilerdb", "no"), alone("mail1/pilerdb")],
         "mail1 | ok | crit | 1 | 0"),
        ([server("mail1/maildb", "yes"), server("mail2/maildb", "yes"),
          member("mail1/maildb", "1-2-3"), member("mail2/maildb", "1-2-3")], "mail1, mail2 | ok | 1"),
        ([server("mail1/maildb", "yes"), server("mail2/maildb", "yes"),
          member("mail1/maildb", "1-2-3"), member("mail2/maildb", "4-5-6")], "mail1, mail2 | crit | 2"),
        ([server("mail1/maildb", "yes"), server("mail2/maildb", "yes"),
          member("mail1/maildb", "1-2-3"), figure("mail2/maildb", "galera", "galera_primary", 0.0)],
         "mail1 | ok | 1"),
        ([], ""),
    ],
)  # fmt: skip
def test_one_server_of_a_set_or_one_cluster_is_written_to(blocks: list[Block], expected: str) -> None:
    assert told(WRITES, *blocks) == expected


HELD = Block("platform", "vip_holder", "VIP", Health.OK, words=((HOLDER, "mail1"),))
WRITTEN = Block("platform", "writes", "writes", Health.OK, words=((HOLDER, "mail1"),))
QUEUED = QueueState("mail1/postfix", (("active", Reading(1.0)), ("deferred", Reading(5.0))), Reading(2.0))


def keepalived(name: str, up: float = 1.0) -> Block:
    made = figure(name, "vip", "keepalived", up, Health.OK if up else Health.WARN)
    return replace(made, words=(("VIP", VIP),))


WELL = (
    HELD,
    WRITTEN,
    keepalived("mail1"),
    keepalived("mail2"),
    server("mail1/maildb", "yes"),
    server("mail2/maildb", "no"),
    figure("mail2/maildb", "mariadb_replica", "lag", 0.0),
    figure("mail1/dovecot", "dovecot_replicator", "failed users", 0.0),
    figure("mail1/manticore", "manticore", "up", 1.0),
    figure("mail2/manticore", "manticore", "up", 1.0),
)


def ready(*instead: Block, without: str = "", queue: QueueState = QUEUED) -> str:
    """`takes over: because`, of the only standby; blocks given stand for those of the same target and probe."""
    keys = {(one.target, one.probe) for one in instead}
    kept = [one for one in WELL if (one.target, one.probe) not in keys and without not in (one.probe, one.target)]
    seen = Seen(("mail1", "mail2"), (*kept, *instead), (), (queue,))
    rows = [line.cells for one in READINESS.find(seen) if isinstance(one, Table) for line in one.lines]
    return " / ".join(": ".join(shown(cell) for cell in row[1:] if cell) for row in rows)


def test_a_standby_is_ready_when_all_that_it_needs_is_well_and_known() -> None:
    assert ready() == "ready"


@pytest.mark.parametrize(
    ("instead", "expected"),
    [
        (keepalived("mail2", 0.0), "not ready: vip keepalived 0"),
        (figure("mail2/maildb", "mariadb_replica", "lag", 40.0, Health.WARN), "not ready: mariadb_replica lag 40"),
        (Block("mail2/maildb", "mariadb_replica", "replica", Health.DENIED, stale=True, note="no right"),
         "not known: replica: no right"),
        (Block("mail2/maildb", "mariadb_replica", "", Health.OK, words=(("replication", "no replica"),)),
         "not ready: mail2/maildb copies no other database"),
        (Block("platform", "writes", "", Health.UNKNOWN), "not known: where the database is written to"),
        (figure("mail1/dovecot", "dovecot_replicator", "failed users", 3.0, Health.WARN),
         "not ready: dovecot_replicator failed users 3"),
        (Block("mail1/dovecot", "dovecot_replicator", "", Health.UNKNOWN, stale=True),
         "not known: mailboxes: no replicator that tells"),
        (Block("platform", "vip_holder", "", Health.CRIT, words=((HOLDER, "none"),)),
         "not ready: VIP: none / not ready: VIP: none"),
        (Block("platform", "vip_holder", "", Health.UNKNOWN, words=((HOLDER, "mail1"),)),
         "not known: VIP: mail1 / not known: VIP: mail1"),
    ],
)  # fmt: skip
def test_a_standby_is_not_ready_or_nobody_knows_and_it_says_why(instead: Block, expected: str) -> None:
    assert ready(instead) == expected


def test_what_the_standby_lacks_and_what_it_would_leave_behind_speak_against_it() -> None:
    full = QueueState("mail1/postfix", (("active", Reading(1.0)), ("deferred", Reading(411.0))), Reading(2.0))
    blind = QueueState("mail1/postfix", (("active", Reading(1.0)), ("deferred", Reading(None))), Reading(None))

    assert ready(without="mail2/manticore") == "not ready: no search index of its own: it would be made anew"
    assert ready(without="mail2/maildb") == "not ready: no database of its own"
    assert ready(queue=full) == "not ready: 412 mails wait on mail1 and would stay there"
    assert ready(queue=blind) == "not known: mail1/postfix: how long its queue is"
    assert ready(without="vip_holder") == ""


def prints(target: str, *, stale: bool = False, **values: str) -> Block:
    return Block(target, "mta_fingerprints", "", Health.OK, stale=stale, words=tuple(values.items()))


@pytest.mark.parametrize(
    ("blocks", "expected"),
    [
        ([prints("mail1/postfix", settings="a"), prints("mail2/postfix", settings="a")],
         ["ok postfix settings equal "]),
        ([prints("mail1/postfix", settings="a"), prints("mail2/mta", settings="b")],
         ["warn postfix settings differ mail1 a, mail2 b"]),
        ([prints("mail1/postfix", settings="a", maps="m"), prints("mail2/postfix", settings="a")],
         ["ok postfix settings equal ", "warn postfix maps differ mail1 m, mail2 none"]),
        ([prints("mail1/postfix", settings="a"), prints("mail2/postfix", settings="b", stale=True)],
         ["unknown postfix settings not known mail2/postfix"]),
        ([prints("mail1/postfix", DKIM="a"), prints("mail2/postfix", DKIM="denied")],
         ["unknown postfix DKIM not known mail2/postfix"]),
        ([prints("mail1/postfix", stale=True), prints("mail2/postfix", stale=True)],
         ["unknown postfix fingerprints not known mail1/postfix, mail2/postfix"]),
        ([prints("mail1/in", settings="a"), prints("mail1/out", settings="b"), prints("mail2/in", settings="a")],
         ["ok in settings equal "]),
        ([prints("mail1/postfix", settings="a")], []),
    ],
)  # fmt: skip
def test_nodes_are_alike_or_differ_or_nobody_knows(blocks: list[Block], expected: list[str]) -> None:
    found = FINGERPRINTS.find(Seen(("mail1", "mail2"), tuple(blocks)))
    lines = [line for table in found if isinstance(table, Table) for line in table.lines]

    assert [" ".join((line.health.value, *(shown(cell) for cell in line.cells))) for line in lines] == expected
