"""Finding one id among many."""

from __future__ import annotations

import pytest

from mailtop.ledger.rows import Rows
from mailtop.parse.columns import BLOCK, Texts


def column(count: int) -> tuple[Texts, list[str]]:
    texts, names = Texts(), [f"4jYVfP{number:08d}" for number in range(count)]
    texts.extend(names)
    return texts, names


@pytest.mark.parametrize("count", [0, 1, 7, BLOCK, 3 * BLOCK + 5])
def test_every_id_is_found_in_its_row_and_no_other_is(count: int) -> None:
    texts, names = column(count)
    rows = Rows(texts)

    assert [rows.find(name.encode()) for name in names] == list(range(count))
    assert [rows.find(f"x{name}".encode()) for name in names] == [None] * count


def test_a_table_costs_no_more_than_sixteen_bytes_a_row() -> None:
    texts, _ = column(5000)

    assert Rows(texts)._table.itemsize * len(Rows(texts)._table) <= 16 * 5000
