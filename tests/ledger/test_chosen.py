"""What was chosen for an act reads like a tuple of messages, and keeps none of them."""

from __future__ import annotations

import json

from hypothesis import given
from hypothesis import strategies as st

from mailtop.ledger import chosen
from mailtop.model.operation import Item
from mailtop.parse.postqueue import Listing, ListingReader

AT = 1_795_490_000


def listing(messages: int) -> Listing:
    reader = ListingReader()
    for number in range(messages):
        message = {
            "queue_name": ("deferred", "hold", "active")[number % 3],
            "queue_id": f"4jYVfP5TPXz{number:05d}",
            "arrival_time": AT + number,
            "message_size": 700 + number,
            "sender": f"news{number % 5}@shop.example",
            "recipients": [{"address": f"user{number}@b.test"}, {"address": "c@d.test"}][: 1 + number % 2],
        }
        reader.feed(json.dumps(message).encode() + b"\n")
    return reader.finish(float(AT))


LISTING = listing(50)


@given(st.sets(st.integers(0, 49)), st.slices(50))
def test_walked_taken_apart_and_counted_it_is_the_same_messages(rows: set[int], part: slice) -> None:
    some = chosen.Chosen(LISTING, sorted(rows))
    nouns = tuple(some)

    assert len(nouns) == len(some) == len(rows)
    assert nouns == tuple(some[place] for place in range(len(some))) == some[:]
    assert some[part] == nouns[part]


def test_a_message_is_what_its_row_says() -> None:
    first, second = chosen.Chosen(LISTING, [3, 4])

    assert first == Item("4jYVfP5TPXz00003", b"news3@shop.example", float(AT + 3), 703, "deferred", b"user3@b.test")  # type: ignore[arg-type]
    assert second.queue == "hold"


def test_only_many_keep_their_listing() -> None:
    assert isinstance(chosen.items(LISTING, [1, 2]), tuple)
    many = listing(chosen.FEW + 1)

    assert isinstance(chosen.items(many, range(len(many))), chosen.Chosen)
