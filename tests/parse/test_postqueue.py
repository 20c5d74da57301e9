"""`postqueue -j` as Postfix 3.7, 3.10 and 3.11 print it, whole and in pieces, healthy and broken."""

from __future__ import annotations

import json
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailtop.model.errors import ParseError
from mailtop.model.mail import Queue
from mailtop.parse import listed_reasons, postqueue
from mailtop.parse.postqueue import Listing, ListingReader

AT = 1795487900.0

POSTFIX_37 = (
    b'{"queue_name": "active", "queue_id": "877F7208206", "arrival_time": 1795487846, "message_size": 463, '
    b'"forced_expire": false, "sender": "sender@client.test", "recipients": [{"address": "alice@example.test"}]}\n'
    b'{"queue_name": "hold", "queue_id": "E9D0B208259", "arrival_time": 1795487763, "message_size": 887, '
    b'"forced_expire": false, "sender": "sender@client.test", "recipients": [{"address": "x@servfail.test", '
    b'"delay_reason": "Host or domain name not found. Name service error for name=servfail.test type=MX: Host not '
    b'found, try again"}]}\n'
    b'{"queue_name": "deferred", "queue_id": "8FF8E208317", "arrival_time": 1795487814, "message_size": 724, '
    b'"forced_expire": false, "sender": "sender@client.test", "recipients": [{"address": "x@refused.test", '
    b'"delay_reason": "connect to refused.test[172.28.0.2]:25: Connection refused"}, {"address": "y@refused.test", '
    b'"delay_reason": "connect to refused.test[172.28.0.2]:25: Connection refused"}]}\n'
)
POSTFIX_310_NULL_SENDER = (
    b'{"queue_name": "deferred", "queue_id": "49C261980A1", "arrival_time": 1795495337, "message_size": 272, '
    b'"forced_expire": false, "sender": "MAILER-DAEMON", "recipients": [{"address": "a@refused.test", "delay_reason": '
    b'"connect to 127.0.0.1[127.0.0.1]:2525: Connection refused"}]}\n'
)


def read(*pieces: bytes, cut: bool = False) -> Listing:
    reader = ListingReader()
    for piece in pieces:
        reader.feed(piece)
    return reader.finish(AT, cut)


def line(id_: str = "8FF8E208317", **fields: object) -> bytes:
    message: dict[str, object] = {
        "queue_name": "deferred", "queue_id": id_, "arrival_time": 1795487814, "message_size": 724,
        "forced_expire": False, "sender": "ann@client.test", "recipients": [{"address": "bob@a.test"}],
    }  # fmt: skip
    return json.dumps(message | fields).encode() + b"\n"


def test_every_field_of_a_listing_arrives() -> None:
    listing = read(POSTFIX_37)

    held = listing.entry(1, "mail1/postfix")
    assert str(held.key.id) == "E9D0B208259"
    assert held.key.target == "mail1/postfix"
    assert (held.queue, held.arrival, held.size) == (Queue.HOLD, 1795487763.0, 887)
    assert (held.sender, held.recipient, held.recipients) == (b"sender@client.test", b"x@servfail.test", 1)
    assert held.reason.startswith(b"Host or domain name not found.")
    assert listing.bytes == 463 + 887 + 724
    assert {queue: count for queue, count in listing.counts.items() if count} == {
        Queue.ACTIVE: 1, Queue.HOLD: 1, Queue.DEFERRED: 1,
    }  # fmt: skip


def test_active_mail_has_no_reason() -> None:
    assert read(POSTFIX_37).entry(0, "t").reason == b""


def test_a_message_with_two_recipients_is_one_message() -> None:
    listing = read(POSTFIX_37)

    assert listing.entry(2, "t").recipients == 2
    assert listing.recipients[2] == b"x@refused.test\0y@refused.test"


@given(st.lists(st.integers(0, len(POSTFIX_37)), max_size=6))
def test_pieces_of_any_size_give_the_same_listing(cuts: list[int]) -> None:
    edges = [0, *sorted(cuts), len(POSTFIX_37)]
    listing = read(*(POSTFIX_37[start:end] for start, end in pairwise(edges)))

    assert [listing.entry(row, "t") for row in range(3)] == [read(POSTFIX_37).entry(row, "t") for row in range(3)]
    assert listing.unreadable == 0


def test_the_null_sender_is_empty_though_postqueue_prints_a_name() -> None:
    assert read(POSTFIX_310_NULL_SENDER).entry(0, "t").sender == b""


def test_a_message_listed_twice_while_it_moved_counts_once_and_the_last_place_wins() -> None:
    listing = read(line(), line("AAAAAA1"), line(queue_name="active"))

    assert len(listing) == 2
    assert listing.twice == 1
    assert listing.counts[Queue.ACTIVE] == 1
    assert [listing.entry(row, "t").queue for row in range(2)] == [Queue.DEFERRED, Queue.ACTIVE]


def test_ids_that_differ_in_case_only_are_two_messages() -> None:
    assert len(read(line("4TqX2m6bYzz3F"), line("4TqX2M6bYzz3F"))) == 2


def test_a_cut_last_line_is_counted_and_the_rest_is_kept() -> None:
    listing = read(line() + line("BBBBBB1")[:90])

    assert (len(listing), listing.unreadable) == (1, 1)


def test_a_whole_last_line_needs_no_newline() -> None:
    assert len(read(line().rstrip())) == 1


def test_a_listing_longer_than_its_limit_says_so() -> None:
    assert read(line(), cut=True).cut


@pytest.mark.parametrize(
    "broken",
    [
        b"postqueue: fatal: Queue report unavailable - mail system is down\n",
        b"{}\n",
        b"[1, 2]\n",
        line("ALL"),
        line("-d"),
        line(queue_name="../../etc"),
        line(arrival_time=-1),
        line(arrival_time="now"),
        line(message_size=10**15),
        b"\xff\xfe\n",
        b'{"queue_name": "\\ud800"}\n',
    ],
)
def test_what_is_no_message_is_counted_and_costs_no_other(broken: bytes) -> None:
    listing = read(line() + broken + line("BBBBBB1"))

    assert (len(listing), listing.unreadable) == (2, 1)


def test_fields_that_are_absent_or_new_are_no_trouble() -> None:
    bare = b'{"queue_name":"deferred","queue_id":"CCCCCC1","arrival_time":1,"message_size":2}\n'
    newer = line(
        recipients=[{"address": "a@b.test", "orig_address": "c@b.test", "bounce_reason": "5.7.1 no"}], extra=[1]
    )
    listing = read(bare + newer)

    assert listing.entry(0, "t").recipients == 0
    assert listing.entry(0, "t").recipient == b""
    assert listing.entry(1, "t").reason == b"5.7.1 no"


def test_a_held_ghost_without_recipients_is_listed() -> None:
    assert read(line(queue_name="hold", recipients=[])).counts[Queue.HOLD] == 1


def test_the_recipient_that_waits_stands_for_the_message() -> None:
    recipients = [
        {"address": "served@a.test"},
        {"address": "waits@b.test", "delay_reason": "connect to b.test[1]:25: x"},
    ]
    entry = read(line(recipients=recipients)).entry(0, "t")

    assert (entry.recipient, entry.reason) == (b"waits@b.test", b"connect to b.test[1]:25: x")


def test_bytes_that_are_not_utf8_survive_as_they_came() -> None:
    listing = read(line(sender="X@client.test").replace(b"X@", b"\xe4nn@"))

    assert (listing.entry(0, "t").sender, listing.unreadable) == (b"\xe4nn@client.test", 0)


def test_many_recipients_are_all_counted_and_a_few_are_named() -> None:
    listing = read(line(recipients=[{"address": f"u{number}@a.test"} for number in range(40)]))

    assert listing.entry(0, "t").recipients == 40
    assert listing.recipients[0].count(b"\0") == postqueue.NAMED - 1
    assert listing.partial == 1


def test_an_empty_queue_is_a_measured_zero() -> None:
    listing = read(b"")

    assert len(listing) == 0
    assert set(listing.counts.values()) == {0}


def test_reasons_past_the_limit_are_told_by_an_example(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(listed_reasons, "MOST", 2)
    listing = read(
        *(
            line(f"AAAAAA{number}", recipients=[{"address": "a@g.test", "delay_reason": reason}])
            for number, reason in enumerate(
                f"host mx.g.test[1.2.3.4] said: 421 4.7.0 slow down d9443c01a{number}36-22ac4e"
                for number in range(10, 99)
            )
        )
    )

    assert len(listing) == 89
    assert len(listing.reasons) == 2
    assert listing.entry(88, "t").reason.startswith(b"host mx.g.test[1.2.3.4] said: 421 4.7.0 slow down")


def test_an_answer_without_one_readable_line_is_no_empty_queue() -> None:
    reader = ListingReader()
    reader.feed(b'\xff\xfe\0{"queue_name": \x1b[31m]]] not what you asked for\n\x80\x81\n')

    with pytest.raises(ParseError, match="none of 2 lines is readable"):
        reader.finish(AT)


def test_one_message_of_many_gigabytes_is_counted_with_the_small_ones() -> None:
    reader = ListingReader()
    for number, size in enumerate((700, 5 << 30, 800)):
        message = {"queue_name": "hold", "queue_id": f"E9D0B20825{number}", "arrival_time": 1, "message_size": size}
        reader.feed(json.dumps(message).encode() + b"\n")

    assert list(reader.finish(0.0).size) == [700, 5 << 30, 800]
