"""A host's clock against ours: found from counts and log stamps, and never guessed."""

from __future__ import annotations

import pytest

from mailtop.engine.skew import AGAIN, HostClock

NOW = 1_795_490_000.0


def test_clocks_that_agree_within_what_can_be_known_are_equal() -> None:
    clock = HostClock()
    clock.told(NOW, NOW + 0.4, NOW + 0.9)
    clock.stamped(NOW + 9, NOW + 9.1)

    assert clock.ahead == 0.0


@pytest.mark.parametrize("ahead", [60.0, 3.0, -60.0, -3600.0])
def test_a_count_tells_how_far_a_clock_is_ahead_or_behind(ahead: float) -> None:
    clock = HostClock()
    for tick in range(6):
        now = NOW + 10.3 * tick
        clock.told(float(int(now + ahead)), now - 0.1, now + 0.1)

    assert clock.ahead == pytest.approx(ahead, abs=0.5)


def test_a_line_from_the_future_proves_a_clock_ahead_before_anything_was_counted() -> None:
    clock = HostClock()
    clock.stamped(NOW + 59.9, NOW)

    assert clock.ahead == pytest.approx(59.9)


@pytest.mark.parametrize("nonsense", [1.795e18, float("inf"), float("nan"), -1e18])
def test_what_is_no_time_at_all_sets_no_clock(nonsense: float) -> None:
    clock = HostClock()
    clock.told(nonsense, NOW, NOW + 0.1)
    clock.stamped(nonsense, NOW + 0.2)

    assert clock.ahead == 0.0


def test_old_lines_that_are_read_back_prove_nothing() -> None:
    clock = HostClock()
    clock.stamped(NOW - 3600, NOW)

    assert clock.ahead == 0.0


def test_a_clock_that_is_set_right_is_believed_at_once() -> None:
    clock = HostClock()
    clock.told(NOW + 60, NOW, NOW + 0.1)
    clock.told(NOW + 10, NOW + 10.2, NOW + 10.4)

    assert clock.ahead == 0.0


def test_our_own_step_back_shows_in_the_next_count_and_goes_with_the_step_forth() -> None:
    clock = HostClock()
    clock.told(NOW, NOW + 0.2, NOW + 0.4)
    clock.told(NOW + 10, NOW - 3600, NOW - 3599.8)
    assert clock.ahead == pytest.approx(3610, abs=1)

    clock.told(NOW + 20, NOW + 20.2, NOW + 20.4)
    assert clock.ahead == 0.0


def test_without_counts_what_lines_proved_is_forgotten_in_time() -> None:
    clock = HostClock()
    clock.stamped(NOW + 60, NOW)
    clock.stamped(NOW + AGAIN, NOW + AGAIN + 0.1)

    assert clock.ahead == 0.0


def test_answers_of_a_recording_may_be_a_little_old() -> None:
    clock = HostClock(slack=10.0)
    clock.told(NOW - 6, NOW, NOW)

    assert clock.ahead == 0.0
