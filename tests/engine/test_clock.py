"""Waits that end together, and those that must not."""

from __future__ import annotations

import doctest

from hypothesis import given
from hypothesis import strategies as st

from mailtop.engine import clock
from mailtop.engine.clock import BEAT, LONG, due

MOMENTS = st.floats(0.0, 1e7)


def test_the_docstrings_tell_the_truth() -> None:
    assert doctest.testmod(clock).failed == 0


@given(MOMENTS, st.integers(1, 600), st.sampled_from((0.0, 0.1)))
def test_waits_of_whole_seconds_end_on_a_beat_and_no_more_than_half_of_one_off(
    now: float, seconds: int, after: float
) -> None:
    end = due(now, float(seconds), after)

    assert abs((end - after) / BEAT - round((end - after) / BEAT)) < 1e-6
    assert abs(end - now - seconds) <= BEAT / 2 + 1e-6


@given(MOMENTS, st.floats(0.0, LONG, exclude_max=True).filter(lambda s: not (s >= BEAT and s.is_integer())))
def test_a_short_wait_is_exact(now: float, seconds: float) -> None:
    assert due(now, seconds) == now + seconds
