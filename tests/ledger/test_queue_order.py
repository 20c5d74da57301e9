"""A page of sorted rows is the page of all rows sorted, for any page and any order."""

from __future__ import annotations

from itertools import compress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailtop.ledger import order

pages = st.tuples(st.integers(0, 60), st.integers(0, 20), st.booleans())


@pytest.fixture(params=[0, 3, order.ENOUGH])
def enough(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Small limits, so that a small test walks the ways of a large queue."""
    monkeypatch.setattr(order, "ENOUGH", request.param)
    monkeypatch.setattr(order, "SAMPLE", 10)
    monkeypatch.setattr(order, "_SURE", (0.3, 1.0))  # so that a sample is wrong now and then


def expected(keys: list[int] | list[bytes], mask: bytes | None, offset: int, limit: int, reverse: bool) -> list[int]:
    rows = list(range(len(keys)) if mask is None else compress(range(len(keys)), mask))
    return sorted(rows, key=keys.__getitem__, reverse=reverse)[offset : offset + limit]


def test_numbers(enough: None) -> None:
    @given(st.lists(st.one_of(st.integers(0, 5), st.integers(0, 2**40)), max_size=50), pages, st.randoms())
    def check(keys: list[int], window: tuple[int, int, bool], luck: object) -> None:
        offset, limit, reverse = window
        mask = bytes(key % 3 > 0 for key in keys) if offset % 2 else None
        found = order.page(
            order.by_number(keys, mask),
            lambda: rows(len(keys), mask),
            len(rows(len(keys), mask)),
            offset,
            limit,
            reverse,
        )
        assert found == expected(keys, mask, offset, limit, reverse)

    check()


def test_texts(enough: None) -> None:
    @given(st.lists(st.binary(max_size=5), max_size=50), pages)
    def check(keys: list[bytes], window: tuple[int, int, bool]) -> None:
        offset, limit, reverse = window
        found = order.page(
            order.by_text(lambda: keys, None), lambda: rows(len(keys), None), len(keys), offset, limit, reverse
        )
        assert found == expected(keys, None, offset, limit, reverse)

    check()


def test_ranks_of_a_table(enough: None) -> None:
    column = [2, 0, 1, 1, 2, 0] * 5
    ranks = order.ranks([b"b", b"a", b"b"])

    found = order.page(order.by_rank(ranks, column, None), lambda: rows(30, None), 30, 4, 9)

    assert found == expected([ranks[index] for index in column], None, 4, 9, False)


def rows(length: int, mask: bytes | None) -> list[int]:
    return list(range(length) if mask is None else compress(range(length), mask))
