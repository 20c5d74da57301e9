"""What acts on destinations leave to be seen to."""

from __future__ import annotations

from mailtop.derive.firing import firing
from mailtop.model.destination import Standing
from mailtop.model.snapshot import Alert

NOW = 10_000.0
PAUSED = Standing("mail1/postfix", "bigmail.test", "destination.pause", "ann", NOW - 3600, NOW + 60)


def fired(*standings: Standing, now: float = NOW) -> tuple[Alert, ...]:
    return firing((), (), (), (), {}, now, standings)


def test_what_is_in_force_as_meant_is_no_alarm() -> None:
    assert fired(PAUSED) == ()
    assert fired(Standing("mail1/postfix", "b.test", "destination.pause", "ann", NOW)) == (), "nobody said until when"


def test_what_should_have_been_lifted_says_by_whom_and_how_late() -> None:
    (alert,) = fired(PAUSED, now=NOW + 360)

    assert (alert.rule, alert.target, alert.since) == ("DestinationOverdue", "mail1/postfix bigmail.test", NOW + 60)
    assert "bigmail.test is paused by ann, 5 min longer than meant: restore it" in alert.summary


def test_what_was_left_half_way_says_what_to_do() -> None:
    (alert,) = fired(Standing("mail1/postfix", "bigmail.test", "destination.pause", "ann", NOW, half_way=True))

    assert alert.rule == "DestinationHalfWay"
    assert "a pause was begun and not finished, by ann: finish or restore it (:destinations)" in alert.summary
