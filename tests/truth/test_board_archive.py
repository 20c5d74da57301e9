"""What the screen of the archive says of a real index and of Piler's tables and folders, driven into trouble and back.

Database, index and Piler's folders are in one container of the test's own; Piler itself is a process of its name.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest
from maillab.engine import Engine
from maillab.lab import Lab
from maillab.waiting import wait_until

from mailtop.model.health import Health, Reading
from tests.truth.spare_database import FIRST, SpareDatabase, figure, only, says, until
from tests.truth.watching import watching

pytestmark = [pytest.mark.faults, pytest.mark.timeout(240)]

SERVICES = Path(__file__).parents[1] / "lab" / "services"
CONFIGURATION = """
mysqlhost=127.0.0.1
mysqluser=piler
mysqlpwd=pilerpw
mysqldb=piler
sphxhost=127.0.0.1
sphxport=9306
rtindex=1
"""
LOGIN = "CREATE USER 'piler'@'127.0.0.1' IDENTIFIED BY 'pilerpw'; GRANT SELECT ON piler.* TO 'piler'@'127.0.0.1';"
ARRIVE = """
USE piler;
UPDATE counter SET rcvd = rcvd + {count}, stored_size = stored_size + {count} * 500;
INSERT INTO metadata (`from`, fromdomain, arrived, sent, retained, piler_id, message_id, reference, digest, bodydigest)
  SELECT 'ann@a.test', 'a.test', UNIX_TIMESTAMP() - {age}, 1, 1, UUID(), UUID(), '', '', '' FROM seq_1_to_{count};
SELECT MAX(id) FROM metadata;
"""
FILL = """import pymysql
index = pymysql.connect(host="127.0.0.1", port=9306, user="", autocommit=None).cursor()
for first in range(1, 100_000, 5000):
    rows = ",".join(f"({one}, 'mailtop {one}')" for one in range(first, first + 5000))
    index.execute(f"REPLACE INTO piler1 (id, subject) VALUES {rows}")"""
STALLED = """import os, signal, subprocess, time
searchd = [int(pid) for pid in subprocess.check_output(["pidof", "searchd"]).split()]
while os.path.exists("/tmp/stalled"):
    for one, seconds in ((signal.SIGSTOP, 0.1), (signal.SIGCONT, 0.001)):
        for pid in searchd: os.kill(pid, one)
        time.sleep(seconds)"""
TROUBLE = (Health.WARN, Health.CRIT)
STORE = 10_000_000  # bytes that its filesystem has
NOTHING = Reading().health
INDEXED = "REPLACE INTO piler1 (id, subject) VALUES ({}, 'a mail')"


class Archive(SpareDatabase):
    """A database with Piler's tables, the index, Piler's configuration and folders."""

    def __init__(self, engine: Engine) -> None:
        super().__init__(engine, "box-of-mails", "--tmpfs", f"/var/piler/store:size={STORE}")
        self.serve(FIRST)
        schema = (SERVICES / "maildb" / "primary.sql").read_text()
        tables = re.search(r"^CREATE DATABASE piler.*?^(?=FLUSH)", schema, re.MULTILINE | re.DOTALL)
        assert tables is not None
        mine = "\n".join(line for line in tables[0].splitlines() if "'mailtop'" not in line)
        self.sql(FIRST, f"{LOGIN}\n{mine}")
        self.shell("mkdir -p /etc/piler /var/piler/error /var/piler/tmp/0 /var/piler/store /var/lib/manticore")
        self.put("/etc/piler/piler.conf", CONFIGURATION)
        self.put("/etc/sphinx.conf", (SERVICES / "manticore" / "sphinx.conf").read_text())
        self.shell("cp /bin/sleep /usr/local/sbin/piler")
        self.beside("exec piler infinity")
        self.search()

    def put(self, path: str, text: str) -> None:
        self.engine.execute(self.name, "sh", "-c", f"cat >{path}", stdin=text)

    def arrive(self, count: int, age: int = 0) -> int:
        """Let mails be archived so many seconds ago, without the index; the newest's id."""
        return int(self.sql(FIRST, ARRIVE.format(count=count, age=age)))

    def search(self) -> None:
        self.beside("exec searchd --console --config /etc/sphinx.conf")
        wait_until(lambda: self.index("SHOW STATUS"), 30, "the index answers")

    def index(self, statement: str) -> str:
        client = ("mariadb", "-h127.0.0.1", "-P9306", "--loose-skip-ssl", "--batch")
        return self.engine.execute(self.name, *client, "-e", statement)


@pytest.fixture
def archive(lab: Lab) -> Iterator[Archive]:
    made = Archive(lab.engine)
    yield made
    made.remove()


@pytest.mark.proves("manticore_up", "piler_unindexed_documents", "piler_unindexed_seconds", "piler_server_up")
async def test_an_index_that_is_late_or_away_says_so_until_it_has_all(archive: Archive, tmp_path: Path) -> None:
    async with watching(only("piler_archive", "manticore"), tmp_path) as watched:
        piler = partial(until, watched, "archive", archive.target, "piler_archive")
        index = partial(until, watched, "archive", archive.target, "manticore")
        await piler(says("piler_unindexed_documents", Health.OK), "nothing is late")
        await index(says("manticore_up", Health.OK), "up")

        newest = archive.arrive(600, age=400)
        late = await piler(says("piler_unindexed_documents", Health.WARN), "600 are late")
        assert figure(late, "piler_unindexed_documents").reading.value == newest == 600
        assert figure(late, "piler_unindexed_seconds").reading.health is Health.WARN
        assert 400 <= (figure(late, "piler_unindexed_seconds").reading.value or 0) < 460
        newest = archive.arrive(5000, age=2000)
        await piler(says("piler_unindexed_documents", Health.CRIT), "5,600 are late")

        archive.index(INDEXED.format(newest))
        well = await piler(says("piler_unindexed_documents", Health.OK), "the newest is indexed")
        assert figure(well, "piler_unindexed_seconds").reading.value == 0
        found = await index(lambda block: figure(block, "manticore_newest_id").reading.value == newest, "it has it")
        assert figure(found, "manticore_documents").reading.value == 1
        assert figure(found, "manticore_search_seconds").reading.health is Health.OK

        archive.shell("pkill -9 searchd")
        away = await piler(says("piler_server_up", Health.CRIT, "index"), "no index to be reached")
        assert figure(away, "piler_unindexed_documents").reading.value is None
        assert figure(away, "piler_server_up", "database").reading.health is Health.OK
        await index(says("manticore_up", Health.CRIT), "down")
        archive.search()
        await piler(says("piler_server_up", Health.OK, "index"), "reached again")
        await index(says("manticore_up", Health.OK), "up again")


@pytest.mark.proves("manticore_search_seconds")
async def test_a_search_that_takes_long_is_told_until_it_is_quick(archive: Archive, tmp_path: Path) -> None:
    archive.engine.execute(archive.name, "python3", "-c", FILL)
    async with watching(only("manticore"), tmp_path) as watched:
        index = partial(until, watched, "archive", archive.target, "manticore")
        await index(says("manticore_search_seconds", Health.OK), "quick")
        archive.shell("touch /tmp/stalled")
        archive.beside(f"exec python3 -c '{STALLED}'")
        await index(lambda one: figure(one, "manticore_search_seconds").reading.health in TROUBLE, "it stalls")
        archive.shell("rm /tmp/stalled")
        await index(says("manticore_search_seconds", Health.OK), "quick again")


@pytest.mark.proves(
    "piler_failed_files", "piler_waiting_files", "piler_waiting_oldest_seconds", "piler_store_free_ratio"
)
async def test_files_that_failed_or_wait_and_a_database_that_is_away_are_told(archive: Archive, tmp_path: Path) -> None:
    async with watching(only("piler_archive"), tmp_path) as watched:
        seen = partial(until, watched, "archive", archive.target, "piler_archive")
        await seen(says("piler_failed_files", Health.OK), "nothing failed")

        archive.shell("touch /var/piler/error/A; touch -d '20 minutes ago' /var/piler/tmp/0/B")
        bad = await seen(says("piler_failed_files", Health.WARN), "one failed")
        assert figure(bad, "piler_waiting_oldest_seconds").reading.health is Health.WARN
        archive.shell("rm /var/piler/error/A /var/piler/tmp/0/B")
        well = await seen(says("piler_failed_files", Health.OK), "none failed")
        assert figure(well, "piler_waiting_files").reading.value == 0
        for files, health in ((600, Health.WARN), (5000, Health.CRIT), (0, Health.OK)):
            archive.shell(f"cd /var/piler/tmp/0; rm -rf ../0/*; seq {files} | xargs -r touch -d '40 minutes ago'")
            waiting = await seen(says("piler_waiting_files", health), f"{files} wait")
            assert figure(waiting, "piler_waiting_oldest_seconds").reading.health is (Health.CRIT if files else NOTHING)
        for percent, health in ((85, Health.WARN), (95, Health.CRIT), (0, Health.OK)):
            archive.shell(f"head -c {percent * STORE // 100} /dev/zero >/var/piler/store/much")
            await seen(says("piler_store_free_ratio", health), f"{percent} % of the store are used")

        archive.kill(FIRST)
        away = await seen(says("piler_server_up", Health.CRIT, "database"), "no database to be reached")
        assert figure(away, "piler_received_total").metric not in [one.metric for one in away.figures]
        archive.serve(FIRST)
        await seen(says("piler_server_up", Health.OK, "database"), "reached again")

        archive.arrive(7)
        newest = await seen(lambda block: figure(block, "piler_newest_seconds").reading.value is not None, "a mail")
        assert figure(newest, "piler_store_bytes").reading.value == 3500


async def test_where_an_indexer_runs_only_what_waits_beyond_its_half_hour_is_late(
    archive: Archive, tmp_path: Path
) -> None:
    archive.put("/etc/piler/piler.conf", CONFIGURATION.replace("rtindex=1", "rtindex=0"))
    waiting = "INSERT INTO piler.sph_index (id, arrived, sent) VALUES ({id}, UNIX_TIMESTAMP() - {age}, 1)"

    async with watching(only("piler_archive"), tmp_path) as watched:
        seen = partial(until, watched, "archive", archive.target, "piler_archive")
        archive.sql(FIRST, waiting.format(id=2, age=1000))
        one = await seen(lambda block: figure(block, "piler_unindexed_documents").reading.value == 1, "one waits")
        assert figure(one, "piler_unindexed_seconds").reading.value == 0
        archive.sql(FIRST, waiting.format(id=1, age=2200))
        await seen(says("piler_unindexed_seconds", Health.WARN), "one waits too long")
        archive.sql(FIRST, "DELETE FROM piler.sph_index")
        await seen(says("piler_unindexed_seconds", Health.OK), "all are indexed")
