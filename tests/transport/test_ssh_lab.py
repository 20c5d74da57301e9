"""SSH to the lab's hosts: OpenSSH, Docker's socket, names that only the host knows."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from mailtop.client.shell import LOGIN, Lanes, run_once
from mailtop.model.ask import Command, Put
from mailtop.model.errors import Missing
from mailtop.transport import TcpAddress, UnixAddress
from mailtop.transport.ssh import Ssh, resolve

CONFIG = Path(__file__).parents[1] / "lab/.state/ssh/config"
pytestmark = [pytest.mark.lab, pytest.mark.skipif(not CONFIG.exists(), reason="the lab is not up")]


@pytest.fixture(params=["mail1", "mail2"])
def host(request: pytest.FixtureRequest) -> Iterator[Ssh]:
    host = Ssh(request.param, resolve(request.param, str(CONFIG)))
    host.connect()
    yield host
    host.close()


def test_small_reads_share_a_kept_shell(host: Ssh) -> None:
    lanes = Lanes(lambda: host.open(LOGIN))
    assert len(lanes.run(Command(("cat", "/proc/loadavg"))).ok("loadavg").split()) == 5
    assert lanes.run(Command(("df", "-P", "/"), pipe=(("tail", "-n1"),))).ok("df").endswith(b"/\n")
    lanes.close()


def test_stdin_goes_through_a_channel_of_its_own(host: Ssh) -> None:
    assert run_once(host.open, Put(("wc", "-c"), bytes(3_000_000))).ok("wc").strip() == b"3000000"


def test_dockers_socket_is_dialled_over_the_connection(host: Ssh) -> None:
    with host.dial(UnixAddress("/var/run/docker.sock")) as engine:
        engine.sendall(b"GET /_ping HTTP/1.0\r\nHost: docker\r\n\r\n")
        assert b"".join(iter(lambda: engine.recv(4096), b"")).endswith(b"OK")


def test_what_is_not_there_is_missing(host: Ssh) -> None:
    with pytest.raises(Missing):
        host.dial(UnixAddress("/run/nothing.sock"))
    with pytest.raises(Missing):
        host.dial(TcpAddress("nobody.invalid", 25))
