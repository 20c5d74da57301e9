"""The whole queue: as it is printed where it is short, compressed on the host where it is not."""

from __future__ import annotations

import gzip
import json
from itertools import pairwise
from typing import cast

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mailtop.model.ask import Answer, Command, Look, handed
from mailtop.model.errors import CommandFailed, Denied, Garbled, Missing
from mailtop.parse.postqueue import Listing
from mailtop.parse.queue_list import SMALL, listed


def line(number: int) -> bytes:
    message = {
        "queue_name": "deferred",
        "queue_id": f"4jYVfP5TPXz{number:05d}",
        "arrival_time": 1795487814,
        "message_size": 724,
        "sender": "news@shop.example",
        "recipients": [
            {"address": "anna@outlook.test", "delay_reason": "connect to x[192.0.2.1]:25: Connection refused"}
        ],
    }
    return json.dumps(message).encode() + b"\n"


def lists(*answers: Answer, config: str = "") -> tuple[Listing, list[Look]]:
    """Answer each question in turn; the listing, and what was asked."""
    asking, asked = listed(config), list[Look]()
    ask = next(asking)
    with pytest.raises(StopIteration) as ended:
        for answer in answers:
            asked.append(ask)
            ask = asking.send(handed(answer, ask))
    return cast(Listing, ended.value.value), asked


def test_a_short_queue_is_one_question() -> None:
    listing, asked = lists(Answer(line(1) + line(2)), config="/etc/postfix-out")

    assert len(listing) == 2
    (ask,) = asked
    assert isinstance(ask, Command)
    assert (ask.argv, ask.large) == (("postqueue", "-c", "/etc/postfix-out", "-j"), False)


def test_a_long_one_is_compressed_there_and_unpacked_here() -> None:
    whole = b"".join(map(line, range(9000)))
    listing, asked = lists(Answer(whole[:SMALL]), Answer(gzip.compress(whole)))

    assert len(listing) == 9000
    assert not listing.cut
    assert isinstance(asked[1], Command)
    assert asked[1].pipe == (("gzip", "-1", "-c"),)


def test_what_was_cut_off_is_never_called_whole() -> None:
    whole = b"".join(map(line, range(9000)))
    packed = gzip.compress(whole)
    listing, _ = lists(Answer(whole[:SMALL]), Answer(packed[: len(packed) // 2]))

    assert listing.cut
    assert 0 < len(listing) < 9000


@pytest.mark.parametrize(
    ("stderr", "error"),
    [
        (b"postqueue: fatal: Queue report unavailable - mail system is down", CommandFailed),
        (b"postqueue: fatal: Connect to the Postfix showq service: Permission denied", Denied),
        (b"sh: 1: postqueue: not found", Missing),
    ],
)
def test_a_complaint_in_front_of_a_pipe_is_heard(stderr: bytes, error: type[Exception]) -> None:
    with pytest.raises(error):
        lists(Answer(b"", stderr))


@pytest.mark.parametrize("gzipped", [False, True])
def test_a_listing_that_broke_off_is_no_listing(gzipped: bool) -> None:
    stderr = b"postqueue: fatal: malformed showq server response\n"
    answers = [Answer(line(1) * 2, stderr)]
    if gzipped:
        whole = b"".join(map(line, range(9000)))
        answers = [Answer(whole[:SMALL]), Answer(gzip.compress(whole[:3_000_000]), stderr)]

    with pytest.raises(CommandFailed, match="malformed showq server response"):
        lists(*answers)


def test_a_listing_that_was_ended_by_its_deadline_is_cut() -> None:
    listing, _ = lists(Answer(line(1), took=30.1))

    assert listing.cut


def test_a_warning_about_the_configuration_is_no_complaint_though_the_queue_is_empty() -> None:
    listing, _ = lists(Answer(b"", b"postqueue: warning: /etc/postfix/main.cf, line 9: overriding earlier entry\n"))

    assert (len(listing), listing.whole) == (0, True)


def test_a_program_that_head_has_had_enough_of_did_nothing_wrong() -> None:
    whole = b"".join(map(line, range(9000)))
    pipe = b"postqueue: fatal: write error: Broken pipe\n"
    listing, _ = lists(Answer(whole[:SMALL], pipe), Answer(gzip.compress(whole)))

    assert len(listing) == 9000


def test_junk_instead_of_gzip_is_garbled() -> None:
    with pytest.raises(Garbled):
        lists(Answer(b"x" * SMALL), Answer(b"\x1f\x8bjunk, and a lot of it"))


@settings(deadline=None, max_examples=15)
@given(st.lists(st.integers(0, 200_000), max_size=20))
def test_it_is_read_from_whatever_pieces_come(cuts: list[int]) -> None:
    whole = b"".join(map(line, range(9000)))
    packed = gzip.compress(whole)
    places = sorted({0, len(packed), *(cut for cut in cuts if cut < len(packed))})
    asking = listed()
    next(asking)
    ask = asking.send(Answer(whole[:SMALL]))
    assert isinstance(ask, Command)
    assert ask.sink is not None
    for start, stop in pairwise(places):
        ask.sink(packed[start:stop])
    with pytest.raises(StopIteration) as ended:
        asking.send(Answer(b""))

    listing = cast(Listing, ended.value.value)
    assert (len(listing), listing.whole) == (9000, True)
