"""Three real Galera members on a network of their own: one leaves, one is cut off, two majorities, and back."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest
from maillab.engine import LAB
from maillab.lab import Lab
from maillab.waiting import wait_until

from mailtop.model.board import Block
from mailtop.model.health import Health
from mailtop.model.snapshot import PageAsk
from tests.truth.spare_database import FIRST, SpareDatabase, figure, only, says, until
from tests.truth.watching import Watching, watching

pytestmark = [pytest.mark.faults, pytest.mark.lab, pytest.mark.timeout(300)]

NETWORK = "network-of-galera"
NAMES = ("galera-one", "galera-two", "galera-three")
TARGETS = tuple(f"here/{name}" for name in NAMES)
MEMBER = (
    "--wsrep-on=ON --wsrep-provider=/usr/lib/galera/libgalera_smm.so --default-storage-engine=InnoDB"
    f" --innodb-autoinc-lock-mode=2 --wsrep-sst-method=rsync --wsrep-cluster-address=gcomm://{','.join(NAMES)}"
)


@pytest.fixture
def members(lab: Lab) -> Iterator[list[SpareDatabase]]:
    """Three members in step."""
    lab.engine.try_run("network", "create", "--label", f"{LAB}=aside", NETWORK)
    made = [SpareDatabase(lab.engine, name, network=NETWORK) for name in NAMES]
    try:
        for member in made:
            member.serve(FIRST, MEMBER, *(("--wsrep-new-cluster",) if member is made[0] else ()))
            wait_until(partial(in_step, member), 60, f"{member.name} is in step")
        yield made
    finally:
        for member in made:
            member.remove()
        lab.engine.try_run("network", "rm", NETWORK)


def in_step(member: SpareDatabase) -> bool:
    return "Synced" in member.sql(FIRST, "SHOW STATUS LIKE 'wsrep_local_state_comment'")


async def together(watched: Watching, health: Health, nodes: int, what: str) -> Block:
    """What all members tell together, once it is judged so; `nodes`: so many are asked and answer."""
    found = None
    try:
        async with asyncio.timeout(60):
            async for _ in watched.engine.snapshots():
                blocks = (await watched.engine.page(PageAsk("board", where="replication"))).blocks
                mine = [one for one in blocks if one.probe == "galera" and one.target in TARGETS]
                fresh = [one for one in mine if not one.stale and one.figures]
                found = next((one for one in blocks if one.probe == "galera_cluster"), None)
                if found is not None and found.health is health and len(fresh) == nodes:
                    return found
    except TimeoutError:
        raise AssertionError(f"not within a minute: {what}\n{found}") from None
    raise AssertionError("the engine ended")


@pytest.mark.proves("galera_primaries")
async def test_a_member_that_leaves_is_cut_off_or_makes_a_majority_of_its_own_is_told_until_all_are_back(
    members: list[SpareDatabase], tmp_path: Path
) -> None:
    one, _, three = members

    async with watching(only("galera"), tmp_path) as watched:
        seen = {
            member.target: partial(until, watched, "replication", member.target, "galera") for member in (one, three)
        }
        await seen[one.target](says("galera_members_missing", Health.OK), "all are there")
        await together(watched, Health.OK, 3, "all are one")

        three.sql(FIRST, "SET GLOBAL wsrep_desync = ON")
        aside = await seen[three.target](lambda block: ("desync", "on") in block.words, "out of step on purpose")
        assert figure(aside, "galera_synced").reading.value is None
        three.sql(FIRST, "SET GLOBAL wsrep_desync = OFF")
        await seen[three.target](says("galera_synced", Health.OK), "in step")

        three.sql(FIRST, "SET GLOBAL wsrep_provider_options = 'gmcast.isolate=1'")
        await seen[three.target](says("galera_primary", Health.CRIT), "cut off")
        await seen[one.target](says("galera_members_missing", Health.WARN), "one is missing")
        await together(watched, Health.OK, 3, "one side only has a majority")

        three.sql(FIRST, "SET GLOBAL wsrep_provider_options = 'pc.bootstrap=YES'")
        await seen[three.target](says("galera_primary", Health.OK), "a majority of its own")
        split = await together(watched, Health.CRIT, 3, "two majorities")
        assert [line.cells[0].decode() for line in split.tables[0].lines] == sorted(one.target for one in members)

        three.kill(FIRST)
        await together(watched, Health.OK, 2, "one majority is gone")
        three.serve(FIRST, MEMBER)
        await seen[one.target](says("galera_members_missing", Health.OK), "all are back")
        await together(watched, Health.OK, 3, "all are one again")
