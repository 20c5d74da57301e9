"""Two majorities of one cluster are seen by their members only: neither side knows of the other."""

from __future__ import annotations

from mailtop.derive.platform import Seen
from mailtop.derive.platform.galera_cluster import HISTORIES, PRIMARIES, find
from mailtop.model.board import Block, Line, Table
from mailtop.model.health import Health
from mailtop.model.sample import Sample

UUID = "9e0b50f9-e833-11f1-8d83-0a2f31d1c7df"


def node(name: str, members: str, *, status: str = "Primary", uuid: str = UUID, stale: bool = False) -> Block:
    words = (("cluster", status), ("cluster name", "mail"), ("members", members), ("state uuid", uuid))
    return Block(name, "galera", "galera", Health.OK, 5.0, stale=stale, words=words)


def told(*nodes: Block) -> tuple[dict[str, float], list[Line]]:
    found = tuple(find(Seen(tuple(one.target for one in nodes), nodes)))
    samples = {one.name: one.value for one in found if isinstance(one, Sample)}
    return samples, [line for one in found if isinstance(one, Table) for line in one.lines]


def health(*nodes: Block) -> Health | None:
    samples, _ = told(*nodes)
    healths = [metric.health(samples[metric.name]) for metric in (PRIMARIES, HISTORIES) if metric.name in samples]
    return next((one for one in (Health.CRIT, Health.WARN, Health.OK) if one in healths), None)


def test_members_that_see_each_other_are_well_though_one_has_not_heard_yet_who_left() -> None:
    assert health(node("a", "1,2,3"), node("b", "1,2,3"), node("c", "1,2,3")) is Health.OK
    assert health(node("a", "1,2"), node("b", "1,2,3"), node("c", "1,2,3")) is Health.OK


def test_two_primaries_without_a_common_member_are_critical_and_named() -> None:
    nodes = node("a", "1,2"), node("b", "1,2"), node("c", "3")
    samples, lines = told(*nodes)

    assert health(*nodes) is Health.CRIT
    assert samples == {"galera_primaries": 2, "galera_histories": 1}
    assert [line.cells for line in lines] == [(b"a", b"1,2"), (b"b", b"1,2"), (b"c", b"3")]


def test_a_side_without_a_majority_is_no_second_primary() -> None:
    assert health(node("a", "1,2"), node("b", "1,2"), node("c", "3", status="non-Primary")) is Health.OK


def test_what_is_old_or_alone_proves_nothing() -> None:
    assert health(node("a", "1,2"), node("c", "3", stale=True)) is None
    assert health(node("a", "1,2"), node("c", "")) is None
    assert health() is None


def test_one_name_with_two_histories_is_a_warning() -> None:
    assert health(node("a", "1"), node("b", "2", uuid="other")) is Health.WARN
