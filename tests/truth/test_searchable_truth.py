"""The last mail that a search finds: from a real database and a real index, behind, and well again."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from maillab.lab import Lab

from mailtop.model.alerts import Phase
from mailtop.model.snapshot import Health, PageAsk, Reading, Snapshot
from mailtop.model.topology import Hop
from tests.truth.spare_database import FIRST, only
from tests.truth.test_board_archive import CONFIGURATION, INDEXED, Archive
from tests.truth.watching import watching

pytestmark = [pytest.mark.faults, pytest.mark.lab, pytest.mark.timeout(300)]

RULE = ("HopWithoutSuccess", "search")


@pytest.fixture
def archive(lab: Lab) -> Iterator[Archive]:
    made = Archive(lab.engine)
    yield made
    made.remove()


def last(snapshot: Snapshot) -> Reading:
    return next(hop.last_success for hop in snapshot.hops if hop.hop is Hop.SEARCH)


def since(least: float, health: Health = Health.OK) -> Callable[[Snapshot], bool]:
    """Is the last success so many seconds old, or up to a minute more?"""
    return lambda snapshot: least <= (last(snapshot).value or 0) < least + 60 and last(snapshot).health is health


async def test_mail_that_does_not_come_into_the_index_is_an_alert_until_it_does(
    archive: Archive, tmp_path: Path
) -> None:
    async with watching(only("piler_archive"), tmp_path) as watched:
        archive.index(INDEXED.format(archive.arrive(3, age=1000)))
        await watched.until("all can be found", since(1000), 60)
        newest = archive.arrive(5, age=400)
        late = await watched.until("five cannot be found", since(1000, Health.CRIT), 60)
        assert last(late).note == "5 archived mails wait for the index, the oldest is 7 min late"
        (alert,) = (alert for alert in late.alerts if alert.key == RULE)
        assert alert.see == "archive"

        archive.index(INDEXED.format(newest))
        await watched.until("all can be found again", since(400), 60)
        (noted,) = (one for one in (await watched.engine.page(PageAsk("alerts"))).alerts if one.alert.key == RULE)
        assert (noted.phase, noted.since) == (Phase.ENDED, alert.since)


async def test_where_an_indexer_runs_the_newest_that_it_has_fetched_can_be_found(
    archive: Archive, tmp_path: Path
) -> None:
    archive.put("/etc/piler/piler.conf", CONFIGURATION.replace("rtindex=1", "rtindex=0"))
    archive.arrive(1, age=5000)
    archive.arrive(1, age=100)
    archive.sql(FIRST, "INSERT INTO piler.sph_index (id, arrived, sent) VALUES (2, UNIX_TIMESTAMP() - 100, 1)")

    async with watching(only("piler_archive"), tmp_path) as watched:
        await watched.until("the second is not indexed", since(5000), 60)
        archive.sql(FIRST, "DELETE FROM piler.sph_index")
        await watched.until("both are", since(100), 60)
