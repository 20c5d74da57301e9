"""A trend is found where there is one, and nowhere else."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailtop.metrics.trend import spent

HOUR, DAY = 3600.0, 24
LENGTHS = st.integers(12, 14 * DAY)


@given(LENGTHS, st.floats(0.001, 1e9), st.floats(0.1, 3.0))
def test_what_falls_evenly_is_spent_when_the_line_says(hours: int, per_hour: float, ahead: float) -> None:
    left = per_hour * hours * ahead
    found = spent([left + per_hour * (hours - 1 - at) for at in range(hours)], HOUR, reach=4.0)

    assert found is not None
    assert found.likely == pytest.approx(hours * ahead * HOUR, rel=0.001)
    assert found.soonest <= found.likely <= found.latest


@given(LENGTHS, st.floats(0.01, 0.3), st.integers(0, 1000))
def test_readings_that_scatter_a_little_leave_the_line_what_it_is(hours: int, noise: float, seed: int) -> None:
    chance = random.Random(seed)
    values = [10.0 * hours - at + chance.uniform(-noise, noise) for at in range(hours)]
    found = spent(values, HOUR, reach=20.0)

    assert found is None or found.likely == pytest.approx((9 * hours) * HOUR, rel=0.15)
    assert found is not None or hours < 2 * DAY


@given(LENGTHS, st.integers(0, 1000))
def test_noise_is_no_trend(hours: int, seed: int) -> None:
    chance = random.Random(seed)

    assert spent([chance.uniform(90, 100) for _ in range(hours)], HOUR, reach=20.0) is None


@given(LENGTHS, st.floats(0.0, 1.0), st.integers(0, 1000))
def test_one_large_file_is_no_trend(hours: int, when: float, seed: int) -> None:
    chance = random.Random(seed)
    values = [(100.0 if at < when * hours else 50.0) + chance.uniform(-0.5, 0.5) for at in range(hours)]

    assert spent(values, HOUR, reach=20.0) is None


@given(st.lists(st.floats(0.0, 1e6), min_size=0, max_size=14 * DAY))
def test_what_does_not_fall_is_never_spent(rises: list[float]) -> None:
    values, now = [], 1.0
    for rise in rises:
        now += rise
        values.append(now)

    assert spent(values, HOUR, reach=100.0) is None


@given(st.lists(st.none() | st.floats(-1e12, 1e12), max_size=14 * DAY))
def test_whatever_is_read_the_time_is_ahead_and_between_its_bounds(values: list[float | None]) -> None:
    found = spent(values, HOUR, reach=4.0)

    assert found is None or 0 < found.soonest <= found.likely <= found.latest


def test_hours_in_which_nobody_looked_are_no_matter() -> None:
    values = [None if at % 5 in (1, 2) else 200.0 - at for at in range(3 * DAY)]
    found = spent(values, HOUR, reach=4.0)

    assert found is not None
    assert found.likely == pytest.approx(129 * HOUR, rel=0.02)


def test_nothing_is_foretold_farther_than_it_was_watched_for() -> None:
    assert spent([1000.0 - at for at in range(DAY)], HOUR, reach=4.0) is None


def test_too_few_readings_tell_nothing() -> None:
    assert spent([10.0, 9.0, 8.0, None, 7.0], HOUR, reach=4.0) is None
