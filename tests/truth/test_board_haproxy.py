"""What the screen says of a real HAProxy: a server that dies, a backend without one, no sessions left, and back."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest
from maillab.engine import LAB
from maillab.lab import Lab

from mailtop.model.health import Health
from tests.truth.spare_database import figure, only, says, until
from tests.truth.watching import watching

NAME = "ha-proxy"
PROGRAM = shutil.which("haproxy", path="/usr/sbin:/usr/bin")
CONFIGURATION = """
global
    stats socket /run/haproxy/admin.sock
defaults
    mode tcp
    timeout connect 1s
    timeout client 60s
    timeout server 60s
listen imap
    bind 127.0.0.1:143
    maxconn 4
    server mail1 127.0.0.1:1143 check inter 200ms rise 1 fall 1
    server mail2 127.0.0.1:2143 check inter 200ms rise 1 fall 1
"""

pytestmark = [
    pytest.mark.faults,
    pytest.mark.lab,
    pytest.mark.timeout(300),
    pytest.mark.skipif(PROGRAM is None, reason="no haproxy on this machine to copy into a container"),
]


class Proxy:
    """A container without a network, with this machine's haproxy and two servers behind it."""

    def __init__(self, lab: Lab, folder: Path) -> None:
        self._engine = lab.engine
        image = lab.engine.run("inspect", "--format", "{{.Config.Image}}", "maildb").strip()
        aside = ("--detach", "--init", "--name", NAME, "--label", f"{LAB}=aside", "--network", "none")
        lab.engine.run("run", *aside, "--entrypoint", "sleep", image, "infinity")
        assert PROGRAM is not None
        linked = subprocess.run(("ldd", PROGRAM), capture_output=True, text=True, check=True).stdout
        for path in (PROGRAM, *re.findall(r"=> (/\S+/lib(?:lua|opentracing)\S+)", linked)):
            lab.engine.run(
                "cp", "--follow-link", path, f"{NAME}:/usr/sbin/" if path == PROGRAM else f"{NAME}:/usr/lib/"
            )
        (folder / "haproxy.cfg").write_text(CONFIGURATION)
        self.shell("mkdir -p /etc/haproxy /run/haproxy")
        lab.engine.run("cp", f"{folder}/haproxy.cfg", f"{NAME}:/etc/haproxy/haproxy.cfg")
        for server in (1, 2):
            self.serve(server)
        self.start()

    def shell(self, script: str) -> None:
        self._engine.run("exec", NAME, "sh", "-c", script)

    def start(self) -> None:
        self.shell("haproxy -D -p /run/haproxy/pid -f /etc/haproxy/haproxy.cfg")

    def serve(self, server: int) -> None:
        listener = f"exec socat TCP-LISTEN:{server}143,fork,reuseaddr SYSTEM:'cat >/dev/null'"
        self._engine.run("exec", "--detach", NAME, "sh", "-c", listener)

    def end(self, what: str) -> None:
        self.shell(f"pkill -f '{what}'; true")


@pytest.fixture
def proxy(lab: Lab, tmp_path: Path) -> Iterator[Proxy]:
    lab.engine.try_run("rm", "--force", NAME)
    try:
        yield Proxy(lab, tmp_path)
    finally:
        lab.engine.try_run("rm", "--force", NAME)


@pytest.mark.proves("haproxy_backend_up", "haproxy_servers_down", "haproxy_sessions_ratio", "haproxy_up")
async def test_dead_servers_and_used_up_sessions_are_told_until_they_are_back(proxy: Proxy, tmp_path: Path) -> None:
    async with watching(only("haproxy"), tmp_path) as watched:
        seen = partial(until, watched, "replication", f"here/{NAME}", "haproxy")
        well = await seen(says("haproxy_servers_down", Health.OK, "imap"), "both servers are up")
        assert well.health is Health.OK

        proxy.end("LISTEN:[1]143")
        one = await seen(says("haproxy_servers_down", Health.WARN, "imap"), "one is down")
        assert figure(one, "haproxy_backend_up", "imap").reading.health is Health.OK
        proxy.end("LISTEN:[2]143")
        none = await seen(says("haproxy_backend_up", Health.CRIT, "imap"), "none is up")
        assert figure(none, "haproxy_servers_down", "imap").reading.value == 2
        proxy.serve(1)
        proxy.serve(2)
        await seen(says("haproxy_servers_down", Health.OK, "imap"), "both are back")

        for _ in range(4):
            proxy.shell("sleep 60 | socat - TCP:127.0.0.1:143 >/dev/null 2>&1 &")
        await seen(says("haproxy_sessions_ratio", Health.CRIT, "imap"), "its sessions are used up")
        proxy.end("[s]ocat - TCP")
        await seen(says("haproxy_sessions_ratio", Health.OK, "imap"), "there is room again")

        proxy.shell("kill $(cat /run/haproxy/pid)")
        await seen(says("haproxy_up", Health.CRIT), "nobody listens")
        proxy.start()
        await seen(says("haproxy_up", Health.OK), "it is back")
