"""What is wrong now: only what is known to be wrong, worst first, with since when."""

from __future__ import annotations

import pytest

from mailtop.derive.firing import firing
from mailtop.model.snapshot import NO_DATA, Health, HopState, HostState, Link, LogState, Reading, TargetState
from mailtop.model.topology import Hop, Role

NOW = 1000.0
UP = HostState("mail1", Link.UP, 0.0)
DOWN = HostState("mail2", Link.DOWN, 900.0, "mail2: connection refused")
STOPPED = TargetState("mail1/postfix", "mail1", (Role.MTA,), Health.CRIT, "exited")
FAILING = HopState(
    Hop.REMOTE,
    rate=NO_DATA,
    p95=NO_DATA,
    active=NO_DATA,
    deferred=Reading(600.0, Health.CRIT, NOW),
    growth=Reading(200.0, Health.WARN, NOW),
    oldest=NO_DATA,
    last_success=NO_DATA,
    failing="outlook.test: rate limited",
    hosts=(("mail1", Health.CRIT), ("mail2", Health.OK)),
)


def test_a_quiet_platform_fires_nothing_and_neither_does_ignorance() -> None:
    blank = HopState(Hop.IN, NO_DATA, NO_DATA, NO_DATA, NO_DATA, NO_DATA, NO_DATA, NO_DATA)

    assert firing((UP,), (), (), (blank,), {}, NOW) == ()


def test_a_host_that_is_down_fires_once_not_for_each_thing_on_it() -> None:
    there = TargetState("mail2/postfix", "mail2", (Role.MTA,), Health.CRIT, "exited")
    log = LogState("mail2/postfix", "docker", Health.DENIED, note="denied")

    (alert,) = firing((UP, DOWN), (there,), (log,), (), {}, NOW)

    assert (alert.rule, alert.since, alert.summary) == ("HostDown", 900.0, "mail2: connection refused")


def test_a_stopped_container_fires_only_where_it_has_a_role() -> None:
    scratch = TargetState("mail1/scratch", "mail1", (), Health.CRIT, "exited")

    assert [alert.target for alert in firing((UP,), (STOPPED, scratch), (), (), {}, NOW)] == ["mail1/postfix"]


def test_a_hop_that_never_succeeded_fires_without_a_number() -> None:
    never = Reading(None, Health.CRIT, NOW, note="failing for 7 min, no success in what was read")
    hop = HopState(Hop.MAILBOX, NO_DATA, NO_DATA, NO_DATA, NO_DATA, NO_DATA, NO_DATA, never)

    (alert,) = firing((UP,), (), (), (hop,), {}, NOW)

    assert (alert.rule, alert.health) == ("HopWithoutSuccess", Health.CRIT)
    assert alert.summary == "mailbox: failing for 7 min, no success in what was read"


@pytest.mark.parametrize(
    ("ahead", "health", "summary"),
    [
        (60.2, Health.CRIT, "mail1's clock is 60 s ahead"),
        (-5.0, Health.WARN, "mail1's clock is 5 s behind"),
        (1.9, None, ""),
    ],
)
def test_a_clock_that_is_wrong_is_told(ahead: float, health: Health | None, summary: str) -> None:
    found = firing((HostState("mail1", Link.UP, 0.0, ahead=ahead),), (), (), (), {}, NOW)

    assert [(alert.health, alert.summary) for alert in found] == ([(health, summary)] if health else [])


def test_a_hole_in_a_log_fires_for_ten_minutes_and_a_fault_of_ours_is_no_hole() -> None:
    hole = LogState("mail1/postfix", "docker", Health.OK, gap=12.0, note="mailtop's own fault: …", gap_at=NOW - 30)

    (alert,) = firing((UP,), (), (hole,), (), {}, NOW)
    assert (alert.summary, alert.since) == ("mail1/postfix: 12 s of its log are gone", NOW - 30)
    assert firing((UP,), (), (hole,), (), {}, NOW + 600) == ()


def test_a_failing_hop_names_host_and_cause_and_keeps_its_since() -> None:
    (first,) = firing((UP,), (), (), (FAILING,), {}, NOW)
    (later,) = firing((UP,), (), (), (FAILING,), {first.key: first.since}, NOW + 60)

    assert first.summary == "remote: 600 deferred, +200 in 10 min: outlook.test: rate limited"
    assert (first.target, first.see) == ("remote mail1", "queue")
    assert later.since == NOW
