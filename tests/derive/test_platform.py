"""One holder of the VIP, one place to write: proven, or not known, and never one on half of the evidence."""

from __future__ import annotations

import pytest

from mailtop.derive.platform import HOLDER, Derived, Seen
from mailtop.derive.platform.vip_holder import VIP_HOLDER
from mailtop.derive.platform.writes import WRITES
from mailtop.model.board import Block, Line, Table
from mailtop.model.sample import Fact, Sample
from mailtop.model.snapshot import Health
from mailtop.model.text import Foreign

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
        ([server("mail1/maildb", "yes"), server("mail2/maildb", "yes"),
          member("mail1/maildb", "1-2-3"), member("mail2/maildb", "1-2-3")], "mail1, mail2 | ok | 1"),
        ([server("mail1/maildb", "yes"), server("mail2/maildb", "yes"),
          member("mail1/maildb", "1-2-3"), member("mail2/maildb", "4-5-6")], "mail1, mail2 | crit | 2"),
        ([], ""),
    ],
)  # fmt: skip
def test_one_server_of_a_set_or_one_cluster_is_written_to(blocks: list[Block], expected: str) -> None:
    assert told(WRITES, *blocks) == expected
