"""The socket under SSH, which waits for no one for ever."""

from __future__ import annotations

import socket

import pytest

from mailtop.transport.watched import WatchedSocket


def test_a_side_that_takes_nothing_ends_the_connection() -> None:
    plain, far = socket.socketpair()
    with WatchedSocket(plain, patience=0.1) as near, far:
        near.settimeout(0.1)
        with pytest.raises(OSError, match="the host takes nothing any more"):
            _send_all(near, bytes(16 << 20))
        with pytest.raises(BrokenPipeError):
            near.send(b"!")


def test_a_side_that_says_nothing_is_at_its_end() -> None:
    plain, far = socket.socketpair()
    with WatchedSocket(plain, patience=1) as near, far:
        near.settimeout(0.1)
        far.sendall(b"SSH-2.0")
        assert near.recv(100) == b"SSH-2.0"
        with pytest.raises(TimeoutError):
            near.recv(100)
        near.silence = 0.1
        assert near.recv(100) == b""
        assert far.recv(100) == b""


def test_tcp_is_sent_without_delay() -> None:
    with (
        socket.create_server(("127.0.0.1", 0)) as listener,
        WatchedSocket(socket.create_connection(listener.getsockname()), 1) as near,
    ):
        assert near.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)


def _send_all(near: WatchedSocket, octets: bytes) -> None:
    while octets:
        octets = octets[near.send(octets) :]
