"""What several targets together tell: a change is judged when all of them were asked after it."""

from __future__ import annotations

from mailtop.derive.platform import HOLDER, Seen
from mailtop.engine.boards import Boards
from mailtop.model.board import Block
from mailtop.model.snapshot import Health

VIP = "192.0.2.9"


def host(name: str, at: float, held: str = "") -> Block:
    return Block(name, "vip", "addresses", Health.OK, at=at, words=(("addresses", f"10.0.0.1 {held}"), ("VIP", VIP)))


def judged(boards: Boards, now: float, *blocks: Block) -> tuple[str, Health, bool]:
    block = next(one for one in boards.over_all(Seen(("mail1", "mail2"), blocks), now) if one.probe == "vip_holder")
    return dict(block.words)[HOLDER], block.health, block.stale


def test_a_vip_that_moves_between_two_questions_is_no_second_holder_until_both_were_asked_again() -> None:
    boards = Boards()
    before = host("mail1", 10.0, VIP)

    assert judged(boards, 10.5, before, host("mail2", 9.0)) == ("mail1", Health.OK, False)
    assert judged(boards, 14.5, before, host("mail2", 14.0, VIP)) == ("mail1, mail2", Health.UNKNOWN, True)
    assert judged(boards, 15.5, host("mail1", 15.0), host("mail2", 14.0, VIP)) == ("mail2", Health.OK, False)


def test_two_holders_are_critical_when_both_still_have_it() -> None:
    boards = Boards()
    judged(boards, 14.5, host("mail1", 10.0, VIP), host("mail2", 14.0, VIP))

    assert judged(boards, 15.5, host("mail1", 15.0, VIP), host("mail2", 14.0, VIP))[1] is Health.UNKNOWN
    assert judged(boards, 19.5, host("mail1", 15.0, VIP), host("mail2", 19.0, VIP))[1] is Health.CRIT
    assert judged(boards, 25.5, host("mail1", 20.0, VIP), host("mail2", 19.0, VIP))[1] is Health.CRIT
