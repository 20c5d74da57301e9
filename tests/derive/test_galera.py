"""Two majorities of one cluster are seen by their members only: neither side knows of the other."""

from __future__ import annotations

from mailtop.derive.galera import galera
from mailtop.model.board import Block
from mailtop.model.health import Health

UUID = "9e0b50f9-e833-11f1-8d83-0a2f31d1c7df"


def node(name: str, members: str, *, status: str = "Primary", uuid: str = UUID, stale: bool = False) -> Block:
    words = (("cluster", status), ("cluster name", "mail"), ("members", members), ("state uuid", uuid))
    return Block(name, "galera", "galera", Health.OK, 5.0, stale=stale, words=words)


def health(*nodes: Block) -> Health | None:
    found = galera(nodes)
    return found.health if found else None


def test_members_that_see_each_other_are_well_though_one_has_not_heard_yet_who_left() -> None:
    assert health(node("a", "1,2,3"), node("b", "1,2,3"), node("c", "1,2,3")) is Health.OK
    assert health(node("a", "1,2"), node("b", "1,2,3"), node("c", "1,2,3")) is Health.OK


def test_two_primaries_without_a_common_member_are_critical_and_named() -> None:
    found = galera((node("a", "1,2"), node("b", "1,2"), node("c", "3")))

    assert found is not None
    assert found.health is Health.CRIT
    assert [figure.reading.value for figure in found.figures] == [2.0, 1.0]
    assert [line.cells for line in found.tables[0].lines] == [(b"a", b"1,2"), (b"b", b"1,2"), (b"c", b"3")]


def test_a_side_without_a_majority_is_no_second_primary() -> None:
    assert health(node("a", "1,2"), node("b", "1,2"), node("c", "3", status="non-Primary")) is Health.OK


def test_what_is_old_or_alone_proves_nothing() -> None:
    assert health(node("a", "1,2"), node("c", "3", stale=True)) is None
    assert health(node("a", "1,2"), node("c", "")) is None
    assert health() is None


def test_one_name_with_two_histories_is_a_warning() -> None:
    assert health(node("a", "1"), node("b", "2", uuid="other")) is Health.WARN
