"""The filter as it is typed."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailtop.ledger.where import matching, terms
from mailtop.model.errors import UsageError
from mailtop.parse.postqueue import Listing, ListingReader

AT = 1_795_490_000.0
BLOCKED = "host mx.o.test[1.2.3.4] said: 550 5.7.1 blocked (S3150)"
QUOTA = "host mx.g.test[1.2.3.4] said: 452 4.2.2 over quota"
TIMEOUT = "connect to mx.g.test[1.2.3.4]:25: Connection timed out"
ROWS: list[tuple[str, str, str, str, int, int, str]] = [
    # id, queue, sender, recipient, size, age in seconds, reason
    ("4TqX2m6bYzz3F", "deferred", "news@shop.example", "anna@outlook.test", 4_000, 60, BLOCKED),
    ("4TqX2n1c8Gz4K", "deferred", "", "Ben@Gmail.test", 2_000_000, 7_200, QUOTA),
    ("8FF8E208317", "active", "carl@corp.example", "dora@corp.example", 900, 5, ""),
    ("E9D0B208259", "hold", "news@shop.example", "emil@gmail.test", 12_000, 90_000, TIMEOUT),
]  # fmt: skip


def listing(rows: list[tuple[str, str, str, str, int, int, str]] = ROWS) -> Listing:
    reader = ListingReader()
    for id_, queue, sender, to, size, age, reason in rows:
        recipient = {"address": to} | ({"delay_reason": reason} if reason else {})
        message = {
            "queue_name": queue, "queue_id": id_, "arrival_time": int(AT) - age, "message_size": size,
            "sender": sender or "MAILER-DAEMON", "recipients": [recipient],
        }  # fmt: skip
        reader.feed(json.dumps(message).encode() + b"\n")
    return reader.finish(AT)


@pytest.mark.parametrize(
    ("where", "rows"),
    [
        ("", [0, 1, 2, 3]),
        ("gmail", [1, 3]),
        ("GMAIL", [1, 3]),
        ("!gmail", [0, 2]),
        ("S3150", [0]),
        ("8FF8E208317", [2]),
        ("sender:news", [0, 3]),
        ("sender:<>", [1]),
        ("!sender:<>", [0, 2, 3]),
        ("to:ben@", [1]),
        ("domain:gmail.test", [1, 3]),
        ("queue:hold", [3]),
        ("reason:quota", [1]),
        ('reason:"timed out"', [3]),
        ('"said: 55"', [0]),
        ("id:4tqx", [0, 1]),
        ("size>1M", [1]),
        ("size<1k", [2]),
        ("size>3.5k size<1M", [0, 3]),
        ("age>1h", [1, 3]),
        ("age>90", [1, 3]),
        ("age<30s", [2]),
        ("age>1d", [3]),
        ("recipients>0", [0, 1, 2, 3]),
        ("~nwsshp", [0, 3]),
        ("!~nwsshp", [1, 2]),
        ("to:~brgt", []),
        ("to:~bgt", [1]),
        ("sender:news to:gmail", [3]),
        ("  sender:news   !to:gmail ", [0]),
        ("nobody", []),
        ("~[.]", [0, 1, 3]),
    ],
)
def test_a_filter_finds_its_rows(where: str, rows: list[int]) -> None:
    mask = matching(listing(), where, AT)

    assert [row for row in range(4) if mask is None or mask[row]] == rows


@pytest.mark.parametrize(
    ("where", "says"),
    [
        ("sendr:ann", "there is no sendr:"),
        ("size:5", "there is no size:"),
        ("sender>5", "there is no sender>"),
        ("size>big", "write it like size>"),
        ("age>5y", "write it like age>90m"),
        ("sender:", "nothing to look for"),
        ("!", "nothing to look for"),
        ('reason:"over quota', "close the quote"),
    ],
)
def test_a_filter_that_is_none_says_what_was_expected(where: str, says: str) -> None:
    with pytest.raises(UsageError) as error:
        terms(where)

    assert says in str(error.value)


@given(st.text(max_size=30))
def test_whatever_is_typed_is_a_filter_or_a_usage_error(where: str) -> None:
    try:
        mask = matching(listing(), where, AT)
    except UsageError:
        return
    assert mask is None or (len(mask) == 4 and set(mask) <= {0, 1})
