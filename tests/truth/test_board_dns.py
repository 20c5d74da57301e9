"""What the screen of hosts says of DNS is so: of our domains, of who lists us, and of the containers' own resolver."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import AbstractAsyncContextManager
from pathlib import Path

import pytest
from maillab.engine import LAB, Engine
from maillab.lab import Lab
from maillab.waiting import wait_until

from mailtop.config import DnsSettings, HostSettings
from mailtop.config.shape import ProbeSettings
from mailtop.model.board import Block
from mailtop.model.health import Health
from mailtop.model.text import shown
from mailtop.probe import probes
from tests.truth.watching import Watching, watching

pytestmark = [pytest.mark.faults, pytest.mark.lab, pytest.mark.timeout(300)]

DNS, CLIENT = "spare-dns", "spare-clamav"
OURS = ("dns", "resolver")
OURSELVES = "5.9.0.25"  # public, as addresses go: nobody but the spare dnsmasq is ever asked about it
SPF = 'txt-record=ours.test,"v=spf1 mx -all"\n'
ZONE = f"""
no-resolv
no-hosts
user=root
log-facility=-
local=/#/
host-record=mail1.example.test,mail.ours.test,{OURSELVES}
ptr-record=25.0.9.5.in-addr.arpa,mail1.example.test
mx-host=ours.test,mail.ours.test,10
txt-record=_dmarc.ours.test,"v=DMARC1; p=reject"
txt-record=main._domainkey.ours.test,"v=DKIM1; k=ed25519; p=MCowBQYDK2VwAyEA"
address=/outside.test/192.0.2.1
"""
LISTED = "25.0.9.5.list.test"


class SpareDns:
    """A dnsmasq of a test's own, on a network of its own, and a container that asks it, a virus scanner by name."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self.remove()
        image = engine.run("inspect", "--format", "{{.Config.Image}}", "dns").strip()
        engine.run("network", "create", DNS)
        start = "while :; do [ -e /zone ] && dnsmasq --no-daemon --conf-file=/zone; sleep 0.1; done"
        self._start(DNS, image, start)
        networks = json.loads(engine.run("inspect", "--format", "{{json .NetworkSettings.Networks}}", DNS))
        self.address = str(networks[DNS]["IPAddress"])
        self._start(CLIENT, image, "exec sleep infinity", "--dns", self.address)
        self.says(ZONE + SPF)

    def _start(self, name: str, image: str, script: str, *more: str) -> None:
        words = ("--detach", "--init", "--name", name, "--label", f"{LAB}=aside", "--network", DNS, *more)
        self._engine.run("run", *words, "--entrypoint", "sh", image, "-c", script)

    def says(self, zone: str) -> None:
        """Let it serve this zone from now on."""
        self._engine.execute(DNS, "sh", "-c", "cat >/zone; pkill -x dnsmasq; :", stdin=zone)
        asked = ("dig", "+tcp", "+short", "+time=1", "+tries=1", "@127.0.0.1", "outside.test")
        wait_until(lambda: "192.0.2.1" in self._engine.try_run("exec", DNS, *asked).stdout, 20, "it answers")

    def pause(self) -> None:
        self._engine.run("pause", DNS)

    def unpause(self) -> None:
        self._engine.run("unpause", DNS)

    def remove(self) -> None:
        for name in (CLIENT, DNS):
            self._engine.try_run("rm", "--force", name)
        self._engine.try_run("network", "rm", DNS)


@pytest.fixture
def dns(lab: Lab) -> Iterator[SpareDns]:
    spare = SpareDns(lab.engine)
    yield spare
    spare.remove()


def asking(dns: SpareDns, folder: Path, every: float = 1.0) -> AbstractAsyncContextManager[Watching]:
    """This machine's containers, and DNS as the spare one tells it."""
    paces = {probe.name: ProbeSettings(every, enabled=probe.name in OURS) for probe in probes()}
    ours = DnsSettings(("ours.test",), dns.address, ("main",), ("list.test",), "outside.test")
    return watching({"here": HostSettings(shell=False, probes=paces)}, folder, 10, dns=ours)


async def of_dns(watched: Watching, what: str, condition: Callable[[Block], object]) -> Block:
    return await watched.block("hosts", "here/postfix", "dns", what, condition)


async def of_resolver(watched: Watching, what: str, condition: Callable[[Block], object]) -> Block:
    return await watched.block("hosts", f"here/{CLIENT}", "resolver", what, condition)


def value(block: Block, metric: str) -> float | None:
    return next((one.reading.value for one in block.figures if one.metric == metric), None)


def row(kind: str, name: str = "") -> Callable[[Block], tuple[str, Health] | None]:
    """The state and health of the first row of a kind."""

    def so(block: Block) -> tuple[str, Health] | None:
        lines = (line for table in block.tables for line in table.lines if line.cells[1] == kind.encode())
        return next(((shown(line.cells[3]), line.health) for line in lines if name in shown(line.cells[0])), None)

    return so


@pytest.mark.proves("dns_missing", "dns_failed")
async def test_a_zone_that_lacks_spf_is_told_until_it_has_one(dns: SpareDns, tmp_path: Path) -> None:
    async with asking(dns, tmp_path) as watched:
        await of_dns(watched, "all is there", lambda block: block.health is Health.OK)
        dns.says(ZONE)
        block = await of_dns(watched, "no SPF", lambda block: row("SPF")(block) == ("none", Health.WARN))
        assert (block.health, value(block, "dns_missing")) == (Health.WARN, 1)
        dns.says(ZONE + SPF.replace("-all", "+all"))
        await of_dns(watched, "+all", lambda block: row("SPF")(block) == ("lets anyone send", Health.WARN))
        dns.says(ZONE + SPF + SPF.replace("mx", "a"))
        await of_dns(watched, "two", lambda block: row("SPF")(block) == ("2 records: both are void", Health.CRIT))
        dns.says(ZONE + SPF)
        await of_dns(watched, "all is there again", lambda block: block.health is Health.OK)


@pytest.mark.proves("dns_listed")
async def test_a_listed_address_is_critical_and_a_list_that_refuses_to_tell_lists_nobody(
    dns: SpareDns, tmp_path: Path
) -> None:
    async with asking(dns, tmp_path) as watched:
        await of_dns(watched, "not listed", lambda block: row("DNSBL")(block) == ("not listed", Health.OK))
        dns.says(f"{ZONE}{SPF}address=/{LISTED}/127.0.0.2\n")
        block = await of_dns(watched, "listed", lambda block: row("DNSBL")(block) == ("listed", Health.CRIT))
        assert (block.health, value(block, "dns_listed")) == (Health.CRIT, 1)
        dns.says(f"{ZONE}{SPF}address=/{LISTED}/127.255.255.254\n")
        block = await of_dns(watched, "refuses", lambda one: row("DNSBL")(one) == ("refuses to tell", Health.UNKNOWN))
        assert (block.health, value(block, "dns_listed")) == (Health.UNKNOWN, None)
        dns.says(ZONE + SPF)
        await of_dns(watched, "not listed again", lambda block: block.health is Health.OK)


@pytest.mark.proves("dns_up", "resolver_names_failed")
async def test_a_resolver_that_is_silent_is_told_of_the_host_and_of_the_container_that_asks_it(
    dns: SpareDns, tmp_path: Path
) -> None:
    async with asking(dns, tmp_path, 4.0) as watched:
        await of_dns(watched, "it answers", lambda block: value(block, "dns_up") == 1)
        await of_resolver(watched, "it answers there", lambda block: block.health is Health.OK)
        dns.pause()
        block = await of_dns(watched, "it is dead", lambda block: value(block, "dns_up") == 0)
        assert block.health is Health.CRIT
        assert value(block, "dns_missing") is None
        block = await of_resolver(watched, "its names fail", lambda block: value(block, "resolver_names_failed") == 1)
        assert block.health is Health.CRIT
        dns.unpause()
        await of_resolver(watched, "they are found again", lambda block: value(block, "resolver_names_failed") == 0)
        block = await of_dns(watched, "it answers again", lambda block: value(block, "dns_up") == 1)
        assert block.health is Health.OK
