"""Who holds the VIP, as real hosts tell over SSH: one, both, none; and where the database is written to."""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Iterator
from functools import partial
from pathlib import Path

import pytest
from maillab.engine import LAB
from maillab.lab import Lab
from msgspec.structs import replace

from mailtop.config import HostSettings, PlatformSettings
from mailtop.config.shape import ProbeSettings
from mailtop.derive.platform import TARGET
from mailtop.model.board import Block
from mailtop.model.snapshot import Health, Snapshot
from mailtop.model.text import shown
from mailtop.probe import probes
from tests.truth.spare_database import FIRST, SpareDatabase, only
from tests.truth.watching import Watching, hosts_over_ssh, watching

pytestmark = [pytest.mark.faults, pytest.mark.lab, pytest.mark.timeout(300)]

VIP = "198.18.7.7"
"""An address that nobody routes: the lab's own VIP stays where it is."""

ASKED = ("vip", "mariadb_status", "mariadb_replica", "galera")
HOSTS = ("mail1", "mail2")


class Address:
    """What hosts hold for as long as a test wants."""

    def __init__(self, lab: Lab) -> None:
        self._lab = lab

    def give(self, host: str) -> None:
        self._lab.engine.execute(host, "ip", "addr", "add", f"{VIP}/32", "dev", "eth0")

    def take(self, host: str) -> None:
        self._lab.engine.try_run("exec", host, "ip", "addr", "del", f"{VIP}/32", "dev", "eth0")


@pytest.fixture
def address(lab: Lab) -> Iterator[Address]:
    made = Address(lab)
    yield made
    for host in HOSTS:
        made.take(host)


def hosts(asked: tuple[str, ...] = ASKED) -> dict[str, HostSettings]:
    paces = {probe.name: ProbeSettings(every=1.0, enabled=probe.name in asked) for probe in probes()}
    return {name: replace(one, probes=paces) for name, one in hosts_over_ssh().items()}


async def until(watched: Watching, what: str, holder: str, health: Health) -> Snapshot:
    return await watched.until(what, lambda now: (now.vip, now.vip_health) == (holder, health))


def row(health: Health, where: str) -> Callable[[Block], bool]:
    """Is one of the sets of databases written to there, and judged so? Others than a test's own may run here too."""
    return lambda block: (health, where) in [(line.health, shown(line.cells[1])) for line in block.tables[0].lines]


def alerts(snapshot: Snapshot) -> list[str]:
    return [one.summary for one in snapshot.alerts if one.rule == "vip_holders"]


@pytest.mark.proves("vip_holders")
async def test_one_holder_is_well_and_two_or_none_are_critical(address: Address, tmp_path: Path) -> None:
    address.give("mail1")

    async with watching(hosts(), tmp_path, platform=PlatformSettings("the lab", vip=(VIP,))) as watched:
        await until(watched, "mail1 holds it", "mail1", Health.OK)
        address.give("mail2")
        both = await until(watched, "both hold it", "mail1, mail2", Health.CRIT)
        assert alerts(both) == [f"platform {VIP}: holders 2"]
        address.take("mail1")
        moved = await until(watched, "mail2 holds it", "mail2", Health.OK)
        assert not alerts(moved)
        address.take("mail2")
        lost = await until(watched, "nobody holds it", "none", Health.CRIT)
        assert alerts(lost) == [f"platform {VIP}: holders 0"]
        address.give("mail1")
        await until(watched, "mail1 holds it again", "mail1", Health.OK)


async def test_the_vip_of_keepalived_and_the_only_writable_server_are_found(lab: Lab, tmp_path: Path) -> None:
    holder = next(host for host in HOSTS if "172.28.0.100/" in lab.engine.execute(host, "ip", "-o", "addr"))

    async with watching(hosts(), tmp_path) as watched:
        await until(watched, "the holder", holder, Health.OK)
        await watched.block("replication", TARGET, "writes", "one", row(Health.OK, "mail1/maildb"))
        for host in HOSTS:
            block = await watched.block("replication", host, "vip", "keepalived", lambda one: one.figures)
            assert dict(block.words)["VIP"] == "172.28.0.100"
            assert block.figures[0].reading.value == 1.0
        failover = await watched.block("replication", TARGET, "readiness", "failover", lambda one: one.figures)
        standby, verdict, why = (shown(cell) for cell in failover.tables[0].lines[0].cells)
        assert (standby, verdict) == (next(host for host in HOSTS if host != holder), "not ready")
        assert "no database of its own" in why


async def test_a_holder_is_no_proof_while_the_other_host_cannot_be_asked(address: Address, tmp_path: Path) -> None:
    address.give("mail1")
    lost = replace(hosts()["mail2"], ssh="nobody@mail2")

    async with watching(
        hosts() | {"mail2": lost}, tmp_path, platform=PlatformSettings("the lab", vip=(VIP,))
    ) as watched:
        await until(watched, "half of the evidence", "mail1", Health.UNKNOWN)


@pytest.mark.proves("database_writers")
async def test_a_replica_that_can_be_written_to_is_critical_until_it_cannot(lab: Lab, tmp_path: Path) -> None:
    first, second = SpareDatabase(lab.engine, "ha-database"), SpareDatabase(lab.engine, "ha-database-copy")
    try:
        first.serve(FIRST)
        second.serve(FIRST, "--read-only=1")
        second.sql(FIRST, "CHANGE MASTER TO MASTER_HOST = 'ha-database', MASTER_USER = 'repl'")

        async with watching(only(*ASKED), tmp_path) as watched:

            def judged(what: str, condition: Callable[[Block], object]) -> Coroutine[None, None, Block]:
                return watched.block("replication", TARGET, "writes", what, condition)

            await judged("one is written to", row(Health.OK, "here/ha-database"))
            second.sql(FIRST, "SET GLOBAL read_only = 0")
            await judged("both are", row(Health.CRIT, "here/ha-database, here/ha-database-copy"))
            second.sql(FIRST, "SET GLOBAL read_only = 1")
            await judged("one is again", row(Health.OK, "here/ha-database"))
            first.sql(FIRST, "SET GLOBAL read_only = 1")
            await judged("none is", row(Health.CRIT, ""))
            first.sql(FIRST, "SET GLOBAL read_only = 0")
            await judged("one is at last", row(Health.OK, "here/ha-database"))
    finally:
        first.remove()
        second.remove()


@pytest.fixture
def postfixes(lab: Lab) -> Iterator[dict[str, Callable[[str], str]]]:
    """One stopped Postfix of the same name on each host's Engine, as a shell."""
    image = lab.engine.run("inspect", "--format", "{{.Config.Image}}", "postfix").strip()
    docker: dict[str, Callable[..., str]] = {
        "mail1": lab.engine.run,
        "mail2": partial(lab.engine.execute, "mail2", "docker"),
    }
    made = ("run", "--detach", "--init", "--name", "ha-postfix", "--label", f"{LAB}=aside", "--network", "none")
    try:
        for run in docker.values():
            run(*made, "--entrypoint", "sleep", image, "infinity")
        yield {host: partial(run, "exec", "ha-postfix", "sh", "-c") for host, run in docker.items()}
    finally:
        for run in docker.values():
            run("rm", "--force", "ha-postfix")


@pytest.mark.proves("fingerprints_differ")
async def test_settings_and_certificates_that_differ_are_a_warning_until_they_are_alike(
    postfixes: dict[str, Callable[[str], str]], tmp_path: Path
) -> None:
    certificate = "mkdir -p /etc/letsencrypt/live/x && {} > /etc/letsencrypt/live/x/cert.pem"
    make = certificate.format("printf -- '-----BEGIN CERTIFICATE-----\\nMII{}\\n-----END CERTIFICATE-----\\n'")
    for host, shell in postfixes.items():
        shell(f"touch /etc/postfix/main.cf; postconf -e relayhost=a.test myhostname={host}.test; {make.format(1)}")

    async with watching(hosts(("mta_fingerprints",)), tmp_path) as watched:

        async def judged(what: str, *rows: tuple[Health, str]) -> None:
            def condition(block: Block) -> bool:
                lines = [line for line in block.tables[0].lines if line.cells[0] == b"ha-postfix"]
                return [(line.health, shown(line.cells[1])) for line in lines] == list(rows)

            await watched.block("replication", TARGET, "fingerprints", what, condition)

        settings, certificates = (Health.OK, "settings equal"), (Health.OK, "certificates equal")
        await judged("alike", settings, certificates)
        postfixes["mail2"]("postconf -e relayhost=b.test")
        await judged("other settings", (Health.WARN, "settings differ"), certificates)
        postfixes["mail2"]("postconf -e relayhost=a.test")
        await judged("the same settings", settings, certificates)
        postfixes["mail1"](make.format(2))
        await judged("another certificate", settings, (Health.WARN, "certificates differ"))
        postfixes["mail2"](make.format(2))
        await judged("the same certificate", settings, certificates)
