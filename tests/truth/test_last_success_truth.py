"""Since when each hop last did its work is what a mail of the lab has just gone through."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from maillab.lab import Lab

from mailtop.model.snapshot import Health, Snapshot
from mailtop.model.topology import Hop
from tests.truth.watching import hosts_over_ssh, watching

pytestmark = [pytest.mark.faults, pytest.mark.timeout(300)]

POSTFIX, DISTANT = "mail1/postfix", "mail2/postfix"
SOON = 15.0  # seconds


async def test_a_mail_that_went_all_the_way_is_the_last_success_of_each_hop(fresh_lab: Lab, tmp_path: Path) -> None:
    def ages(snapshot: Snapshot) -> dict[Hop, float]:
        told = {hop.hop: hop.last_success for hop in snapshot.hops if hop.hop is not Hop.SEARCH}
        return {name: last.value for name, last in told.items() if last.value is not None and last.health is Health.OK}

    async with watching(hosts_over_ssh(), tmp_path) as watched:
        await watched.until_read(POSTFIX, DISTANT)
        await asyncio.to_thread(fresh_lab.clean)
        await asyncio.to_thread(fresh_lab.submitted)
        found = await watched.until(
            "filtered, in a mailbox, at a remote, archived",
            lambda seen: len(ages(seen)) == 5 and max(ages(seen).values()) < SOON,
            60,
        )
        assert not [alert for alert in found.alerts if alert.rule == "HopWithoutSuccess"]
        grown = await watched.until("it grows older", lambda seen: min(ages(seen).values(), default=0.0) > 3.0)
        assert ages(grown).keys() == ages(found).keys()
