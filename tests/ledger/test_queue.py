"""Pages, shape and selections over one listing."""

from __future__ import annotations

import json
from dataclasses import dataclass

import pytest

from mailtop.ledger.queue import MESSAGE_COLUMNS, QueueBook
from mailtop.model.errors import UsageError
from mailtop.model.mail import Key, Queue, QueueId
from mailtop.model.operation import Selection
from mailtop.model.snapshot import AGES, PageAsk
from mailtop.model.text import Foreign
from mailtop.model.topology import Hop
from mailtop.parse.postqueue import ListingReader

AT = 1_795_490_000.0
MESSAGES = PageAsk("messages")


@dataclass
class Mail:
    id: str
    to: str = "bob@a.test"
    sender: str = "ann@c.test"
    queue: str = "deferred"
    age: int = 60
    size: int = 1000
    reason: str = "connect to mx.a.test[1.2.3.4]:25: Connection timed out"

    def line(self) -> bytes:
        recipient = {"address": self.to} | ({"delay_reason": self.reason} if self.reason else {})
        return json.dumps({
            "queue_name": self.queue, "queue_id": self.id, "arrival_time": int(AT) - self.age,
            "message_size": self.size, "sender": self.sender, "recipients": [recipient],
        }).encode() + b"\n"  # fmt: skip


def book(*mails: Mail, target: str = "mail1/postfix") -> QueueBook:
    reader = ListingReader()
    reader.feed(b"".join(mail.line() for mail in mails))
    made = QueueBook(target)
    made.update(reader.finish(0.0), AT)
    return made


THREE = (
    Mail("AAAAAA1", "x@gmail.test", age=300, size=5),
    Mail("AAAAAA2", "y@outlook.test", "news@shop.test", age=9000, size=7),
    Mail("AAAAAA3", "z@gmail.test", queue="hold", age=60, size=6),
)


def ids(found: tuple[int, tuple[object, ...]]) -> list[str]:
    return [str(entry.key.id) for entry in found[1]]  # type: ignore[attr-defined]  # entries


def test_the_oldest_message_comes_first() -> None:
    assert ids(book(*THREE).messages(MESSAGES, AT)) == ["AAAAAA2", "AAAAAA1", "AAAAAA3"]


@pytest.mark.parametrize("column", MESSAGE_COLUMNS)
def test_every_column_sorts_both_ways(column: str) -> None:
    forth = ids(book(*THREE).messages(PageAsk("messages", sort=column), AT))
    back = ids(book(*THREE).messages(PageAsk("messages", sort=f"-{column}"), AT))

    assert sorted(forth) == sorted(back) == ["AAAAAA1", "AAAAAA2", "AAAAAA3"]
    if column in ("id", "arrival", "age", "size"):
        assert forth == back[::-1]


def test_sorted_by_age_the_youngest_comes_first() -> None:
    assert ids(book(*THREE).messages(PageAsk("messages", sort="age"), AT))[0] == "AAAAAA3"


def test_a_page_is_a_window_and_the_total_counts_all() -> None:
    total, rows = book(*THREE).messages(PageAsk("messages", offset=1, limit=1), AT)

    assert total == 3
    assert [str(row.key.id) for row in rows] == ["AAAAAA1"]


def test_a_page_past_the_end_is_empty() -> None:
    assert book(*THREE).messages(PageAsk("messages", offset=99), AT) == (3, ())


def test_a_filter_and_a_domain_narrow_together() -> None:
    total, _ = book(*THREE).messages(PageAsk("messages", where="!queue:hold", domain=Foreign(b"gmail.test")), AT)

    assert total == 1


def test_an_unknown_column_says_which_there_are() -> None:
    with pytest.raises(UsageError, match="arrival"):
        book(*THREE).messages(PageAsk("messages", sort="colour"), AT)


def test_a_hop_is_told_only_where_it_is_proven() -> None:
    proven = {QueueId("AAAAAA1"): Hop.REMOTE}

    _, rows = book(*THREE).messages(MESSAGES, AT, proven.get)

    assert {str(row.key.id): row.hop for row in rows} == {"AAAAAA1": Hop.REMOTE, "AAAAAA2": None, "AAAAAA3": None}


def test_without_a_listing_there_is_nothing_to_page() -> None:
    empty = QueueBook("mail1/postfix")

    assert empty.messages(MESSAGES, AT) == (0, ())
    assert empty.shape(PageAsk("shape"), AT) == (0, ())
    assert empty.causes(PageAsk("causes"), AT) == (0, ())
    assert not empty.select(Selection(where="x"), AT)


def test_the_shape_counts_messages_by_domain_and_age() -> None:
    total, rows = book(*THREE, Mail("AAAAAA4", "q@gmail.test", age=AGES[-1] * 60 + 61)).shape(PageAsk("shape"), AT)

    assert total == 2
    gmail, outlook = rows
    assert (gmail.domain, gmail.total) == (b"gmail.test", 3)
    assert (gmail.buckets[0], gmail.buckets[-1], sum(gmail.buckets)) == (2, 1, 3)
    assert outlook.buckets == (0, 0, 0, 0, 0, 1, 0, 0, 0, 0)


def test_a_message_from_the_future_is_new_not_old() -> None:
    _, rows = book(Mail("AAAAAA1", age=-30)).shape(PageAsk("shape"), AT)

    assert rows[0].buckets[0] == 1


def test_a_selection_by_filter_freezes_to_ids_and_what_they_mean() -> None:
    made = book(*THREE)

    items = made.items(made.select(Selection(where="gmail"), AT))

    assert [(str(item.id), item.queue, item.recipient) for item in items] == [
        ("AAAAAA1", "deferred", b"x@gmail.test"),
        ("AAAAAA3", "hold", b"z@gmail.test"),
    ]
    assert (items[0].sender, items[0].arrival, items[0].size) == (b"ann@c.test", AT - 300, 5)


def test_a_selection_by_key_takes_only_keys_of_this_queue() -> None:
    made = book(*THREE)
    keys = (Key("mail1/postfix", QueueId("AAAAAA3")), Key("mail2/postfix", QueueId("AAAAAA1")))

    assert made.select(Selection(keys=keys), AT) == [2]


def test_a_selection_on_another_target_is_empty_here() -> None:
    assert not book(*THREE).select(Selection(where="gmail", target="mail2/postfix"), AT)


def test_a_selection_by_cause_takes_what_the_cause_counts() -> None:
    made = book(*THREE, Mail("AAAAAA4", reason="host mx[1.1.1.1] said: 450 4.2.0 busy"))
    _, causes = made.causes(PageAsk("causes"), AT)

    for cause in causes:
        assert len(made.select(Selection(cause=cause.id), AT)) == cause.deferred + cause.active + cause.held


def test_a_cause_that_is_gone_is_told_and_selects_nothing() -> None:
    with pytest.raises(UsageError, match="gone"):
        book(*THREE).select(Selection(cause="0123456789ab"), AT)


def test_a_slow_answer_is_no_news_where_a_later_count_is_known() -> None:
    made = QueueBook("mail1/postfix")
    made.counted(Queue.HOLD, 1, asked=AT, now=AT + 0.1)
    made.counted(Queue.HOLD, 98, asked=AT - 10, now=AT + 1)

    assert made.counts[Queue.HOLD] == (1, AT)


def test_a_clock_that_was_set_back_does_not_freeze_the_counts() -> None:
    made = QueueBook("mail1/postfix")
    made.counted(Queue.HOLD, 1, asked=AT, now=AT + 0.1)
    made.counted(Queue.HOLD, 2, asked=AT - 3600, now=AT - 3599)

    assert made.counts[Queue.HOLD] == (2, AT - 3600)


def test_a_fresh_listing_answers_a_repeated_ask_anew() -> None:
    made = book(*THREE)
    made.messages(PageAsk("messages", where="gmail"), AT)
    reader = ListingReader()
    reader.feed(THREE[1].line())
    made.update(reader.finish(0.0), AT + 30)

    assert made.messages(PageAsk("messages", where="gmail"), AT) == (0, ())
    assert made.version == 2
