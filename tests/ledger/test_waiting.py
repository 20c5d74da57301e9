"""Causes: few rows, each worth an act, stable from listing to listing."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace

import pytest

from mailtop.ledger.reasons import Reason
from mailtop.ledger.waiting import IN_DELIVERY, NO_ANSWER, ON_HOLD, Waiting
from mailtop.model.errors import UsageError
from mailtop.model.mail import QueueId
from mailtop.model.snapshot import Cause, PageAsk
from mailtop.model.text import Foreign
from mailtop.model.topology import Hop
from mailtop.parse.postqueue import Listing, ListingReader

AT = 1_795_490_000.0
TIMEOUT = "connect to mx1.{d}[203.0.113.9]:25: Connection timed out"
TRY_AGAIN = "Host or domain name not found. Name service error for name={d} type=MX: Host not found, try again"

Row = tuple[str, str, str, int, str]


def deferred(
    domain: str, count: int, reason: str = TIMEOUT, sender: str = "s{n}@c.test", age: int = 1800
) -> Iterator[Row]:
    for n in range(count):
        yield "deferred", sender.format(n=n), f"u{n}@{domain}", age, reason.format(d=domain)


def listing(rows: Iterator[Row] | list[Row], at: float = AT) -> Listing:
    reader = ListingReader()
    for number, (queue, sender, to, age, reason) in enumerate(rows):
        recipient = {"address": to} | ({"delay_reason": reason} if reason else {})
        message = {
            "queue_name": queue, "queue_id": f"ABC{number:07X}", "arrival_time": int(at) - age, "message_size": 9,
            "sender": sender, "recipients": [recipient],
        }  # fmt: skip
        reader.feed(json.dumps(message).encode() + b"\n")
    return reader.finish(at)


def bounced(
    count: int,
    reason: bytes = b"550 5.7.1 blocked (S3150)",
    next_hop: bytes = b"outlook.test",
    sender: bytes = b"news@shop.test",
) -> Reason:
    return Reason(Hop.REMOTE, "5.7.1", Foreign(reason), Foreign(next_hop), Foreign(sender), 0, count, 0, AT - 60, AT)


def causes(rows: Iterator[Row] | list[Row], at: float = AT) -> tuple[Cause, ...]:
    return Waiting("mail1/postfix").causes(listing(rows), at)


def test_one_reason_at_one_next_hop_is_one_cause() -> None:
    (cause,) = causes([*deferred("a.test", 30)])

    assert (cause.reason, cause.code) == (b"connect: Connection timed out", "4.4.1")
    assert (cause.next_hop, cause.deferred, cause.senders) == (b"a.test", 30, 30)
    assert cause.oldest == AT - 1800


def test_suspended_delivery_is_the_same_cause_as_what_suspended_it() -> None:
    rows = [*deferred("a.test", 3), *deferred("a.test", 4, "delivery temporarily suspended: " + TIMEOUT)]

    assert [cause.deferred for cause in causes(rows)] == [7]


def test_a_resolver_that_fails_for_all_is_one_row_not_hundreds() -> None:
    rows = [row for n in range(300) for row in deferred(f"d{n}.test", 1, TRY_AGAIN)]

    (cause,) = causes(rows)

    assert (cause.next_hop, cause.next_hops, cause.deferred) == (b"", 300, 300)


def test_a_large_next_hop_keeps_a_row_of_its_own_among_hundreds() -> None:
    rows = [*deferred("gmail.test", 150, TRY_AGAIN)]
    rows += [row for n in range(300) for row in deferred(f"d{n}.test", 1, TRY_AGAIN)]

    found = {cause.next_hop: cause.deferred for cause in causes(rows)}

    assert found == {b"gmail.test": 150, b"": 300}


def test_few_next_hops_are_not_gathered() -> None:
    rows = [row for n in range(8) for row in deferred(f"d{n}.test", 1)]

    assert len(causes(rows)) == 8


def test_a_burst_by_one_sender_is_a_row_apart_from_the_rest() -> None:
    rows = [*deferred("a.test", 60, sender="burst@shop.test"), *deferred("a.test", 30)]

    burst, rest = sorted(causes(rows), key=lambda cause: -cause.deferred)

    assert (burst.sender, burst.senders, burst.deferred) == (b"burst@shop.test", 1, 60)
    assert (rest.senders, rest.deferred) == (30, 30)


def test_a_sender_that_leaves_next_to_nothing_behind_is_not_split_off() -> None:
    rows = [*deferred("a.test", 96, sender="news@shop.test"), *deferred("a.test", 2)]

    (cause,) = causes(rows)

    assert (cause.sender, cause.senders, cause.deferred) == (b"news@shop.test", 3, 98)


def test_many_senders_with_one_cause_do_not_splinter() -> None:
    assert len(causes([*deferred("a.test", 400)])) == 1


def test_the_ids_of_a_split_row_select_exactly_its_messages() -> None:
    waiting = Waiting("t")
    made = listing([*deferred("a.test", 60, sender="burst@shop.test"), *deferred("a.test", 30), *deferred("b.test", 4)])

    found = waiting.causes(made, AT)

    assert sorted(waiting.mask(made, cause.id).count(1) for cause in found) == [4, 30, 60]


def test_a_cause_keeps_its_id_and_first_seen_over_listings() -> None:
    waiting = Waiting("t")
    (first,) = waiting.causes(listing([*deferred("a.test", 5)]), AT)
    (later,) = waiting.causes(listing([*deferred("a.test", 9, age=0)], AT + 60), AT + 60)

    assert later.id == first.id
    assert later.first_seen == first.first_seen == AT - 1800


def test_a_cause_that_comes_later_is_seen_since_then() -> None:
    waiting = Waiting("t")
    waiting.causes(listing([*deferred("a.test", 5)]), AT)
    found = waiting.causes(listing([*deferred("a.test", 5), *deferred("b.test", 5)], AT + 60), AT + 60)

    assert {cause.next_hop: cause.first_seen for cause in found}[Foreign(b"b.test")] == AT + 60


def test_growth_is_counted_against_ten_minutes_ago() -> None:
    waiting = Waiting("t")
    for minute, count in ((0, 10), (5, 30), (11, 25), (15, 60)):
        at = AT + minute * 60
        (cause,) = waiting.causes(listing([*deferred("a.test", count, age=40_000)], at), at)

    assert cause.growth == 30  # against the 30 of minute 5


def test_growth_before_a_second_listing_is_what_came_in_meanwhile() -> None:
    (cause,) = causes([*deferred("a.test", 7, age=30), *deferred("a.test", 9, age=4000)])

    assert cause.growth == 7


def test_what_came_shortly_before_the_first_listing_has_grown_until_that_is_ten_minutes_ago() -> None:
    waiting, grown = Waiting("t"), []
    for seconds in (0, 90, 590, 600):
        at = AT + seconds
        (cause,) = waiting.causes(listing([*deferred("a.test", 200, age=5 + seconds)], at), at)
        grown.append(cause.growth)

    assert grown == [200, 200, 200, 0]


def test_what_came_long_before_the_first_listing_has_not_grown() -> None:
    waiting = Waiting("t")
    waiting.causes(listing([*deferred("a.test", 200, age=4000)], AT), AT)
    (cause,) = waiting.causes(listing([*deferred("a.test", 203, age=4090)], AT + 90), AT + 90)

    assert cause.growth == 3


def test_a_listing_that_broke_off_is_no_shrinking_and_no_later_one_is_held_against_it() -> None:
    waiting = Waiting("mail1/postfix")
    waiting.causes(listing([*deferred("a.test", 30)], AT), AT)
    (cut,) = waiting.causes(replace(listing([*deferred("a.test", 10)], AT + 300), cut=True), AT + 300)
    (whole,) = waiting.causes(listing([*deferred("a.test", 35)], AT + 600), AT + 600)

    assert cut.growth == 0  # what came in meanwhile, as far as it is known
    assert whole.growth == 5


def test_a_clock_that_was_set_back_holds_nothing_against_the_future() -> None:
    waiting = Waiting("mail1/postfix")
    waiting.causes(listing([*deferred("a.test", 30)], AT), AT)
    waiting.causes(listing([*deferred("a.test", 40)], AT - 7200), AT - 7200)
    (cause,) = waiting.causes(listing([*deferred("a.test", 45)], AT - 6900), AT - 6900)

    assert cause.growth == 5


def test_what_shrinks_grows_negatively_and_sinks() -> None:
    waiting = Waiting("t")
    waiting.causes(listing([*deferred("a.test", 50), *deferred("b.test", 5)]), AT)
    at = AT + 600
    found = waiting.causes(listing([*deferred("a.test", 40), *deferred("b.test", 8)], at), at)

    assert [(cause.next_hop, cause.growth) for cause in found] == [(b"b.test", 3), (b"a.test", -10)]


def test_active_mail_in_front_of_a_hung_filter_leads_everything() -> None:
    rows: list[Row] = [("active", "a@b.test", "alice@example.test", 130 + n, "") for n in range(8)]
    rows += [*deferred("a.test", 500, age=10)]
    waiting = Waiting("t")

    first, *_ = waiting.causes(
        listing(rows), AT, hop_of=lambda id_: Hop.FILTER if id_ < QueueId("ABC0000008") else None
    )

    assert (first.reason, first.next_hop, first.hop, first.active) == (NO_ANSWER, b"(filter)", Hop.FILTER, 8)


def test_active_mail_that_may_be_a_retry_is_not_called_hung_before_it_was_watched() -> None:
    rows: list[Row] = [("active", "a@b.test", "alice@example.test", 4000, "")]
    waiting = Waiting("t")

    (now,) = waiting.causes(listing(rows), AT)
    (soon,) = waiting.causes(listing(rows, AT + 60), AT + 60)
    (later,) = waiting.causes(listing(rows, AT + 130), AT + 130)

    assert [now.reason, soon.reason, later.reason] == [IN_DELIVERY, IN_DELIVERY, NO_ANSWER]


def test_held_mail_keeps_the_reason_it_was_held_with() -> None:
    rows: list[Row] = [
        ("hold", "a@b.test", "x@a.test", 9, TIMEOUT.format(d="a.test")),
        ("hold", "a@b.test", "x@c.test", 9, ""),
    ]

    found = {cause.reason: cause.held for cause in causes(rows)}

    assert found == {b"connect: Connection timed out": 1, ON_HOLD: 1}


def test_bounces_make_a_cause_though_the_queue_is_empty() -> None:
    waiting = Waiting("t")

    (cause,) = waiting.causes(None, AT, [bounced(398)], [bounced(40)])

    assert (cause.bounced, cause.deferred, cause.growth) == (398, 0, 40)
    assert (cause.sender, cause.next_hop, cause.code, cause.hop) == (
        b"news@shop.test",
        b"outlook.test",
        "5.7.1",
        Hop.REMOTE,
    )
    assert cause.first_seen == AT - 60


def test_bounces_join_the_mail_that_waits_for_the_same_reason() -> None:
    waiting = Waiting("t")
    reason = "host mx.outlook.test[1.1.1.1] said: 550 5.7.1 blocked (S3150) (in reply to MAIL FROM command)"
    made = listing([*deferred("outlook.test", 4, reason)])

    once = waiting.causes(made, AT, [bounced(9)])
    again = waiting.causes(made, AT, [bounced(9)])

    assert [(cause.deferred, cause.bounced) for cause in once] == [(4, 9)]
    assert once == again  # asking twice counts nothing twice


def test_causes_can_be_filtered_and_sorted() -> None:
    waiting = Waiting("t")
    found = waiting.causes(listing([*deferred("a.test", 3), *deferred("b.test", 5, TRY_AGAIN)]), AT)

    assert [c.next_hop for c in waiting.page(found, PageAsk("causes", sort="deferred"))[1]] == [b"a.test", b"b.test"]
    assert [c.next_hop for c in waiting.page(found, PageAsk("causes", where="try again"))[1]] == [b"b.test"]
    assert [c.next_hop for c in waiting.page(found, PageAsk("causes", where="!4.4.3"))[1]] == [b"a.test"]
    with pytest.raises(UsageError, match="growth"):
        waiting.page(found, PageAsk("causes", sort="colour"))


def test_the_counts_of_all_causes_are_the_counts_of_the_queue() -> None:
    rows = [*deferred("a.test", 60, sender="burst@shop.test"), *deferred("a.test", 30)]
    rows += [row for n in range(40) for row in deferred(f"d{n}.test", 1, TRY_AGAIN)]
    rows += [("active", "a@b.test", f"x@e{n}.test", 10, "") for n in range(20)]
    rows += [("incoming", "a@b.test", "x@e.test", 1, ""), ("hold", "a@b.test", "x@e.test", 1, "")]

    found = causes(rows)

    assert sum(cause.deferred + cause.active + cause.held for cause in found) == len(rows)


def test_a_message_that_moved_on_while_it_was_listed_leaves_no_row_behind() -> None:
    reader = ListingReader()
    for queue, number in (("incoming", 0), ("active", 0), ("deferred", 1)):
        waits = {"delay_reason": TIMEOUT} if queue == "deferred" else {}
        message = {
            "queue_name": queue, "queue_id": f"ABC{number:07X}", "arrival_time": int(AT) - 60, "message_size": 9,
            "sender": "s@c.test", "recipients": [{"address": "u@a.test", **waits}],
        }  # fmt: skip
        reader.feed(json.dumps(message).encode() + b"\n")
    found = Waiting("mail1/postfix").causes(reader.finish(AT), AT)

    assert sum(cause.deferred + cause.active for cause in found) == 2
