"""Programs and sockets of this machine."""

from __future__ import annotations

import os
import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from maillab.waiting import wait_until

from mailtop.model.errors import Denied, LinkLost, Missing, TimedOut
from mailtop.transport import TcpAddress, Transport, UnixAddress
from mailtop.transport.local import Local

FOREVER = str(100_000 + os.getpid())  # seconds that no other test, on another core, sleeps


@pytest.fixture
def local() -> Iterator[Local]:
    local = Local("here")
    yield local
    local.close()


def test_it_is_a_transport(local: Local) -> None:
    transport: Transport = local
    transport.connect()
    assert transport.alive()


def test_a_program_has_three_streams_and_a_status(local: Local) -> None:
    channel = local.open("cat; echo err >&2; exit 3")
    channel.send(b"PING", 5)
    channel.end_of_input()
    stdout = stderr = b""
    while (piece := channel.read(5)) != (b"", b""):
        stdout, stderr = stdout + piece[0], stderr + piece[1]
    assert (stdout, stderr, channel.exit_status(5)) == (b"PING", b"err\n", 3)
    assert channel.read(5) == (b"", b"")


def test_a_killed_program_has_128_and_the_signal(local: Local) -> None:
    assert local.open("kill -TERM $$").exit_status(5) == 143


def test_every_wait_has_a_limit(local: Local) -> None:
    channel = local.open("exec sleep 61240")
    with pytest.raises(TimedOut):
        channel.read(0.01)
    with pytest.raises(TimedOut):
        channel.exit_status(0.01)
    with pytest.raises(TimedOut):
        channel.send(bytes(1 << 20), 0.01)


def test_a_program_that_has_ended_takes_no_input(local: Local) -> None:
    channel = local.open("exec true")
    channel.exit_status(5)
    with pytest.raises(LinkLost):
        channel.send(b"PING", 5)
    channel.end_of_input()
    with pytest.raises(LinkLost):
        channel.send(b"PING", 5)


def test_closing_kills_the_whole_session_and_wakes_its_reader(local: Local) -> None:
    channel = local.open(f"timeout {FOREVER} sleep {FOREVER} & sleep {FOREVER}")
    closer = threading.Timer(0.2, local.close)
    closer.start()
    with pytest.raises(LinkLost):
        channel.read(30)
    closer.join()
    wait_until(
        lambda: not any(FOREVER.encode() in _words(path) for path in Path("/proc").glob("[0-9]*/cmdline")),
        5,
        "all are gone",
    )
    with pytest.raises(LinkLost):
        channel.read(1)
    with pytest.raises(LinkLost):
        local.open("true")


def test_closing_leaves_no_descriptor_open(local: Local) -> None:
    before = len(list(Path("/proc/self/fd").iterdir()))
    for _ in range(5):
        channel = local.open("echo PONG")
        channel.read(5)
        channel.close()
        channel.close()
    assert len(list(Path("/proc/self/fd").iterdir())) <= before


def test_it_can_be_used_again_after_closing(local: Local) -> None:
    local.close()
    assert not local.alive()
    local.connect()
    assert local.open("echo PONG").read(5) == (b"PONG\n", b"")


def test_a_unix_socket_is_dialled(local: Local, tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(tmp_path / "s"))
        listener.listen()
        with local.dial(UnixAddress(str(tmp_path / "s")), 5) as stream, listener.accept()[0] as far:
            stream.sendall(b"PING")
            assert far.recv(10) == b"PING"
            assert stream.gettimeout() == 5


def test_a_tcp_port_is_dialled_without_delay(local: Local) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        with local.dial(TcpAddress("127.0.0.1", listener.getsockname()[1])) as stream:
            assert stream.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
        port = listener.getsockname()[1]
    with pytest.raises(Missing, match=r"127.0.0.1:\d+: connection refused"):
        local.dial(TcpAddress("127.0.0.1", port))


def test_a_socket_that_is_not_there_is_missing(local: Local, tmp_path: Path) -> None:
    with pytest.raises(Missing, match="no such file or directory"):
        local.dial(UnixAddress(str(tmp_path / "nothing")))


@pytest.mark.skipif(os.geteuid() == 0, reason="root may open every socket")
def test_a_socket_of_others_is_denied(local: Local, tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(tmp_path / "s"))
        listener.listen()
        (tmp_path / "s").chmod(0)
        with pytest.raises(Denied, match="add yours to the socket's group"):
            local.dial(UnixAddress(str(tmp_path / "s")))


def _words(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError:
        return b""
