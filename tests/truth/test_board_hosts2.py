"""What the screen of hosts says of room, ports and pages is what they are: broken on containers of the tests' own."""

from __future__ import annotations

import ctypes
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from maillab.engine import LAB, Engine
from maillab.lab import Lab
from maillab.waiting import wait_until

from mailtop.config import HostSettings
from mailtop.config.shape import ProbeSettings
from mailtop.model.health import Health
from mailtop.probe import probes
from tests.truth.spare_database import figure, only, says, until
from tests.truth.watching import watching

pytestmark = [pytest.mark.faults, pytest.mark.lab, pytest.mark.timeout(300)]

MIB = 1 << 20
POSTFIX = """
touch /etc/postfix/main.cf; echo spare.test >/etc/mailname; postconf -F '*/*/chroot=n'
postconf -e compatibility_level=3.6 maillog_file=/dev/stdout inet_protocols=ipv4 alias_maps= message_size_limit=10240000
exec postfix start-fg >/tmp/log 2>&1
"""
MAIL_FROM = r"""
exec 3<>/dev/tcp/127.0.0.1/25
read -r line <&3; printf 'HELO me.test\r\n' >&3
read -r line <&3; printf 'MAIL FROM:<a@b.test>\r\n' >&3
read -r line <&3; printf 'QUIT\r\n' >&3; echo "$line"
"""
NGINX = """daemon off; error_log /dev/stderr; events {} http {
 server { listen 80; server_name page.example.test; location / { return STATUS; } } }"""


class Spare:
    """One container of an image that the lab has, on the Engine's own bridge."""

    def __init__(self, engine: Engine, name: str, of: str, *options: str) -> None:
        self.engine, self.name, self.target = engine, name, f"here/{name}"
        image = engine.run("inspect", "--format", "{{.Config.Image}}", of).strip()
        self.remove()
        aside = ("--detach", "--init", "--name", name, "--label", f"{LAB}=aside", *options)
        engine.run("run", *aside, "--entrypoint", "sleep", image, "infinity")

    def remove(self) -> None:
        self.engine.try_run("rm", "--force", self.name)

    def shell(self, script: str) -> str:
        return self.engine.execute(self.name, "sh", "-c", script)

    def said(self) -> str:
        """What its Postfix says to whoever would send mail; nothing where it does not run."""
        return self.engine.try_run("exec", self.name, "timeout", "5", "bash", "-c", MAIL_FROM).stdout

    def beside(self, script: str) -> None:
        self.engine.run("exec", "--detach", self.name, "sh", "-c", script)


@pytest.fixture
def spare(lab: Lab) -> Iterator[Callable[..., Spare]]:
    made: list[Spare] = []

    def make(name: str, of: str, *options: str) -> Spare:
        made.append(Spare(lab.engine, name, of, *options))
        return made[-1]

    yield make
    for one in made:
        one.remove()


@contextmanager
def small_disk(path: Path) -> Iterator[None]:
    """A filesystem of 20 MiB that df shows as one of the host's: of tmpfs, but with another source's name."""
    libc = ctypes.CDLL(None, use_errno=True)
    assert libc.mount(b"small", os.fsencode(path), b"tmpfs", 0, b"size=20m") == 0, os.strerror(ctypes.get_errno())
    try:
        yield
    finally:
        libc.umount2(os.fsencode(path), 2)  # MNT_DETACH


@pytest.mark.proves("filesystem_used_bytes_ratio")
@pytest.mark.skipif(os.geteuid() != 0, reason="only root may mount")
async def test_a_filesystem_of_this_machine_is_critical_at_95_percent_until_there_is_room(
    lab: Lab, tmp_path: Path
) -> None:
    place = tmp_path / "small"
    place.mkdir()
    paces = {probe.name: ProbeSettings(every=1.0, enabled=probe.name == "host_disk") for probe in probes()}
    used = "filesystem_used_bytes_ratio"

    with small_disk(place):
        async with watching({"here": HostSettings(docker=False, probes=paces)}, tmp_path) as watched:
            block = await until(watched, "hosts", "here", "host_disk", says(used, Health.OK, str(place)), "room")
            assert figure(block, "filesystem_bytes_full_seconds", str(place)).reading.value is None
            assert ("filling up", "not known yet") in block.words
            (place / "much").write_bytes(bytes(19 * MIB))
            block = await until(watched, "hosts", "here", "host_disk", says(used, Health.CRIT, str(place)), "full")
            assert figure(block, used, str(place)).reading.value == pytest.approx(95, abs=1)
            (place / "much").unlink()
            await until(watched, "hosts", "here", "host_disk", says(used, Health.OK, str(place)), "room again")


@pytest.mark.proves("postfix_spool_room_ratio")
async def test_postfix_is_critical_while_its_queue_has_no_room_for_a_message_and_a_half(
    spare: Callable[..., Spare], tmp_path: Path
) -> None:
    mta = spare("tmp-hosts-postfix", "postfix", "--tmpfs", "/var/spool/postfix:size=40m", "--network", "none")
    mta.beside(POSTFIX)
    wait_until(lambda: mta.said().startswith("250"), 20, "Postfix takes mail")
    room = "postfix_spool_room_ratio"

    async with watching(only("postfix_spool"), tmp_path) as watched:
        await until(watched, "hosts", mta.target, "postfix_spool", says(room, Health.OK), "room")
        mta.shell("head -c 26M /dev/zero >/var/spool/postfix/much")
        await until(watched, "hosts", mta.target, "postfix_spool", says(room, Health.CRIT), "no room")
        assert mta.said().startswith("452 4.3.1")
        mta.shell("rm /var/spool/postfix/much")
        await until(watched, "hosts", mta.target, "postfix_spool", says(room, Health.OK), "room again")
        assert mta.said().startswith("250")


@pytest.mark.proves("port_open", "port_answers")
async def test_a_port_that_closes_is_missed_and_one_that_is_silent_too(
    spare: Callable[..., Spare], tmp_path: Path
) -> None:
    box = spare("tmp-hosts-clamav", "clamav")
    config = "LocalSocket /tmp/c.sock\\nTCPSocket 3310\\nForeground yes\\nUser root\\nDatabaseDirectory /tmp/db\\n"
    box.shell(
        f"mkdir -p /tmp/db && printf 'X:0:*:deadbeefdeadbeef\\n' >/tmp/db/one.ndb && printf '{config}' >/tmp/c.conf"
    )
    start = "echo $$ >/tmp/pid; exec clamd -c /tmp/c.conf >/tmp/log 2>&1"
    box.beside(start)

    paces = {probe.name: ProbeSettings(every=3.0, enabled=probe.name == "ports") for probe in probes()}
    async with watching({"here": HostSettings(shell=False, probes=paces)}, tmp_path) as watched:

        async def becomes(metric: str, health: Health, what: str) -> None:
            await until(watched, "hosts", box.target, "ports", says(metric, health, "3310"), what)

        await becomes("port_answers", Health.OK, "it answers")
        box.shell("kill $(cat /tmp/pid)")
        await becomes("port_open", Health.CRIT, "it is closed")
        box.beside(start)
        await becomes("port_answers", Health.OK, "it answers again")
        await becomes("port_open", Health.OK, "it is open again")
        box.shell("kill -STOP $(cat /tmp/pid)")
        await becomes("port_answers", Health.CRIT, "it is silent")
        box.shell("kill -CONT $(cat /tmp/pid)")
        await becomes("port_answers", Health.OK, "it answers once more")


@pytest.mark.proves("page_status")
async def test_a_page_that_fails_is_critical_until_it_answers(spare: Callable[..., Spare], tmp_path: Path) -> None:
    web = spare("tmp-hosts-nginx", "wwwapp")

    def serve(status: int) -> None:
        web.shell(f"cat >/tmp/n.conf <<'EOF'\n{NGINX.replace('STATUS', str(status))}\nEOF")

    serve(204)
    web.beside("exec nginx -c /tmp/n.conf >/tmp/log 2>&1")
    page = "page.example.test"
    async with watching(only("proxy_pages"), tmp_path) as watched:
        target = web.target
        await until(watched, "hosts", target, "proxy_pages", says("page_status", Health.OK, page), "it answers")
        serve(500)
        web.shell("nginx -c /tmp/n.conf -s reload")
        await until(watched, "hosts", target, "proxy_pages", says("page_status", Health.CRIT, page), "it fails")
        serve(204)
        web.shell("nginx -c /tmp/n.conf -s reload")
        await until(watched, "hosts", target, "proxy_pages", says("page_status", Health.OK, page), "it answers again")
