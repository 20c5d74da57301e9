"""The screens `sessions` and `replication` over real Dovecots of both versions, driven to their limits and back.

Each Dovecot is a test's own, without a network and without the lab's mail.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from maillab.engine import LAB, Engine
from maillab.lab import Lab
from maillab.waiting import wait_until

from mailtop.config import HostSettings
from mailtop.config.shape import ProbeSettings
from mailtop.model.board import Block
from mailtop.model.health import Health
from mailtop.model.text import shown
from mailtop.probe import probes
from tests.truth.watching import Watching, watching

pytestmark = [pytest.mark.faults, pytest.mark.timeout(240)]

OURS = ("dovecot_services", "dovecot_sessions", "dovecot_replicator")
PACES = {probe.name: ProbeSettings(every=1.0, enabled=probe.name in OURS) for probe in probes()}
HERE = {"here": HostSettings(shell=False, probes=PACES)}
USER, OTHER = "ann@sessions.test", "ben@sessions.test"
MOST = 6  # imap processes, and a user's connections from one address
VERSIONS = {"2.3": "dovecot", "2.4": "dovecot24"}  # by the container of the lab that runs it

BOTH = f"""
protocols = imap
listen = 127.0.0.1
first_valid_uid = 5000
log_path = /dev/stderr
ssl = no
service imap {{
  process_limit = {MOST}
}}
protocol imap {{
  mail_max_userip_connections = {MOST}
}}
"""
OLD = """
disable_plaintext_auth = no
mail_location = maildir:~/Maildir
passdb {
  driver = static
  args = password=secret
}
userdb {
  driver = static
  args = uid=5000 gid=5000 home=/var/vmail/%u
}
"""
NEW = """
dovecot_config_version = 2.4.1
dovecot_storage_version = 2.4.1
auth_allow_cleartext = yes
mail_driver = maildir
mail_path = ~/Maildir
mail_home = /var/vmail/%{user}
mail_uid = 5000
mail_gid = 5000
passdb static {
  passdb_static_password = secret
}
userdb static {
}
"""
REPLICATING = """
doveadm_password = x
mail_plugins = $mail_plugins notify replication
plugin {
  mail_replica = tcp:127.0.0.1:9
}
service replicator {
  process_min_avail = 1
  unix_listener replicator-doveadm {
    mode = 0600
  }
}
"""
START = 'printf %s "$SETTINGS" >/etc/dovecot/dovecot.conf; chown vmail:vmail /var/vmail; exec dovecot -F'
LOGIN = 'exec 3<>/dev/tcp/127.0.0.1/143; printf "a login $0 secret\\r\\n" >&3; exec cat <&3'


class SpareDovecot:
    """One of them, in a container on this machine."""

    def __init__(self, engine: Engine, image: str, name: str, settings: str) -> None:
        self.name, self.target = name, f"here/{name}"
        self._engine = engine
        engine.try_run("rm", "--force", name)
        own = ("--detach", "--init", "--name", name, "--label", f"{LAB}=aside", "--network", "none")
        engine.run("run", *own, "--env", f"SETTINGS={settings}", image, "bash", "-c", START)
        self._wait()

    def remove(self) -> None:
        """No trace is left."""
        self._engine.try_run("rm", "--force", self.name)

    def restart(self) -> None:
        """End it and start it again: it has dropped nobody yet."""
        self._engine.run("restart", "--time", "1", self.name)
        self._wait()

    def _wait(self) -> None:
        wait_until(lambda: self._engine.try_run("exec", self.name, "doveadm", "who").returncode == 0, 30, "it answers")

    def run(self, *argv: str) -> str:
        """Run a program there; its standard output."""
        return self._engine.execute(self.name, *argv)

    def log_in(self, times: int) -> None:
        """Log the user in so often more, one after the other: a process that is asked for at the limit is a drop."""
        for _ in range(times):
            more = self.sessions() + 1
            self.connect(USER)
            wait_until(lambda more=more: self.sessions() == more, 20, f"{more} are logged in")  # type: ignore[misc]

    def connect(self, user: str) -> None:
        """Log a user in and stay, or be refused."""
        self._engine.run("exec", "--detach", self.name, "bash", "-c", LOGIN, user)

    def sessions(self) -> int:
        """How many are logged in, by `doveadm who`."""
        return len(self.run("doveadm", "-f", "tab", "who", "-1").splitlines()) - 1


def spare(lab: Lab, version: str, settings: str) -> SpareDovecot:
    image = lab.engine.run("inspect", "--format", "{{.Config.Image}}", VERSIONS[version]).strip()
    return SpareDovecot(lab.engine, image, f"spare-{VERSIONS[version]}", settings)


@pytest.fixture(params=VERSIONS)
def dovecot(lab: Lab, request: pytest.FixtureRequest) -> Iterator[SpareDovecot]:
    """A Dovecot with room for few."""
    found = spare(lab, request.param, NEW + BOTH if request.param == "2.4" else OLD + BOTH)
    yield found
    found.remove()


@pytest.fixture
def replicating(lab: Lab) -> Iterator[SpareDovecot]:
    """A Dovecot 2.3 whose other node does not answer."""
    found = spare(lab, "2.3", OLD + BOTH + REPLICATING)
    yield found
    found.remove()


async def until(watched: Watching, screen: str, target: str, probe: str, condition: Callable[[Block], bool]) -> Block:
    """Wait until a block of now is so."""
    return await watched.block(screen, target, probe, f"{target} {probe}", condition)


def busy(block: Block, service: str = "imap") -> tuple[float | None, Health]:
    """How full a service is, in percent."""
    found = (one.reading for one in block.figures if (one.of, one.label) == (service, "busy"))
    return next(((reading.value, reading.health) for reading in found), (None, Health.OK))


def first(block: Block) -> tuple[str, ...]:
    """The cells of the first row, and how it is."""
    (table,) = block.tables
    return (*map(shown, table.lines[0].cells), table.lines[0].health.value) if table.lines else ()


@pytest.mark.proves("dovecot_service_processes_ratio")
async def test_sessions_fill_a_service_up_and_free_it_again(dovecot: SpareDovecot, tmp_path: Path) -> None:
    async def services(condition: Callable[[Block], bool]) -> Block:
        return await until(watched, "sessions", dovecot.target, "dovecot_services", condition)

    async def sessions(count: int) -> Block:
        rows = (USER, "imap", str(count), f"127.0.0.1 ({count})")
        return await until(
            watched, "sessions", dovecot.target, "dovecot_sessions", lambda b: first(b)[:4] == (rows if count else ())
        )

    async with watching(HERE, tmp_path) as watched:
        idle = await services(lambda _: True)
        await sessions(0)
        await asyncio.to_thread(dovecot.log_in, MOST - 1)
        many, near = await sessions(MOST - 1), await services(lambda b: busy(b)[1] is Health.WARN)
        await asyncio.to_thread(dovecot.log_in, 1)
        most, full = await sessions(MOST), await services(lambda b: busy(b)[1] is Health.CRIT)
        await asyncio.to_thread(dovecot.run, "doveadm", "kick", USER)
        none, free = await sessions(0), await services(lambda b: busy(b)[1] is Health.OK)

    assert [one.health for one in (idle, near, full, free)] == [Health.OK, Health.WARN, Health.CRIT, Health.OK]
    assert busy(near)[0] == pytest.approx(100 * (MOST - 1) / MOST, abs=0.1)
    assert busy(full)[0] == 100
    assert [one.health for one in (many, most, none)] == [Health.OK, Health.WARN, Health.OK]


@pytest.mark.proves("dovecot_service_drop_age_seconds")
async def test_dropped_clients_are_critical_until_it_starts_anew(dovecot: SpareDovecot, tmp_path: Path) -> None:
    def dropped(block: Block) -> bool:
        return any((one.of, one.label) == ("imap", "last drop") for one in block.figures)

    await asyncio.to_thread(dovecot.log_in, MOST)
    async with watching(HERE, tmp_path) as watched:
        find = (watched, "sessions", dovecot.target, "dovecot_services")
        before = await until(*find, lambda b: busy(b)[1] is Health.CRIT)
        await asyncio.to_thread(dovecot.connect, OTHER)
        await until(*find, dropped)
        await asyncio.to_thread(dovecot.run, "doveadm", "kick", USER)
        after = await until(*find, lambda b: busy(b)[1] is Health.OK)
        await asyncio.to_thread(dovecot.restart)
        anew = await until(*find, lambda b: not dropped(b))

    assert (dropped(before), dropped(after), after.health) == (False, True, Health.CRIT)
    assert anew.health is Health.OK
    assert first(after)[0] == "imap"
    assert first(after)[-2:] == ("dropped clients", "crit")


async def test_a_dovecot_that_does_not_replicate_says_why_and_alarms_nobody(
    dovecot: SpareDovecot, tmp_path: Path
) -> None:
    async with watching(HERE, tmp_path) as watched:
        block = await until(watched, "replication", dovecot.target, "dovecot_replicator", lambda _: True)

    ((name, why),) = block.words
    assert (name, block.health, block.figures) == ("dovecot_replication", Health.OK, ())
    assert why.endswith("removed in 2.4") if "24" in dovecot.name else why.startswith("not configured")


@pytest.mark.proves("dovecot_replicator_failed_users")
async def test_a_user_who_cannot_be_copied_is_a_warning_until_the_user_is_gone(
    replicating: SpareDovecot, tmp_path: Path
) -> None:
    def failed(block: Block) -> float | None:
        return next(one.reading.value for one in block.figures if one.label == "failed users")

    async with watching(HERE, tmp_path) as watched:
        find = (watched, "replication", replicating.target, "dovecot_replicator")
        before = await until(*find, lambda b: failed(b) == 0)
        await asyncio.to_thread(replicating.run, "doveadm", "replicator", "add", USER)
        during = await until(*find, lambda b: failed(b) == 1)
        await asyncio.to_thread(replicating.run, "doveadm", "replicator", "remove", USER)
        after = await until(*find, lambda b: failed(b) == 0)

    assert [one.health for one in (before, during, after)] == [Health.OK, Health.WARN, Health.OK]
    assert first(during)[:3] == (USER, "none", "-")
