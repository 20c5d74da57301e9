"""What the screen of hosts says of an nginx's certificates and connections is so: into their limits, and back."""

from __future__ import annotations

import asyncio
import json
import select
import socket
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from maillab.engine import LAB, Engine
from maillab.lab import Lab
from maillab.waiting import wait_until

from mailtop.config import HostSettings
from mailtop.config.shape import ProbeSettings
from mailtop.model.board import Block, Figure
from mailtop.model.health import Health
from mailtop.model.text import shown
from mailtop.probe import probes
from tests.truth.watching import Watching, watching

pytestmark = [pytest.mark.faults, pytest.mark.timeout(180)]

OURS = ("proxy_certificates", "nginx_status")
PACES = {probe.name: ProbeSettings(every=1.0, enabled=probe.name in OURS) for probe in probes()}
HERE = {"here": HostSettings(shell=False, probes=PACES)}
NAME = "spare-nginx"
LEFT, FAILED = "certificate_lifetime_left_ratio", "tls_handshakes_failed"
STALE = "certificates_not_reloaded"
DROPPED = "nginx_connections_dropped_total"
# deferred: one that is accepted has begun to ask, so that it is not closed to make room for another.
CONFIG = """
daemon off; worker_processes 1; pid /run/nginx.pid; error_log /dev/stderr;
events { worker_connections 16; }
http {
    access_log off;
    server { listen 80 deferred; location = /nginx_status { stub_status; } }
    server { listen 443 ssl; server_name web.test; ssl_certificate /web.pem; ssl_certificate_key /web.pem; }
    server { listen 443 ssl; server_name old.test; ssl_certificate /old.pem; ssl_certificate_key /old.pem; }
}
"""


def certificate(name: str, left: int, *also: str) -> str:
    """A key and a certificate of ninety days, so many of which are left."""
    key = ec.generate_private_key(ec.SECP256R1())
    called = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    ends = datetime.now(UTC) + timedelta(days=left, hours=1)
    names = x509.SubjectAlternativeName([x509.DNSName(one) for one in (name, *also)])
    own = x509.CertificateBuilder().subject_name(called).issuer_name(called).public_key(key.public_key())
    own = own.serial_number(x509.random_serial_number()).add_extension(names, critical=False)
    signed = own.not_valid_before(ends - timedelta(days=90)).not_valid_after(ends).sign(key, hashes.SHA256())
    pem = serialization.Encoding.PEM
    secret = key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    return (secret + signed.public_bytes(pem)).decode()


class SpareNginx:
    """One of a test's own, on a network of its own."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self.remove()
        image = engine.run("inspect", "--format", "{{.Config.Image}}", "wwwapp").strip()
        engine.run("network", "create", NAME)
        words = ("--detach", "--init", "--name", NAME, "--label", f"{LAB}=aside", "--network", NAME)
        start = "until [ -e /ready ]; do sleep 0.1; done; exec nginx -c /nginx.conf"
        engine.run("run", *words, "--entrypoint", "sh", image, "-c", start)
        self.write("/nginx.conf", CONFIG)
        self.write("/old.pem", certificate("old.test", 80))
        self.write("/web.pem", certificate("web.test", 80, "old.test"))
        self.write("/ready", "")
        wait_until(lambda: self.status("80") == "200", 20, "it answers")

    def write(self, path: str, text: str) -> None:
        self._engine.execute(NAME, "sh", "-c", 'mkdir -p "${1%/*}/"; cat >"$1"', "sh", path, stdin=text)

    def reload(self) -> None:
        self._engine.execute(NAME, "nginx", "-c", "/nginx.conf", "-s", "reload")

    def status(self, port: str) -> str:
        words = ("curl", "-s", "-o", "/dev/null", "-w", "%{http_code}", f"http://127.0.0.1:{port}/nginx_status")
        return self._engine.try_run("exec", NAME, *words).stdout

    @property
    def address(self) -> str:
        networks = json.loads(self._engine.run("inspect", "--format", "{{json .NetworkSettings.Networks}}", NAME))
        return str(networks[NAME]["IPAddress"])

    def remove(self) -> None:
        self._engine.try_run("rm", "--force", NAME)
        self._engine.try_run("network", "rm", NAME)


@pytest.fixture
def nginx(lab: Lab) -> Iterator[SpareNginx]:
    spare = SpareNginx(lab.engine)
    yield spare
    spare.remove()


async def until(watched: Watching, probe: str, what: str, condition: Callable[[Block], object]) -> Block:
    """The first block of the spare nginx for which a condition holds."""
    return await watched.block("hosts", f"here/{NAME}", probe, what, condition)


def figure(block: Block, metric: str) -> Figure:
    return next((one for one in block.figures if one.metric == metric), Figure(metric, ""))


def is_(metric: str, *healths: Health) -> Callable[[Block], bool]:
    def so(block: Block) -> bool:
        reading = figure(block, metric).reading
        return reading.value is not None and reading.health in healths

    return so


@pytest.mark.proves("certificate_lifetime_left_ratio")
async def test_a_certificate_that_runs_out_is_told_until_a_new_one_is_served(nginx: SpareNginx, tmp_path: Path) -> None:
    async with watching(HERE, tmp_path) as watched:
        await until(watched, "proxy_certificates", "a new one", is_(LEFT, Health.OK))
        for left, health in ((20, Health.WARN), (5, Health.CRIT), (-1, Health.CRIT)):
            nginx.write("/web.pem", certificate("web.test", left))
            nginx.reload()
            block = await until(watched, "proxy_certificates", f"{left} days left", lasts(left, health))
            assert block.health is health
        nginx.write("/web.pem", certificate("web.test", 80))
        nginx.reload()
        await until(watched, "proxy_certificates", "a new one is served", is_(LEFT, Health.OK))


def lasts(days: int, health: Health) -> Callable[[Block], bool]:
    """Its figure is so, and its row tells so many days."""

    def so(block: Block) -> bool:
        (line, *_) = block.tables[0].lines
        return is_(LEFT, health)(block) and round(float(line.cells[3])) == days and line.health is health

    return so


async def test_an_old_one_behind_one_of_the_names_is_found(nginx: SpareNginx, tmp_path: Path) -> None:
    async with watching(HERE, tmp_path) as watched:
        await until(watched, "proxy_certificates", "both new", is_(LEFT, Health.OK))
        nginx.write("/old.pem", certificate("old.test", 3))
        nginx.reload()
        block = await until(watched, "proxy_certificates", "one is old", is_(LEFT, Health.CRIT))
        rows = {shown(line.cells[1]): line.health for line in block.tables[0].lines}
        assert rows == {"": Health.OK, "old.test": Health.CRIT}
        nginx.write("/old.pem", certificate("old.test", 80))
        nginx.reload()
        await until(watched, "proxy_certificates", "both new again", is_(LEFT, Health.OK))


@pytest.mark.proves("certificates_not_reloaded")
async def test_one_that_was_renewed_and_not_reloaded_is_told_until_it_is(nginx: SpareNginx, tmp_path: Path) -> None:
    renewed = certificate("old.test", 89)
    public = renewed[renewed.index("-----BEGIN CERTIFICATE") :]

    async with watching(HERE, tmp_path) as watched:
        first = await until(watched, "proxy_certificates", "nothing on the disk", is_(LEFT, Health.OK))
        assert figure(first, STALE).reading.value is None
        nginx.write("/etc/letsencrypt/live/old.test/cert.pem", public)
        await until(watched, "proxy_certificates", "not reloaded", is_(STALE, Health.WARN))
        nginx.write("/old.pem", renewed)
        nginx.reload()
        await until(watched, "proxy_certificates", "reloaded", is_(STALE, Health.OK))


@pytest.mark.proves("tls_handshakes_failed")
async def test_a_port_that_shakes_no_hands_is_critical_and_one_that_is_closed_is_not(
    nginx: SpareNginx, tmp_path: Path
) -> None:
    plain, closed = CONFIG.replace("443 ssl", "443"), CONFIG.replace("443 ssl", "8443 ssl")

    async with watching(HERE, tmp_path) as watched:
        await until(watched, "proxy_certificates", "well", is_(FAILED, Health.OK))
        nginx.write("/nginx.conf", plain)
        nginx.reload()
        await until(watched, "proxy_certificates", "no TLS there", is_(FAILED, Health.CRIT))
        nginx.write("/nginx.conf", closed)
        nginx.reload()
        block = await until(watched, "proxy_certificates", "nothing there", is_(FAILED, Health.OK))
        while not block.words:
            block = await until(watched, "proxy_certificates", "told so", lambda block: block.words)
        assert (block.words, block.health) == ((("not listening", "443"),), Health.OK)
        nginx.write("/nginx.conf", CONFIG)
        nginx.reload()
        await until(watched, "proxy_certificates", "well again", is_(LEFT, Health.OK))


@pytest.mark.proves("nginx_connections_dropped_total")
async def test_connections_that_are_turned_away_are_told(nginx: SpareNginx, tmp_path: Path) -> None:
    async with watching(HERE, tmp_path) as watched:
        await until(watched, "nginx_status", "none dropped", is_(DROPPED, Health.OK))
        address = nginx.address
        with ExitStack() as held:
            clients = [held.enter_context(socket.create_connection((address, 80), 5.0)) for _ in range(24)]
            for client in clients:  # more than worker_connections
                with suppress(ConnectionError):
                    client.sendall(b"GET / HTTP/1.1\r\n")
            turned_away, _, _ = await asyncio.to_thread(select.select, clients, (), (), 20.0)
            assert turned_away  # it accepts one by one: those that left before would never have been too many
        block = await until(watched, "nginx_status", "some dropped", is_(DROPPED, Health.WARN, Health.CRIT))
        assert figure(block, "nginx_connections_active").reading.value is not None
        await until(watched, "nginx_status", "no more", is_(DROPPED, Health.OK))
