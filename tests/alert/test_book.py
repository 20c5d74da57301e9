"""The book of alerts: since when, how bad, until when; what flaps is one, and what nobody can see is not over."""

from __future__ import annotations

from mailtop.alert.book import FLAP, KEPT, KEPT_FOR, AlertBook
from mailtop.model.alerts import Alert, Noted, Phase
from mailtop.model.health import Health


def alert(target: str = "mail1 /var", health: Health = Health.WARN, rule: str = "disk_used_ratio") -> Alert:
    return Alert(rule, target, health, 0.0, f"{target}: used 82 %", "hosts", "82 %", "≥ 80 %")


def surely(alert: Alert) -> str:
    return ""


def phases(book: AlertBook) -> list[tuple[str, str, float, float, int]]:
    return [(one.alert.target, one.phase.value, one.since, one.ended, one.times) for one in book.rows()]


def only(book: AlertBook) -> Noted:
    (one,) = book.rows()
    return one


def test_an_alert_has_a_beginning_an_end_and_its_worst() -> None:
    book = AlertBook()
    for now, health in ((100.0, Health.WARN), (110.0, Health.CRIT), (120.0, Health.WARN)):
        book.take([alert(health=health)], now, surely)
    book.take([], 130.0, surely)

    one = only(book)
    assert (one.phase, one.worst, one.since, one.seen, one.ended) == (Phase.ENDED, Health.CRIT, 100.0, 120.0, 130.0)


def test_what_comes_back_within_a_minute_is_the_same_alert_and_later_it_is_another() -> None:
    book = AlertBook()
    book.take([alert()], 100.0, surely)
    book.take([], 110.0, surely)
    assert book.since(110.0 + FLAP) == {alert().key: 100.0}
    assert book.since(111.0 + FLAP) == {}
    book.take([alert()], 110.0 + FLAP, surely)
    assert phases(book) == [("mail1 /var", "firing", 100.0, 0.0, 2)]

    book.take([], 300.0, surely)
    book.take([alert()], 301.0 + FLAP, surely)
    assert [(phase, since, times) for _, phase, since, _, times in phases(book)] == [
        ("firing", 301.0 + FLAP, 1),
        ("ended", 100.0, 2),
    ]


def test_what_nobody_can_look_at_is_not_over_until_somebody_could() -> None:
    book = AlertBook()
    book.take([alert()], 100.0, surely)
    book.take([], 110.0, lambda one: "mail1: no connection")
    one = only(book)
    assert (one.phase, one.note, one.seen, one.ended) == (Phase.UNKNOWN, "mail1: no connection", 100.0, 0.0)

    version = book.version
    book.take([], 120.0, lambda one: "mail1: no connection")
    assert book.version == version
    book.take([alert()], 130.0, surely)
    assert phases(book) == [("mail1 /var", "firing", 100.0, 0.0, 1)]
    book.take([], 140.0, lambda one: "mail1: no connection")
    book.take([], 150.0, surely)
    assert phases(book) == [("mail1 /var", "ended", 100.0, 150.0, 1)]


def test_a_hop_whose_hosts_change_is_one_alert() -> None:
    book = AlertBook()
    for now, target in ((100.0, "remote mail1"), (110.0, "remote mail1, mail2")):
        book.take([alert(target, rule="HopOld")], now, surely)

    assert phases(book) == [("remote mail1, mail2", "firing", 100.0, 0.0, 1)]


def test_the_gravest_is_first_then_the_longest_then_what_is_not_known_then_what_is_over() -> None:
    book = AlertBook()
    book.take([alert("over"), alert("blind")], 100.0, surely)
    book.take([alert("old"), alert("blind")], 110.0, surely)
    now = [alert("new"), alert("old"), alert("bad", Health.CRIT)]
    book.take(now, 120.0, lambda one: "why" if one.target == "blind" else "")

    assert [target for target, *_ in phases(book)] == ["bad", "old", "new", "blind", "over"]


def test_the_book_of_what_is_over_is_bounded_in_number_and_time() -> None:
    book = AlertBook()
    book.take([alert(str(number)) for number in range(KEPT + 10)], 100.0, surely)
    book.take([], 110.0, surely)
    assert len(book.rows()) == KEPT
    book.take([], 111.0 + KEPT_FOR, surely)
    assert book.rows() == ()


def test_only_a_change_is_a_new_version() -> None:
    book = AlertBook()
    book.take([alert()], 100.0, surely)
    version = book.version
    book.take([alert()], 110.0, surely)
    assert book.version == version
    assert only(book).seen == 110.0
    book.take([alert(health=Health.CRIT)], 120.0, surely)
    assert book.version > version
