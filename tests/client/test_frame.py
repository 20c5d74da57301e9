"""The frame around an answer, in whatever pieces it comes."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailtop.client.frame import Framed
from mailtop.model.errors import Garbled

MARK = "0123456789abcdef0123456789abcdef"
M = MARK.encode()


@given(st.binary(max_size=300), st.integers(0, 255), st.data())
def test_any_octets_in_any_pieces_are_kept(octets: bytes, status: int, data: st.DataObject) -> None:
    stream = M + b"+\n" + octets + b"\n" + M + b"=%d\n" % status
    cuts = sorted(data.draw(st.lists(st.integers(0, len(stream)), max_size=8)))
    framed = Framed(MARK, 300)
    for start, stop in zip([0, *cuts], [*cuts, len(stream)], strict=True):
        framed.feed(stream[start:stop])

    assert (framed.ended, framed.cut, framed.octets(), framed.status) == (True, False, octets, status)


@pytest.mark.parametrize(
    "octets", [b"\n", M, b"\n" + M, M + b"=0\n", b"\n" + M + b"+\n", b"\n" + M[:-1] + b"=0\n", M + b"+\n", b"=0\n"]
)
def test_what_looks_like_a_mark_is_none_unless_it_is_one(octets: bytes) -> None:
    framed = Framed(MARK, 1000)
    framed.feed(M + b"+\n" + octets + b"\n" + M + b"=0\n")
    assert framed.octets() == octets


def test_junk_before_the_mark_is_let_go_up_to_its_limit() -> None:
    framed = Framed(MARK, 10, junk=100)
    framed.feed(b"x" * 100)
    framed.feed(M + b"+\nPONG\n\n" + M + b"=0\n")
    assert framed.octets() == b"PONG\n"
    with pytest.raises(Garbled):
        Framed(MARK, 10, junk=99).feed(b"x" * 100 + M + b"+\n")


def test_endless_junk_is_refused_and_not_kept() -> None:
    framed = Framed(MARK, 10, junk=1 << 20)
    for _ in range(16):
        framed.feed(bytes(1 << 16))
    with pytest.raises(Garbled):
        framed.feed(bytes(1 << 16))


def test_an_answer_over_its_limit_is_cut_there() -> None:
    framed = Framed(MARK, 10)
    framed.feed(M + b"+\n" + b"y" * 100)
    assert (framed.cut, framed.octets()) == (True, b"y" * 10)
    exact = Framed(MARK, 10)
    exact.feed(M + b"+\n" + b"y" * 10 + b"\n" + M + b"=0\n")
    assert (exact.cut, exact.ended) == (False, True)


@pytest.mark.parametrize("tail", [b"=x\n", b"=0\nmore", b"=-1\n"])
def test_an_irregular_end_is_garbled(tail: bytes) -> None:
    with pytest.raises(Garbled):
        Framed(MARK, 10).feed(M + b"+\n\n" + M + tail)


def test_the_last_words_are_a_line_and_never_half_a_mark() -> None:
    framed = Framed(MARK, 10, junk=1000)
    framed.feed(b"motd\nno login\n")
    assert framed.last_words() == b"no login"
    half = Framed(MARK, 10, junk=1000)
    half.feed(M[:10])
    assert half.last_words() == b""


@given(st.binary(max_size=300), st.integers(0, 320), st.data())
def test_a_sink_is_given_the_same_octets_and_nothing_is_kept(octets: bytes, limit: int, data: st.DataObject) -> None:
    stream = M + b"+\n" + octets + b"\n" + M + b"=0\n"
    cuts = sorted(data.draw(st.lists(st.integers(0, len(stream)), max_size=8)))
    given_: list[bytes] = []
    framed = Framed(MARK, limit, sink=given_.append)
    for start, stop in zip([0, *cuts], [*cuts, len(stream)], strict=True):
        if not framed.cut:
            framed.feed(stream[start:stop])

    assert b"".join(given_) == octets[:limit]
    assert (framed.cut, framed.ended, framed.octets()) == (len(octets) > limit, len(octets) <= limit, b"")


def test_a_sink_is_given_octets_before_the_end_has_come() -> None:
    given_: list[bytes] = []
    framed = Framed(MARK, 1 << 20, sink=given_.append)
    framed.feed(M + b"+\n" + b"y" * 1000)

    assert sum(map(len, given_)) > 900
