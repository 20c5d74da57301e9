from __future__ import annotations

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

from hypothesis import given
from hypothesis import strategies as st

from mailtop.parse.stamp import Stamps

JANUARY = datetime(2026, 1, 2, tzinfo=UTC).timestamp()
BERLIN = ZoneInfo("Europe/Berlin")


def when(*parts: int, zone: ZoneInfo | None = None) -> float:
    return datetime(*parts, tzinfo=zone or UTC).timestamp()  # type: ignore[misc, arg-type] # six ints


def test_a_stamp_of_december_read_in_january_is_last_years() -> None:
    stamps = Stamps(JANUARY)

    assert stamps.at(b"Dec 31 23:59:59") == when(2025, 12, 31, 23, 59, 59)
    assert stamps.at(b"Jan  1 00:00:01") == when(2026, 1, 1, 0, 0, 1)


def test_a_clock_that_runs_ahead_over_new_year_is_not_a_year_behind() -> None:
    assert Stamps(when(2025, 12, 31, 23, 0, 0)).at(b"Jan  1 00:10:00") == when(2026, 1, 1, 0, 10, 0)


def test_a_leap_day_is_found_years_later() -> None:
    assert Stamps(when(2027, 6, 1, 0, 0, 0)).at(b"Feb 29 12:00:00") == when(2024, 2, 29, 12, 0, 0)


def test_the_offset_of_rfc3339_is_heeded_and_the_fraction_kept() -> None:
    stamps = Stamps(JANUARY)

    assert stamps.at(b"2026-05-01T02:00:00.125000+02:00") == when(2026, 5, 1, 0, 0, 0) + 0.125
    assert stamps.at(b"2026-05-01T00:00:00Z") == when(2026, 5, 1, 0, 0, 0)
    assert stamps.at(b"2026-05-01T00:00:00.5Z") == when(2026, 5, 1, 0, 0, 0) + 0.5


def test_one_file_may_hold_both_and_two_offsets_within_a_second() -> None:
    stamps = Stamps(when(2026, 5, 2, 0, 0, 0))
    column = [b"May  1 00:00:00", b"2026-05-01T02:00:00.000000+02:00", b"2026-05-01T02:00:00.000000Z"]

    assert [stamps.second(stamp) for stamp in column] == [when(2026, 5, 1, 0, 0, 0)] * 2 + [when(2026, 5, 1, 2, 0, 0)]


def test_traditional_stamps_are_local_to_the_host() -> None:
    assert Stamps(when(2026, 7, 2, 0, 0, 0), BERLIN).at(b"Jul  1 12:00:00") == when(2026, 7, 1, 10, 0, 0)


def test_the_hour_that_comes_twice_in_autumn_goes_on_forwards() -> None:
    stamps = Stamps(when(2026, 10, 26, 0, 0, 0), BERLIN)

    times = [stamps.at(b"Oct 25 02:59:59"), stamps.at(b"Oct 25 02:00:01"), stamps.at(b"Oct 25 02:30:00")]

    assert times == sorted(times)
    assert times[1] - times[0] == 2


def test_what_is_no_stamp_takes_the_time_before_it_and_is_counted() -> None:
    stamps = Stamps(JANUARY)

    assert stamps.second(b"Jan  1 00:00:01") == when(2026, 1, 1, 0, 0, 1)
    assert stamps.second(b"Foo 99 00:00:01") == when(2026, 1, 1, 0, 0, 1)
    assert stamps.unreadable == 1


@given(st.lists(st.binary(max_size=40)))
def test_no_stamp_raises_and_the_newest_is_kept(stamps: list[bytes]) -> None:
    read = Stamps(JANUARY)
    times = [read.second(stamp) for stamp in stamps]

    assert read.newest == max([0.0, *times])


@given(st.datetimes(datetime(2000, 1, 1), datetime(2090, 1, 1)))  # noqa: DTZ001 — drawn naive, given UTC below
def test_every_rfc3339_time_reads_back(drawn: datetime) -> None:
    moment = drawn.replace(tzinfo=UTC)
    stamp = moment.strftime("%Y-%m-%dT%H:%M:%S.%f+00:00").encode()

    assert abs(Stamps(JANUARY).at(stamp) - moment.timestamp()) < 0.001


@given(st.floats(-300, 1), st.datetimes(datetime(2000, 3, 1), datetime(2090, 1, 1)))  # noqa: DTZ001
def test_every_traditional_time_of_the_last_months_reads_back(days: float, drawn: datetime) -> None:
    reference = drawn.replace(tzinfo=UTC).timestamp()
    moment = datetime.fromtimestamp(int(reference + days * 86_400), UTC)
    stamp = moment.strftime("%b %e %H:%M:%S").encode()

    assert Stamps(reference).at(stamp) == moment.timestamp()
