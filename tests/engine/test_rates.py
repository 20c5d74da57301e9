"""Rates never exceed the truth, whatever clocks do."""

from __future__ import annotations

import pytest

from mailtop.engine.rates import Rates

NOW = 1_795_490_000.0


def test_a_rate_is_the_rise_of_the_last_minute() -> None:
    rates = Rates()
    for second in range(0, 300, 5):
        rates.count((second * 2, 7), NOW + second)

    assert rates.at(NOW + 295) == [2.0, 0.0]


def test_one_moment_tells_no_rate_and_neither_do_old_ones() -> None:
    rates = Rates()
    rates.count((1,), NOW)
    assert rates.at(NOW) is None

    rates.count((2,), NOW + 10)
    assert rates.at(NOW + 10) == [0.1]
    assert rates.at(NOW + 100) is None


def test_a_clock_that_was_set_back_begins_anew_instead_of_a_rate_too_high() -> None:
    rates = Rates()
    for second in range(60):
        rates.count((second * 2,), NOW + second)
    rates.count((120,), NOW - 3600)
    assert rates.at(NOW - 3600) is None

    rates.count((140,), NOW - 3590)
    assert rates.at(NOW - 3590) == [2.0]


def test_a_little_jitter_loses_nothing() -> None:
    rates = Rates()
    rates.count((0,), NOW)
    rates.count((20,), NOW + 10)
    rates.count((22,), NOW + 9)

    assert rates.at(NOW + 11) == pytest.approx([2.2])
