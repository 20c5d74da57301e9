"""The fault matrix: what the screen says while something is broken, and that it comes back by itself."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from maillab.lab import Lab

from mailtop.model.snapshot import Health, Link, Snapshot
from tests.truth.comparing import assert_counters_equal_the_log
from tests.truth.traffic import Traffic, traffic
from tests.truth.watching import HERE, Watching, count, host, hosts_over_ssh, log, probe, state_of, watching

pytestmark = [pytest.mark.faults, pytest.mark.timeout(240)]

POSTFIX, DISTANT = "mail1/postfix", "mail2/postfix"


async def on(function: object, *arguments: object) -> None:
    """Break or mend something in the lab, off the loop."""
    assert callable(function)
    await asyncio.to_thread(function, *arguments)


async def sent(watched: Watching, sending: Traffic, more: int) -> None:
    """Wait until Postfix has taken so many messages more."""
    wanted = sending.accepted + more
    await watched.until(f"{more} more messages sent", lambda _: sending.accepted >= wanted)


# ── logs and counters ──────────────────────────────────────────────────────────────────────────────────────────────


async def test_counters_equal_the_log_when_postfix_restarts_amid_traffic(fresh_lab: Lab, tmp_path: Path) -> None:
    async with watching({"here": HERE}, tmp_path) as watched:
        await watched.until_read("here/postfix")
        with traffic(fresh_lab) as sending:
            await sent(watched, sending, 10)
            began = watched.now.at
            await on(fresh_lab.restart, "postfix")
            await watched.until("the log is followed again", lambda s: log(s, "here/postfix").health is Health.OK)
            await sent(watched, sending, 10)
        truth = await assert_counters_equal_the_log(watched, fresh_lab, "here/postfix", "postfix")

    assert truth.accepted >= sending.accepted >= 20
    assert truth.rejects.total() >= sending.taken["rejected"] > 0
    notes = {state.note for s in watched.after(began) if (state := log(s, "here/postfix")).health is Health.UNKNOWN}
    assert "the log ended: its daemon stopped" in notes
    assert log(watched.now, "here/postfix").gap == 0.0


async def test_counters_equal_the_log_when_the_network_is_cut_amid_traffic(fresh_lab: Lab, tmp_path: Path) -> None:
    await on(fresh_lab.deferred, 5)
    async with watching(hosts_over_ssh(), tmp_path) as watched:
        await watched.until_read(POSTFIX, DISTANT)
        with traffic(fresh_lab) as sending:
            await sent(watched, sending, 10)
            began = watched.now.at
            await on(fresh_lab.cut_off, "mail1")
            down = await watched.until("mail1 is down", lambda s: host(s, "mail1").link is Link.DOWN)
            assert host(down, "mail1").note
            retries = await watched.until("a retry is announced", lambda s: host(s, "mail1").retry_at > s.at)
            assert host(retries, "mail2").link is Link.UP
            await watched.until("the counts are old too", lambda s: count(s, POSTFIX, "deferred").stale)
            await sent(watched, sending, 10)
            cut = watched.after(began)
            await on(fresh_lab.restore, "mail1")
            await watched.until("mail1 is up again", lambda s: host(s, "mail1").link is Link.UP, 60)
            await watched.until("the log is followed again", lambda s: log(s, POSTFIX).health is Health.OK)
            await sent(watched, sending, 10)
        truth = await assert_counters_equal_the_log(watched, fresh_lab, POSTFIX, "postfix")

    assert truth.accepted >= sending.accepted >= 30
    assert log(watched.now, POSTFIX).gap == 0.0
    while_down = [s for s in cut if host(s, "mail1").link is Link.DOWN]
    assert all(log(s, POSTFIX).health is Health.UNKNOWN for s in while_down)
    assert all(count(s, POSTFIX, "deferred").health is Health.UNKNOWN for s in while_down)
    assert all(count(s, POSTFIX, "deferred").value != 0 for s in cut)
    assert all(hop.rate.health is Health.UNKNOWN for s in while_down for hop in s.hops)
    assert all(dict(hop.hosts)["mail1"] is Health.UNKNOWN for s in while_down for hop in s.hops if hop.hosts)
    assert all(log(s, DISTANT).health is Health.OK for s in cut)


# ── one thing breaks, and everything else goes on ──────────────────────────────────────────────────────────────────


def fresh(snapshot: Snapshot, *probes: tuple[str, str], within: float = 15.0) -> bool:
    """Did these probes answer lately?"""
    states = (probe(snapshot, *one) for one in probes)
    return all(state.health is Health.OK and snapshot.at - state.last_ok < within for state in states)


async def go_on(watched: Watching, *probes: tuple[str, str]) -> Snapshot:
    """Wait until all these probes have answered once more, from now on."""
    now = watched.now.at
    return await watched.until(
        f"{probes} go on", lambda s: all(probe(s, *one).last_ok > now for one in probes) and fresh(s, *probes)
    )


OF_HOST = (("mail1", "host_load"), ("mail1", "discovery"))
OF_POSTFIX = ((POSTFIX, "postfix_queue"), (POSTFIX, "postfix_deferred"))
OF_DISTANT = (("mail2", "host_load"), (DISTANT, "postfix_queue"), (DISTANT, "postfix_deferred"))


def cells(snapshot: Snapshot, name: str) -> dict[str, Health]:
    """How each of a host's own figures is."""
    return {cell.name: cell.reading.health for cell in host(snapshot, name).cells}


async def test_a_hung_filesystem_costs_only_the_disks_figures(fresh_lab: Lab, tmp_path: Path) -> None:
    async with watching(hosts_over_ssh(), tmp_path) as watched:
        await watched.until("the disks are read", lambda s: fresh(s, ("mail1", "host_disk"), within=60))
        await watched.until_read(POSTFIX, DISTANT)
        await on(fresh_lab.hang_df, "mail1")
        await watched.engine.refresh("mail1")

        hung = await watched.until("df hangs", lambda s: probe(s, "mail1", "host_disk").health is Health.UNKNOWN)
        assert "df" in probe(hung, "mail1", "host_disk").note
        assert cells(hung, "mail1") == {"disks": Health.UNKNOWN, "load": Health.OK}
        going = await go_on(watched, *OF_HOST, *OF_POSTFIX)
        assert probe(going, "mail1", "host_disk").health is Health.UNKNOWN
        assert host(going, "mail1").link is Link.UP
        assert log(going, POSTFIX).health is Health.OK

        await on(fresh_lab.unhang_df, "mail1")
        await watched.engine.refresh("mail1")
        back = await watched.until("the disks are back", lambda s: fresh(s, ("mail1", "host_disk"), within=60))
        assert "/" in cells(back, "mail1")


async def test_a_stopped_postfix_is_said_to_be_stopped(fresh_lab: Lab, tmp_path: Path) -> None:
    async with watching(hosts_over_ssh(), tmp_path) as watched:
        await watched.until_read(POSTFIX, DISTANT)
        await on(fresh_lab.stop, "postfix")

        stopped = await watched.until("postfix is exited", lambda s: state_of(s, POSTFIX).state == "exited")
        assert state_of(stopped, POSTFIX).health is Health.CRIT
        ended = await watched.until("its log ended", lambda s: log(s, POSTFIX).health is Health.UNKNOWN)
        assert "ended" in log(ended, POSTFIX).note
        unknown = await watched.until(
            "its queue is unknown", lambda s: count(s, POSTFIX, "active").health is Health.UNKNOWN
        )
        assert "not running" in probe(unknown, POSTFIX, "postfix_queue").note
        assert host(unknown, "mail1").link is Link.UP
        await go_on(watched, *OF_HOST, *OF_DISTANT)

        await on(fresh_lab.start, "postfix")
        await watched.until("postfix runs", lambda s: state_of(s, POSTFIX).health is Health.OK)
        await watched.until_read(POSTFIX)
        await go_on(watched, *OF_POSTFIX)


async def test_a_paused_postfix_is_said_to_be_paused(fresh_lab: Lab, tmp_path: Path) -> None:
    async with watching(hosts_over_ssh(), tmp_path) as watched:
        await watched.until_read(POSTFIX, DISTANT)
        await on(fresh_lab.pause, "postfix")

        paused = await watched.until("postfix is paused", lambda s: state_of(s, POSTFIX).state == "paused")
        assert state_of(paused, POSTFIX).health is Health.CRIT
        unknown = await watched.until(
            "its queue is unknown", lambda s: count(s, POSTFIX, "active").health is Health.UNKNOWN, 60
        )
        assert host(unknown, "mail1").link is Link.UP
        await go_on(watched, *OF_HOST, *OF_DISTANT)
        assert all(host(s, "mail1").link is Link.UP for s in watched.after(paused.at))

        await on(fresh_lab.unpause, "postfix")
        await watched.until("postfix runs", lambda s: state_of(s, POSTFIX).health is Health.OK)
        await go_on(watched, *OF_POSTFIX)
        assert log(watched.now, POSTFIX).health is Health.OK


async def test_another_paused_container_changes_nothing_else(fresh_lab: Lab, tmp_path: Path) -> None:
    async with watching(hosts_over_ssh(), tmp_path) as watched:
        await watched.until_read(POSTFIX, DISTANT)
        await on(fresh_lab.pause, "clamav")

        paused = await watched.until("clamav is paused", lambda s: state_of(s, "mail1/clamav").state == "paused")
        assert state_of(paused, POSTFIX).health is Health.OK
        going = await go_on(watched, *OF_HOST, *OF_POSTFIX)
        assert log(going, POSTFIX).health is Health.OK

        await on(fresh_lab.unpause, "clamav")
        await watched.until("clamav runs", lambda s: state_of(s, "mail1/clamav").health is Health.OK)


async def test_a_frozen_sshd_is_down_within_bounds_and_touches_no_other_host(fresh_lab: Lab, tmp_path: Path) -> None:
    async with watching(hosts_over_ssh(), tmp_path) as watched:
        await watched.until_read(POSTFIX, DISTANT)
        began = watched.now.at
        await on(fresh_lab.sigstop_sshd, "mail2")
        try:
            down = await watched.until("mail2 is down", lambda s: host(s, "mail2").link is Link.DOWN, 40)
            assert host(down, "mail2").note
            assert log(down, DISTANT).health is Health.UNKNOWN
            await go_on(watched, *OF_HOST, *OF_POSTFIX)
            frozen = watched.after(began)
        finally:
            await on(fresh_lab.sigcont_sshd, "mail2")
        await watched.until("mail2 is up", lambda s: host(s, "mail2").link is Link.UP, 60)
        await watched.until_read(POSTFIX, DISTANT)
        await go_on(watched, *OF_DISTANT)

    assert all(host(s, "mail1").link is Link.UP for s in frozen)
    assert all(log(s, POSTFIX).health is Health.OK for s in frozen)
    assert all(fresh(s, ("mail1", "host_load"), within=20) for s in frozen)


@pytest.mark.parametrize(
    ("command", "target", "name"),
    [
        ("postqueue", POSTFIX, "postfix_listing"),
        ("awk", POSTFIX, "postfix_queue"),
        ("postconf", POSTFIX, "postfix_settings"),
        ("df", "mail1", "host_disk"),
    ],
)
async def test_a_garbled_answer_costs_only_its_own_cells(
    fresh_lab: Lab, tmp_path: Path, command: str, target: str, name: str
) -> None:
    place = target.rpartition("/")[2]
    others = [one for one in (*OF_HOST, *OF_POSTFIX) if command not in ("awk", "postconf") or one[0] != POSTFIX]
    async with watching(hosts_over_ssh(), tmp_path) as watched:
        await watched.until_read(POSTFIX, DISTANT)
        await watched.until(f"{name} works", lambda s: probe(s, target, name).health is Health.OK)
        await on(fresh_lab.garble, place, command)
        await watched.engine.refresh(target)

        garbled = await watched.until(f"{name} is unknown", lambda s: probe(s, target, name).health is Health.UNKNOWN)
        note = probe(garbled, target, name).note
        assert note
        assert note.isprintable()
        going = await go_on(watched, *others)
        assert log(going, POSTFIX).health is Health.OK
        assert host(going, "mail1").link is Link.UP

        await on(fresh_lab.unshadow, place)
        await watched.engine.refresh(target)
        await watched.until(f"{name} is back", lambda s: probe(s, target, name).health is Health.OK)


# ── rights ─────────────────────────────────────────────────────────────────────────────────────────────────────────


async def test_a_denied_listing_is_denied_and_says_what_to_do(fresh_lab: Lab, tmp_path: Path) -> None:
    async with watching(hosts_over_ssh(), tmp_path) as watched:
        await watched.until_read(POSTFIX, DISTANT)
        await on(fresh_lab.fail, "postfix", "postqueue", "postqueue: fatal: User nobody(65534) is not authorized")
        await watched.engine.refresh(POSTFIX)

        denied = await watched.until(
            "the listing is denied", lambda s: probe(s, POSTFIX, "postfix_listing").health is Health.DENIED
        )
        assert "postdrop" in probe(denied, POSTFIX, "postfix_listing").note
        await go_on(watched, *OF_HOST, *OF_POSTFIX)
        tried = probe(watched.now, POSTFIX, "postfix_listing").tried
        assert tried == probe(denied, POSTFIX, "postfix_listing").tried  # not asked again

        await on(fresh_lab.unshadow, "postfix")
        await watched.engine.refresh(POSTFIX)
        await watched.until("the listing is back", lambda s: fresh(s, (POSTFIX, "postfix_listing")))


async def test_a_denied_count_is_denied_and_never_zero(fresh_lab: Lab, tmp_path: Path) -> None:
    await on(fresh_lab.fail, "postfix", "find", "find: cannot open directory: Permission denied")
    async with watching(hosts_over_ssh(), tmp_path) as watched:
        denied = await watched.until(
            "the count is denied", lambda s: probe(s, POSTFIX, "postfix_deferred").health is Health.DENIED
        )
        reading = count(denied, POSTFIX, "deferred")
        assert (reading.value, reading.health) == (None, Health.DENIED)
        assert "root" in reading.note
        assert all(count(s, POSTFIX, "deferred").value is None for s in watched.seen)


async def test_without_docker_rights_the_host_is_watched_and_docker_says_what_to_do(
    fresh_lab: Lab, tmp_path: Path
) -> None:
    async with watching(hosts_over_ssh(mail1="guest"), tmp_path) as watched:
        denied = await watched.until(
            "Docker is denied", lambda s: probe(s, "mail1", "discovery").health is Health.DENIED
        )
        assert "group docker" in probe(denied, "mail1", "discovery").note
        await watched.until("host probes work", lambda s: fresh(s, ("mail1", "host_load"), ("mail1", "host_disk")))
        assert host(watched.now, "mail1").link is Link.UP
        await watched.until("mail2 is read", lambda s: log(s, DISTANT).health is Health.OK)


async def test_where_forwarding_is_off_docker_is_reached_by_dial_stdio(fresh_lab: Lab, tmp_path: Path) -> None:
    await on(fresh_lab.forbid_forwarding, "mail1")
    try:
        async with watching(hosts_over_ssh(), tmp_path) as watched:
            with traffic(fresh_lab) as sending:
                await watched.until_read(POSTFIX, DISTANT)
                await sent(watched, sending, 5)
                await go_on(watched, *OF_HOST, *OF_POSTFIX)
            await assert_counters_equal_the_log(watched, fresh_lab, POSTFIX, "postfix")
            sources = watched.engine._watching.watches["mail1"].link.source
            assert vars(sources)["_forwards"] is False
    finally:
        await on(fresh_lab.allow_forwarding, "mail1")
