"""Times in Postfix's settings, whatever somebody wrote there."""

from __future__ import annotations

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailtop.model.errors import ParseError
from mailtop.parse.postfix_time import seconds


@given(st.text(max_size=12))
def test_any_text_is_a_time_or_said_to_be_none(value: str) -> None:
    with suppress(ParseError):
        assert seconds(value, "d") >= 0


@pytest.mark.parametrize("value", ["", "d", "-1d", "1.5h", "$bounce_queue_lifetime", "5 d", "٣d"])
def test_what_postfix_takes_for_no_time_is_none(value: str) -> None:
    with pytest.raises(ParseError, match="is no time"):
        seconds(value, "d")


def test_a_number_without_a_unit_has_the_parameters_own() -> None:
    assert (seconds("2", "s"), seconds("2", "h"), seconds("2w", "s")) == (2, 7200, 1_209_600)
