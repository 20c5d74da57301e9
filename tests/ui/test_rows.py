"""A cursor that stays with its row, whatever the rows do."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from mailtop.ui.rows import PAGE, Rows

MOVES = st.lists(st.permutations(range(12)).map(lambda order: order[:8]), min_size=1, max_size=6)


def rows_of(items: list[int]) -> Rows[int]:
    rows: Rows[int] = Rows(lambda item: item)
    rows.take(0, items, len(items), 1)
    return rows


@given(MOVES, st.integers(0, 7))
def test_the_cursor_is_on_its_row_or_on_none(orders: list[list[int]], start: int) -> None:
    rows = rows_of(orders[0])
    rows.go(start)
    mine = orders[0][start]
    for version, order in enumerate(orders[1:], 2):
        rows.take(0, order, len(order), version)
        assert rows.current == (mine if mine in order else None)


def test_a_row_that_comes_back_is_found_again() -> None:
    rows = rows_of([1, 2, 3])
    rows.go(1)
    rows.take(0, [1, 3], 2, 2)
    assert rows.astray
    rows.take(0, [3, 2, 1], 3, 3)
    assert rows.current == 2


def test_only_visible_pages_are_asked_for() -> None:
    rows = rows_of(list(range(PAGE)))
    rows.total = 1_000_000
    rows.go(777_777)
    rows.window(20)
    assert rows.lacking(20, 1) == [777_600]


def test_a_window_over_two_pages_asks_for_both() -> None:
    rows: Rows[int] = Rows(lambda item: item)
    rows.take(0, list(range(PAGE)), 1000, 1)
    rows.go(PAGE + 5)
    rows.window(20)
    assert rows.lacking(20, 1) == [PAGE]
    assert rows.lacking(20, 2) == [0, PAGE]


def test_a_range_with_rows_that_are_not_loaded_marks_nothing() -> None:
    rows = rows_of(list(range(PAGE)))
    rows.total = 1000
    assert rows.range()
    rows.go(600)
    assert not rows.range()
    assert not rows.marks


def test_memory_stays_flat_while_scrolling_through_a_million() -> None:
    rows = rows_of(list(range(PAGE)))
    for start in range(0, 100_000, PAGE):
        rows.at = start
        rows.take(start, list(range(start, start + PAGE)), 1_000_000, 1)
    assert rows.item(0) is None
    assert rows.item(99_900) is not None
