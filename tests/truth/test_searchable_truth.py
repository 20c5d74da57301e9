"""The last mail that a search finds: from a real database and a real index, behind, and well again."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import pytest
from maillab.lab import Lab

from mailtop.model.board import Block
from tests.truth.spare_database import FIRST, only
from tests.truth.test_board_archive import CONFIGURATION, INDEXED, Archive
from tests.truth.watching import watching

pytestmark = [pytest.mark.faults, pytest.mark.lab, pytest.mark.timeout(300)]


@pytest.fixture
def archive(lab: Lab) -> Iterator[Archive]:
    made = Archive(lab.engine)
    yield made
    made.remove()


def found(least: float) -> Callable[[Block], bool]:
    """Is the newest mail that a search finds so many seconds old, or up to a minute more?"""

    def so(block: Block) -> bool:
        ages = [one.reading.value for one in block.figures if one.metric == "piler_searchable_seconds"]
        return any(age is not None and least <= age < least + 60 for age in ages)

    return so


async def test_mail_that_does_not_come_into_the_index_is_not_what_can_be_found(
    archive: Archive, tmp_path: Path
) -> None:
    async with watching(only("piler_archive"), tmp_path) as watched:
        seen = partial(watched.block, "archive", archive.target, "piler_archive")
        archive.index(INDEXED.format(archive.arrive(3, age=1000)))
        await seen("all can be found", found(1000))
        newest = archive.arrive(5, age=400)
        await seen("five cannot be found", lambda block: found(1000)(block) and waits(block) == 5)
        archive.index(INDEXED.format(newest))
        await seen("all can be found again", found(400))


def waits(block: Block) -> float | None:
    """How many mails no search finds yet."""
    return next((one.reading.value for one in block.figures if one.metric == "piler_unindexed_documents"), None)


async def test_where_an_indexer_runs_the_newest_that_it_has_fetched_can_be_found(
    archive: Archive, tmp_path: Path
) -> None:
    archive.put("/etc/piler/piler.conf", CONFIGURATION.replace("rtindex=1", "rtindex=0"))
    archive.arrive(1, age=5000)
    archive.arrive(1, age=100)
    archive.sql(FIRST, "INSERT INTO piler.sph_index (id, arrived, sent) VALUES (2, UNIX_TIMESTAMP() - 100, 1)")

    async with watching(only("piler_archive"), tmp_path) as watched:
        seen = partial(watched.block, "archive", archive.target, "piler_archive")
        await seen("the second is not indexed", found(5000))
        archive.sql(FIRST, "DELETE FROM piler.sph_index")
        await seen("both are", found(100))
