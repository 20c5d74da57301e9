"""Zones of stamps by a file's own time, and when lines were written."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone

from hypothesis import given
from hypothesis import strategies as st

from mailtop.parse.log_times import LogTimes, zone_of_lines
from mailtop.parse.stamp import Stamps

AT = 1795505337.0


def traditional(at: float, zone: timezone) -> bytes:
    return datetime.fromtimestamp(at, zone).strftime("%b %e %H:%M:%S mail3 postfix/qmgr[1]: removed\n").encode()


@given(st.integers(-48, 56), st.floats(0.0, 2.0))
def test_any_zone_is_told_by_when_the_last_line_was_written(quarters: int, late: float) -> None:
    zone = timezone(timedelta(minutes=15 * quarters))
    lines = traditional(AT - 60, zone) + traditional(AT, zone)
    stamps = Stamps(AT)
    stamps.be_in(zone_of_lines(lines, AT + late))
    times = LogTimes()
    times.learn(lines, AT + late)

    assert stamps.at(lines[:15]) == AT - 60
    assert (times.first(lines), times.last(lines)) == (AT - 60, AT)


def test_stamps_with_a_zone_of_their_own_keep_it_and_lines_without_any_have_no_time() -> None:
    assert zone_of_lines(b"2026-11-24T08:28:57.5+01:00 mail3 postfix/qmgr[1]: removed\n", AT) is None
    assert zone_of_lines(b"no stamp\n", AT) is None
    assert LogTimes().last(b"no stamp\n") == LogTimes().first(b"") == 0.0


def test_where_lines_begin_that_were_not_written_before_a_moment() -> None:
    lines = b"".join(traditional(AT + second, timezone(timedelta())) for second in range(100))
    times = LogTimes()
    times.learn(lines, AT + 99)

    assert times.since(lines, AT + 40.5) == 41 * len(traditional(AT, timezone(timedelta())))
    assert times.since(lines, AT - 1) == 0
    assert times.since(lines, AT + 200) == len(lines)
