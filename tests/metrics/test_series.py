from __future__ import annotations

from math import isclose, nan

from hypothesis import given
from hypothesis import strategies as st

from mailtop.metrics.series import Ring, Window
from mailtop.model.sample import Kind

FINE, COARSE = (1.0, 60), (10.0, 60)


def window(kind: Kind) -> Window:
    return Window(kind, FINE, COARSE)


def test_a_gauge_stands_at_its_last_value_and_gaps_are_no_data() -> None:
    gauge = window(Kind.GAUGE)
    gauge.put(100.0, 1.0)
    gauge.put(100.5, 2.0)
    gauge.put(103.0, 3.0)

    assert gauge.values(103.9, 5) == (99.0, 1.0, (None, 2.0, None, None, 3.0))
    assert (gauge.latest, gauge.at) == (3.0, 103.0)


def test_nothing_measured_is_none_and_not_zero() -> None:
    empty = window(Kind.COUNT)

    assert empty.values(100.0, 3) == (98.0, 1.0, (None, None, None))
    assert empty.total(100.0, 3) is None


def test_counts_are_summed_within_a_step() -> None:
    count = window(Kind.COUNT)
    for at in (100.0, 100.2, 101.0):
        count.put(at, 2.0)

    assert count.values(101.0, 2)[2] == (4.0, 2.0)
    assert count.total(101.0, 10) == 6.0


def test_a_total_becomes_a_rate_between_its_readings() -> None:
    total = window(Kind.TOTAL)
    for at, value in ((100.0, 1000.0), (101.0, 1005.0), (105.0, 1025.0)):
        total.put(at, value)

    assert total.values(105.0, 6)[2] == (None, 5.0, 5.0, 5.0, 5.0, 5.0)
    assert total.rate == 5.0
    assert total.latest == 1025.0


def test_the_first_total_is_no_rate() -> None:
    total = window(Kind.TOTAL)
    total.put(100.0, 1_000_000.0)

    assert total.rate is None
    assert total.total(100.0, 10) is None


def test_a_restarted_daemon_counts_from_zero() -> None:
    total = window(Kind.TOTAL)
    for at, value in ((100.0, 50.0), (101.0, 3.0), (102.0, 4.0)):
        total.put(at, value)

    assert total.values(102.0, 2)[2] == (3.0, 1.0)


def test_the_last_day_is_kept_in_coarser_steps() -> None:
    gauge = window(Kind.GAUGE)
    for at in range(0, 600, 5):
        gauge.put(float(at), float(at))

    start, step, values = gauge.values(599.0, 300)
    assert (start, step) == (300.0, 10.0)
    assert values == tuple(float(at + 5) for at in range(300, 600, 10))


def test_what_is_older_than_the_last_or_no_number_is_dropped() -> None:
    gauge = window(Kind.GAUGE)
    gauge.put(100.0, 1.0)
    gauge.put(99.0, 9.0)
    gauge.put(101.0, nan)

    assert (gauge.latest, gauge.values(101.0, 3)[2]) == (1.0, (None, 1.0, None))


def test_the_ring_forgets_what_it_turned_over() -> None:
    ring = Ring(1.0, 4)
    for at in (0.0, 1.0, 2.0, 9.0):
        ring.set(at, at)

    assert ring.values(9.0, 4)[1] == (None, None, None, 9.0)
    assert ring.values(20.0, 4)[1] == (None,) * 4
    ring.set(1.0, 5.0)
    assert ring.values(9.0, 4)[1] == (None, None, None, 9.0)


GROWTHS = st.lists(st.tuples(st.floats(0.05, 20.0), st.integers(0, 1000), st.booleans()), min_size=1, max_size=40)


@given(GROWTHS)
def test_rates_are_never_negative_and_their_sum_is_what_was_counted(growths: list[tuple[float, int, bool]]) -> None:
    total = Window(Kind.TOTAL, (1.0, 2000), (10.0, 2000))
    now, value, grown = 1000.0, 0, 0
    total.put(now, value)
    for passed, growth, restarted in growths:
        now += passed
        before, value = value, growth if restarted else value + growth
        grown += value - before if value >= before else value  # a restart past the old value cannot be told
        total.put(now, value)

    rates = [rate for rate in total.values(now, 1500)[2] if rate is not None]
    assert all(rate >= 0 for rate in rates)
    assert isclose(sum(rates), grown, rel_tol=1e-6, abs_tol=1e-6)
    counted = total.total(now, 1900)
    assert counted is not None
    assert isclose(counted, grown, rel_tol=1e-6, abs_tol=1e-6)


@given(st.lists(st.tuples(st.floats(0, 1e6), st.floats(allow_nan=True, allow_infinity=False))), st.sampled_from(Kind))
def test_no_order_of_times_breaks_a_window(values: list[tuple[float, float]], kind: Kind) -> None:
    held = window(kind)
    for at, value in values:
        held.put(at, value)

    assert len(held.values(1e6, 50)[2]) == 50
