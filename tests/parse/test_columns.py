"""Columns give back what went in, and their searches find what a row-by-row search finds."""

from __future__ import annotations

from array import array

from hypothesis import given
from hypothesis import strategies as st

from mailtop.parse.columns import BLOCK, Interned, Texts, kept

rows = st.lists(st.text(st.characters(codec="utf-8", exclude_characters="\n\r"), max_size=8), max_size=40)


def column(texts: list[str]) -> Texts:
    made = Texts()
    made.extend(texts)
    return made


@given(rows)
def test_a_column_gives_back_its_rows(texts: list[str]) -> None:
    made = column(texts * 40)

    assert list(made) == [text.encode() for text in texts * 40]
    assert len(made) == len(texts) * 40
    assert [made[row] for row in range(len(made))] == list(made)


def test_blocks_are_cut_where_they_are_full() -> None:
    made = column([str(number) for number in range(3 * BLOCK + 7)])

    assert made[BLOCK - 1] == b"1023"
    assert made[BLOCK] == b"1024"
    assert made[3 * BLOCK + 6] == b"3078"


def test_a_line_break_in_a_text_does_not_shift_the_rows_behind_it() -> None:
    made = column(["a", "b\nc", "d"])

    assert list(made) == [b"a", b"b\\nc", b"d"]


@given(rows, st.text("aAbé\1", min_size=1, max_size=2))
def test_holding_finds_what_a_search_by_row_finds(texts: list[str], needle: str) -> None:
    made = column(texts * 60)
    wanted = needle.encode().lower()

    assert made.holding(wanted) == bytes(wanted in text.encode().lower() for text in texts * 60)


@given(rows, st.text("aAbé[]", min_size=1, max_size=4))
def test_letters_in_their_order_are_found_whatever_stands_between(texts: list[str], letters: str) -> None:
    made, wanted = column(texts * 30), letters.encode().lower()

    def holds(text: str) -> bool:
        left = iter(text.encode().lower())
        return all(letter in left for letter in wanted)

    assert made.fuzzy(wanted) == bytes(map(holds, texts * 30))


def test_the_kept_rows_make_a_column_of_their_own() -> None:
    keep = bytes([1, 0, 1] * 1000)

    assert list(column(["x", "y", "z"] * 1000).kept(keep)) == [b"x", b"z"] * 1000
    assert kept(array("I", [1, 2, 3]), b"\1\0\1") == array("I", [1, 3])


def test_texts_past_the_limit_of_a_table_are_kept_without_looking_for_equals() -> None:
    senders = Interned(2)

    numbers = [senders[text] for text in ("a", "b", "a", "c", "c")]

    assert numbers == [0, 1, 0, 2, 3]
    assert list(senders.table()) == [b"a", b"b", b"c", b"c"]


def test_one_text_can_stand_for_all_past_the_limit() -> None:
    domains = Interned(1, b"(other)")

    assert [domains[text] for text in ("a", "b", "c", "a")] == [0, 1, 1, 0]
    assert list(domains.table()) == [b"a", b"(other)"]
