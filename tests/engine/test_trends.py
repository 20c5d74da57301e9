"""What runs out is foretold from what was seen of it, and said to be unknown before."""

from __future__ import annotations

from mailtop.engine.trends import Trends
from mailtop.model.board import Trend
from mailtop.model.sample import Fact, Sample

VAR = (("mount", "/var"),)
TREND = (Trend("available", "full_seconds", "inodes"),)


def told(trends: Trends, hour: float, left: float) -> list[str]:
    found = trends.take("mail1", TREND, (Sample("available", left, VAR), Fact("other", "x")), 3600.0 * (500 + hour))
    return [f"{one.name} {one.value}" for one in found]


def test_at_first_it_is_not_known() -> None:
    assert told(Trends(), 0.0, 100.0) == ["filling up not known yet"]


def test_what_runs_wild_is_told_within_hours_and_no_more_once_it_has_ended() -> None:
    trends = Trends()
    for minute in range(0, 120, 2):
        found = told(trends, minute / 60, 300.0 - minute)
    assert found == ["full_seconds 11040", "filling up /var inodes in 3 h (3 … 3)"]

    for minute in range(120, 480, 2):
        found = told(trends, minute / 60, 182.0)
    assert found == []


def test_days_of_growth_tell_of_weeks() -> None:
    trends = Trends()
    for hour in range(96):
        found = told(trends, hour, 1000.0 - hour)
    assert found == ["full_seconds 3258000", "filling up /var inodes in 38 d (38 … 38)"]


def test_what_stays_as_it_is_says_nothing() -> None:
    trends = Trends()
    for minute in range(0, 600, 2):
        found = told(trends, minute / 60, 50.0)
    assert found == []
