"""What the screen of replication says of real servers, driven into trouble and back: full, down, late, alone."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest
from maillab.lab import Lab
from maillab.waiting import wait_until

from mailtop.model.board import Block
from mailtop.model.health import Health
from mailtop.model.text import shown
from tests.truth.spare_database import FIRST, SECOND, SpareDatabase, figure, only, says, until
from tests.truth.watching import watching

pytestmark = [pytest.mark.faults, pytest.mark.timeout(240)]

FOLLOW = """
CHANGE MASTER TO MASTER_HOST = '127.0.0.1', MASTER_PORT = 3307, MASTER_USER = 'repl', MASTER_PASSWORD = 'replpw',
  MASTER_USE_GTID = slave_pos, MASTER_CONNECT_RETRY = 1;
START SLAVE;
"""
SOURCE = """
CREATE USER 'repl'@'127.0.0.1' IDENTIFIED BY 'replpw';
GRANT REPLICATION SLAVE ON *.* TO 'repl'@'127.0.0.1';
CREATE DATABASE mail;
CREATE TABLE mail.mailbox (username VARCHAR(60) PRIMARY KEY);
"""
GALERA = (
    "--wsrep-on=ON --wsrep-provider=/usr/lib/galera/libgalera_smm.so --default-storage-engine=InnoDB"
    " --innodb-autoinc-lock-mode=2 --wsrep-cluster-address={address} --wsrep-sst-method=skip"
    " --wsrep-provider-options='base_host=127.0.0.1;base_port={port};gmcast.listen_addr=tcp://127.0.0.1:{port}'"
)


@pytest.fixture
def box(lab: Lab) -> Iterator[SpareDatabase]:
    made = SpareDatabase(lab.engine, "box-of-databases")
    yield made
    made.remove()


def table(block: Block) -> tuple[str, ...]:
    return tuple(shown(cell) for cell in block.tables[0].lines[0].cells)


@pytest.mark.proves("mariadb_up", "mariadb_connections_ratio")
async def test_a_server_that_is_full_read_only_or_down_says_so_until_it_is_well(
    box: SpareDatabase, tmp_path: Path
) -> None:
    box.serve(FIRST)

    async with watching(only("mariadb_status", "mariadb_sizes", "mariadb_replica", "galera"), tmp_path) as watched:
        seen = partial(until, watched, "replication", box.target, "mariadb_status")
        well = await seen(says("mariadb_connections_ratio", Health.OK), "well")
        assert ("writable", "yes") in well.words
        replica = await until(
            watched, "replication", box.target, "mariadb_replica", lambda block: block.words, "a replica or not"
        )
        assert ("replication", "no replica") in replica.words
        assert not replica.figures
        alone = await until(watched, "replication", box.target, "galera", lambda block: block.words, "Galera or not")
        assert alone.words == (("Galera", "no Galera"),)

        for _ in range(8):
            box.beside("exec mariadb -e 'SELECT SLEEP(120)'")
        full = await seen(says("mariadb_connections_ratio", Health.CRIT), "full")
        assert (figure(full, "mariadb_connections").reading.value or 0) >= 9
        box.shell("pkill -f 'S[L]EEP'")
        await seen(says("mariadb_connections_ratio", Health.OK), "free again")

        box.sql(FIRST, "SET GLOBAL read_only = 1")
        await seen(lambda block: ("writable", "no") in block.words, "read-only")
        box.sql(FIRST, "SET GLOBAL read_only = 0")
        await seen(lambda block: ("writable", "yes") in block.words, "writable")

        box.kill(FIRST)
        down = await seen(says("mariadb_up", Health.CRIT), "down")
        assert [one.metric for one in down.figures] == ["mariadb_up"]
        box.serve(FIRST)
        await seen(says("mariadb_up", Health.OK), "up again")

        box.sql(FIRST, "CREATE DATABASE piler; CREATE TABLE piler.metadata (id INT PRIMARY KEY)")
        sizes = await until(
            watched,
            "replication",
            box.target,
            "mariadb_sizes",
            lambda block: figure(block, "mariadb_database_bytes", "piler").reading.value,
            "its size",
        )
        assert len(sizes.figures) == 1


@pytest.mark.proves("mariadb_replica_io_running", "mariadb_replica_sql_running", "mariadb_replica_lag_seconds")
async def test_a_replica_that_is_late_or_stopped_says_so_and_why_until_it_follows(
    box: SpareDatabase, tmp_path: Path
) -> None:
    box.serve(FIRST, "--read-only=1")
    box.serve(SECOND)
    box.sql(SECOND, SOURCE)
    box.sql(FIRST, FOLLOW)
    wait_until(lambda: "mailbox" in box.sql(FIRST, "SHOW TABLES FROM mail"), 30, "it follows")

    async with watching(only("mariadb_replica"), tmp_path) as watched:
        seen = partial(until, watched, "replication", box.target, "mariadb_replica")
        well = await seen(says("mariadb_replica_lag_seconds", Health.OK), "it follows")
        assert well.health is Health.OK
        assert table(well) == ("127.0.0.1", "Yes", "Yes", "0", "")

        box.beside("exec mariadb -e 'LOCK TABLES mail.mailbox READ; SELECT SLEEP(120)'")
        wait_until(lambda: "SLEEP" in box.sql(FIRST, "SHOW PROCESSLIST"), 30, "the table is locked")
        box.sql(SECOND, "SET timestamp = UNIX_TIMESTAMP() - 60; INSERT INTO mail.mailbox VALUES ('anna')")
        late = await seen(says("mariadb_replica_lag_seconds", Health.WARN), "late")
        assert figure(late, "mariadb_replica_unapplied_transactions").reading.value == 1
        box.shell("pkill -f 'S[L]EEP'")
        await seen(says("mariadb_replica_lag_seconds", Health.OK), "it caught up")

        box.sql(FIRST, "INSERT INTO mail.mailbox VALUES ('bert\nSlave_SQL_Running: Yes')")
        box.sql(SECOND, "INSERT INTO mail.mailbox VALUES ('bert\nSlave_SQL_Running: Yes')")
        stopped = await seen(says("mariadb_replica_sql_running", Health.CRIT), "stopped by an error")
        assert figure(stopped, "mariadb_replica_lag_seconds").reading.value is None
        assert table(stopped)[1:4] == ("Yes", "No", "")
        assert r"bert\x0aSlave_SQL_Running: Yes" in table(stopped)[4]
        box.sql(FIRST, "SET GLOBAL sql_slave_skip_counter = 1; START SLAVE")
        await seen(says("mariadb_replica_sql_running", Health.OK), "it goes on")

        box.kill(SECOND)
        alone = await seen(says("mariadb_replica_io_running", Health.CRIT), "its source is away")
        assert "connecting to master" in table(alone)[4]
        box.serve(SECOND)
        back = await seen(says("mariadb_replica_io_running", Health.OK), "its source is back")
        assert back.health is Health.OK


@pytest.mark.proves("galera_primary", "galera_ready", "galera_members_missing")
async def test_a_member_that_has_lost_its_majority_is_critical_until_it_is_primary(
    box: SpareDatabase, tmp_path: Path
) -> None:
    both = "gcomm://127.0.0.1:4567,127.0.0.1:4577"
    box.serve(FIRST, GALERA.format(address=both, port=4567), "--wsrep-new-cluster")
    box.serve(SECOND, GALERA.format(address=both, port=4577))

    async with watching(only("galera"), tmp_path) as watched:
        seen = partial(until, watched, "replication", box.target, "galera")
        well = await seen(says("galera_primary", Health.OK), "in a cluster")
        assert ("state", "Synced") in well.words
        assert figure(well, "galera_cluster_size").reading.value == 2
        await seen(says("galera_flow_control_paused_seconds_total", Health.OK), "its pauses, as a rate")

        box.sql(FIRST, "SET GLOBAL wsrep_desync = ON")
        aside = await seen(lambda block: ("desync", "on") in block.words, "out of step on purpose")
        assert figure(aside, "galera_synced").reading.value is None
        box.sql(FIRST, "SET GLOBAL wsrep_desync = OFF")
        await seen(says("galera_synced", Health.OK), "in step again")

        box.kill(SECOND)
        alone = await seen(says("galera_primary", Health.CRIT), "without a majority")
        assert figure(alone, "galera_ready").reading.health is Health.CRIT
        assert figure(alone, "galera_members_missing").reading.value == 1
        box.sql(FIRST, "SET GLOBAL wsrep_provider_options = 'pc.bootstrap=YES'")
        back = await seen(says("galera_primary", Health.OK), "a cluster of its own")
        assert figure(back, "galera_members_missing").reading.health is Health.WARN
