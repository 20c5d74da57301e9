"""The hops over all hosts: what is known is shown, what is not is never zero, and never ok."""

from __future__ import annotations

import dataclasses

from msgspec.structs import replace

from mailtop.derive.hops import Flow, HopFlow, hop_states
from mailtop.ledger.grouping import NO_ANSWER
from mailtop.model.snapshot import Cause, Health, HopState
from mailtop.model.text import Foreign
from mailtop.model.topology import Hop

NOW = 1_795_490_000.0
FLOWING = HopFlow(rate=2.0, p95=0.5, succeeded=NOW - 1)
CAUSE = Cause(
    "c1", "mail1/postfix", Hop.REMOTE, Foreign(b"451 later"), "4.7.1", Foreign(b"outlook.test"), Foreign(b"n@s"), 1,
    deferred=300, growth=120, oldest=NOW - 7200,
)  # fmt: skip


def flow(host: str = "mail1", *causes: Cause, **hops: HopFlow) -> Flow:
    return Flow(host, NOW, "", NOW, hops={Hop(name): part for name, part in hops.items()}, causes=causes)


def row(hop: Hop, *flows: Flow) -> HopState:
    return next(state for state in hop_states(flows, NOW) if state.hop is hop)


def test_every_hop_has_a_row_and_without_a_postfix_each_says_so() -> None:
    states = hop_states((), NOW)

    assert [state.hop for state in states] == list(Hop)
    assert all(state.note and state.rate.value is None for state in states)


def test_rates_add_up_over_hosts_and_the_slowest_p95_counts() -> None:
    state = row(Hop.REMOTE, flow(remote=FLOWING), flow("mail2", remote=HopFlow(1.0, 9.0, succeeded=NOW)))

    assert (state.rate.value, state.p95.value) == (3.0, 9.0)
    assert state.hosts == (("mail1", Health.OK), ("mail2", Health.OK))


def test_many_deferred_that_grow_are_a_warning_on_their_host_only() -> None:
    state = row(Hop.REMOTE, flow("mail1", CAUSE, remote=FLOWING), flow("mail2", remote=FLOWING))

    assert (state.deferred.value, state.growth.value, state.oldest.value) == (300, 120, 7200)
    assert state.deferred.health is Health.WARN
    assert dict(state.hosts) == {"mail1": Health.WARN, "mail2": Health.OK}
    assert state.failing == "outlook.test: 451 later"


def test_many_deferred_that_shrink_are_on_their_way_out() -> None:
    assert row(Hop.REMOTE, flow("mail1", replace(CAUSE, growth=-5), remote=FLOWING)).deferred.health is Health.OK


def test_old_mail_is_an_alarm_inside_and_not_at_a_dead_remote() -> None:
    inside = replace(CAUSE, hop=Hop.FILTER, deferred=1, growth=0, oldest=NOW - 1000)

    assert row(Hop.FILTER, flow("mail1", inside)).oldest.health is Health.CRIT
    assert row(Hop.REMOTE, flow("mail1", replace(inside, hop=Hop.REMOTE))).oldest.health is Health.OK


def test_traffic_without_success_is_the_alarm_that_no_threshold_misses() -> None:
    failing = HopFlow(rate=0.0, failed=NOW - 5, failing_since=NOW - 400, succeeded=NOW - 401)
    state = row(Hop.ARCHIVE, flow(archive=failing))

    assert state.last_success.health is Health.CRIT
    assert dict(state.hosts) == {"mail1": Health.CRIT}


def test_an_internal_hop_that_gives_no_answer_is_an_alarm_though_no_log_has_a_line_of_it() -> None:
    stuck = replace(
        CAUSE, hop=Hop.FILTER, reason=NO_ANSWER, deferred=0, active=3, growth=0, oldest=NOW - 360, next_hop=Foreign(b"")
    )
    silent = HopFlow(rate=0.0, succeeded=NOW - 400)
    state = row(Hop.FILTER, flow("mail1", stuck, filter=silent))

    assert (state.last_success.health, state.last_success.value) == (Health.CRIT, 400)
    assert state.last_success.note == "mail in delivery, and no answer for 6 min"
    assert dict(state.hosts) == {"mail1": Health.CRIT}
    goes_on = HopFlow(rate=0.1, succeeded=NOW - 200)
    assert row(Hop.FILTER, flow("mail1", stuck, filter=goes_on)).last_success.health is Health.OK
    assert (
        row(Hop.FILTER, flow("mail1", replace(stuck, oldest=NOW - 200), filter=silent)).last_success.health is Health.OK
    )
    away = replace(stuck, hop=Hop.REMOTE)
    assert row(Hop.REMOTE, flow("mail1", away, remote=silent)).last_success.health is Health.OK
    lost = dataclasses.replace(flow("mail1", stuck, filter=silent), queue_lost="no connection")
    assert row(Hop.FILTER, lost).last_success.health is not Health.CRIT


def test_a_first_failure_is_no_alarm_yet() -> None:
    once = HopFlow(failed=NOW - 5, failing_since=NOW - 5)

    assert dict(row(Hop.REMOTE, flow(remote=once)).hosts) == {"mail1": Health.OK}


def test_a_quiet_hop_is_no_alarm() -> None:
    quiet = HopFlow(rate=0.0, succeeded=NOW - 9000)

    assert dict(row(Hop.ARCHIVE, flow(archive=quiet)).hosts) == {"mail1": Health.OK}


def test_a_log_that_is_not_read_is_unknown_never_zero() -> None:
    blind = Flow("mail1", log_note="mail1/postfix: permission denied", queue_note="not listed")
    state = row(Hop.MAILBOX, blind)

    assert state.rate.value is None
    assert state.deferred.value is None
    assert dict(state.hosts) == {"mail1": Health.UNKNOWN}
    assert state.note == "mail1/postfix: permission denied"


def test_a_log_that_is_late_makes_its_host_unknown_and_its_numbers_stale() -> None:
    late = replace_log(flow(remote=FLOWING), NOW - 120)
    state = row(Hop.REMOTE, late)

    assert state.rate.stale
    assert dict(state.hosts) == {"mail1": Health.UNKNOWN}


def replace_log(old: Flow, at: float) -> Flow:
    return Flow(old.host, at, "", old.queue_at, hops=old.hops, causes=old.causes)


def test_two_postfixes_on_a_host_are_one_column_and_the_worse_one_counts() -> None:
    state = row(Hop.REMOTE, flow("mail1", CAUSE, remote=FLOWING), flow("mail1", remote=FLOWING))

    assert state.hosts == (("mail1", Health.WARN),)


def test_a_sum_that_lacks_a_host_is_unknown_and_says_so_at_once() -> None:
    lost = "mail1: connection lost"
    gone = dataclasses.replace(flow("mail1", remote=HopFlow(succeeded=NOW - 3)), log_note=lost, queue_lost=lost)

    state = row(Hop.REMOTE, gone, flow("mail2", remote=FLOWING))

    assert (state.rate.value, state.rate.health) == (2.0, Health.UNKNOWN)
    assert state.rate.note == "without mail1: connection lost"
    assert state.deferred.health is Health.UNKNOWN
    assert dict(state.hosts) == {"mail1": Health.UNKNOWN, "mail2": Health.OK}


def test_what_is_wrong_without_a_lost_host_is_wrong() -> None:
    gone = dataclasses.replace(flow("mail1"), log_note="lost", queue_lost="lost")

    assert row(Hop.REMOTE, gone, flow("mail2", CAUSE, remote=FLOWING)).deferred.health is Health.WARN


def test_a_sum_lacks_a_host_that_was_never_read_or_listed_too() -> None:
    never = Flow("mail1", log_note="connection refused", queue_note="connection refused")

    state = row(Hop.REMOTE, never, flow("mail2", remote=FLOWING))

    for reading in (state.rate, state.deferred, state.last_success):
        assert (reading.health, reading.note) == (Health.UNKNOWN, "without mail1: connection refused")
    assert (state.rate.value, state.deferred.value) == (2.0, 0)
    assert dict(state.hosts)["mail1"] is Health.UNKNOWN


def test_a_sum_lacks_a_host_whose_log_is_still_being_read_back() -> None:
    behind = dataclasses.replace(flow("mail1"), log_note="its log is still being read back")

    state = row(Hop.REMOTE, behind, flow("mail2", remote=FLOWING))

    assert (state.rate.health, state.rate.note) == (
        Health.UNKNOWN,
        "without mail1: its log is still being read back",
    )
    assert state.deferred.health is Health.OK


def test_hosts_stand_in_the_platforms_order_though_one_was_never_read() -> None:
    states = hop_states((flow("mail2"), Flow("mail1")), NOW, ("mail1", "mail2"))

    assert [host for host, _ in states[0].hosts] == ["mail1", "mail2"]


def test_a_hop_that_never_succeeded_in_what_was_read_is_an_alarm_without_a_number() -> None:
    failing = HopFlow(rate=0.0, failed=NOW - 5, failing_since=NOW - 420)
    state = row(Hop.MAILBOX, flow(mailbox=failing))

    assert (state.last_success.value, state.last_success.health) == (None, Health.CRIT)
    assert state.last_success.note == "failing for 7 min, no success in what was read"
