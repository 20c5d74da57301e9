"""Half a minute without the network of mail1, with mail under way before, during and after it."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from maillab.lab import Lab

from mailtop.model.snapshot import Health, Link
from tests.truth.comparing import assert_counters_equal_the_log
from tests.truth.traffic import traffic
from tests.truth.watching import count, host, hosts_over_ssh, log, told, watching
from tests.ui.driving import driven

pytestmark = [pytest.mark.soak, pytest.mark.lab, pytest.mark.timeout(300)]

OUTAGE = 30.0  # seconds
POSTFIX, DISTANT = "mail1/postfix", "mail2/postfix"


async def test_thirty_seconds_without_a_hosts_network_lose_nothing_and_end_by_themselves(
    fresh_lab: Lab, tmp_path: Path
) -> None:
    loop = asyncio.get_running_loop()
    await asyncio.to_thread(fresh_lab.deferred, 5)  # a queue that is not empty, so that 0 would be a lie
    async with watching(hosts_over_ssh(), tmp_path) as watched:
        await watched.until_read(POSTFIX, DISTANT)
        with traffic(fresh_lab) as sending:
            await watched.until("mail before", lambda _: sending.accepted >= 20)
            before, cut_at = sending.accepted, watched.now.at
            await asyncio.to_thread(fresh_lab.cut_off, "mail1")
            began = loop.time()
            try:
                await watched.until("30 s are over", lambda _: loop.time() - began >= OUTAGE, OUTAGE + 30)
            finally:
                await asyncio.to_thread(fresh_lab.restore, "mail1")
            lasted, last, during = loop.time() - began, watched.now, sending.accepted
            outage = watched.after(cut_at)
            back = await watched.until("mail1 is up again", lambda s: host(s, "mail1").link is Link.UP, 60)
            read = await watched.until("its log is read again", lambda s: log(s, POSTFIX).health is Health.OK)
            await watched.until("mail after", lambda _: sending.accepted >= during + 20)
        truth = await assert_counters_equal_the_log(watched, fresh_lab, POSTFIX, "postfix")

    down = [s for s in outage if host(s, "mail1").link is Link.DOWN]
    print(  # noqa: T201  (the story: shown with -s)
        f"\ncut for {lasted:.1f} s; accepted by Postfix {before} before, {during - before} during, "
        f"{sending.accepted - during} after; said down {down[0].at - cut_at:.1f} s after the cut; "
        f"up {back.at - last.at:.1f} s and its log read {read.at - last.at:.1f} s after the end\ntruth {truth}\n"
        f"while it was cut:\n{told(last)}"
    )
    assert lasted >= OUTAGE
    assert during > before
    assert truth.accepted >= sending.accepted
    assert log(watched.now, POSTFIX).gap == 0.0
    assert all(count(s, POSTFIX, "deferred").value != 0 for s in outage)
    assert all(count(s, POSTFIX, "deferred").health is Health.UNKNOWN for s in down)
    assert all(log(s, POSTFIX).health is Health.UNKNOWN for s in down)
    assert all(log(s, DISTANT).health is Health.OK for s in outage)
    assert count(last, POSTFIX, "deferred").stale
    async with driven(last) as screen:
        print(screen.text)  # noqa: T201
        assert "1/2 up" in screen.line("OBSERVE")
        assert "? " in screen.line(" remote ")
