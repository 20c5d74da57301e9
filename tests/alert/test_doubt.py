"""An alert that is not there is over only where somebody could have seen it."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from mailtop.alert.doubt import Known
from mailtop.model.alerts import Alert
from mailtop.model.board import Block, Figure
from mailtop.model.snapshot import NO_DATA, Health, HopState, HostState, Link, LogState, Reading, TargetState
from mailtop.model.topology import Hop, Role

FIGURE = Figure("clamd_queue", "queue", reading=Reading(3.0, Health.OK, 1.0))
BLOCK = Block("mail1/clamav", "clamd", "clamd", Health.OK, 1.0, figures=(FIGURE,))
RUNS = TargetState("mail1/clamav", "mail1", (Role.ANTIVIRUS,), Health.OK, "running")
ARCHIVE = replace(
    HopState(Hop.ARCHIVE, *(NO_DATA,) * 7),
    last_success=Reading(3.0, Health.OK, 1.0),
    deferred=Reading(0.0, Health.OK, 1.0),
)
ALL = Known((HostState("mail1", Link.UP, 0.0),), (RUNS,), (LogState("mail1", "file", Health.OK),), (ARCHIVE,), (BLOCK,))
QUEUE = Alert("clamd_queue", "mail1/clamav", Health.WARN, 0.0, "mail1/clamav: queue 60", value="60")
STOPPED = Alert("ContainerNotRunning", "mail1/clamav", Health.CRIT, 0.0, "mail1/clamav is exited")
LOG = Alert("LogNotRead", "mail1", Health.WARN, 0.0, "mail1: log denied")
DOWN = Alert("HostDown", "mail1", Health.CRIT, 0.0, "mail1: no connection")
FAILS = Alert("HopWithoutSuccess", "archive mail1", Health.CRIT, 0.0, "archive: failing for 6 min")
OLD = Alert("HopOld", "archive mail1", Health.CRIT, 0.0, "archive: the oldest has waited 16 min")


@pytest.mark.parametrize("alert", [QUEUE, STOPPED, LOG, DOWN, FAILS, OLD], ids=lambda alert: alert.rule)
def test_what_is_seen_to_be_well_is_over(alert: Alert) -> None:
    assert ALL.doubt(alert) == ""


@pytest.mark.parametrize("alert", [QUEUE, STOPPED, LOG, DOWN], ids=lambda alert: alert.rule)
def test_nothing_about_a_host_that_is_not_reached_is_over(alert: Alert) -> None:
    lost = replace(ALL, hosts=(HostState("mail1", Link.DOWN, 0.0, "mail1: connection refused"),))

    assert lost.doubt(alert) == "mail1: connection refused"


def test_a_figure_that_is_old_or_has_no_value_or_is_not_asked_for_is_not_over() -> None:
    old = replace(BLOCK, stale=True, note="timed out after 5 s")
    none = replace(BLOCK, figures=(replace(FIGURE, reading=Reading(None, note="from the next reading on")),))
    paused = replace(RUNS, state="paused", health=Health.CRIT)

    assert replace(ALL, blocks=(old,)).doubt(QUEUE) == "timed out after 5 s"
    assert replace(ALL, blocks=(none,)).doubt(QUEUE) == "from the next reading on"
    assert replace(ALL, blocks=(), targets=(paused,)).doubt(QUEUE) == "mail1/clamav is paused"
    assert replace(ALL, blocks=(), targets=()).doubt(QUEUE) == ""  # it is gone for good


def test_a_container_or_a_log_that_is_not_seen_any_more_is_not_over() -> None:
    unseen = replace(RUNS, health=Health.UNKNOWN, note="exited when last seen: mail1: docker: denied")
    log = LogState("mail1", "file", Health.UNKNOWN, note="no such file")

    assert replace(ALL, targets=(unseen,)).doubt(STOPPED) == unseen.note
    assert replace(ALL, logs=(log,)).doubt(LOG) == "no such file"


def test_a_hop_that_lacks_a_host_is_not_over() -> None:
    lacks = Reading(3.0, Health.UNKNOWN, 1.0, note="without mail2: connection refused")
    hop = replace(ARCHIVE, last_success=lacks, deferred=lacks)

    assert replace(ALL, hops=(hop,)).doubt(FAILS) == lacks.note
    assert replace(ALL, hops=(hop,)).doubt(OLD) == "nothing was tried lately"
