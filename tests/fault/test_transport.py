"""The transport that misbehaves does so, and only so."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from mailtop.model.errors import Denied, LinkLost, TimedOut
from mailtop.transport import Channel, TcpAddress, Transport
from mailtop.transport.local import Local
from tests.fault.transport import Cut, Delay, Drip, Fault, Garble, HalfClose, Misbehaving, Refuse, Stall


@contextmanager
def host(*script: Fault | None) -> Iterator[Misbehaving]:
    host = Misbehaving(Local(), script)
    yield host
    host.close()


def all_of(channel: Channel) -> bytes:
    said = b""
    while True:
        stdout, stderr = channel.read(5)
        if not (stdout or stderr):
            return said
        said += stdout


def test_without_a_fault_all_goes_through() -> None:
    with host() as mail1:
        assert all_of(mail1.open("echo PONG")) == b"PONG\n"
        assert mail1.opened == ["echo PONG"]


def test_a_stall_lets_so_many_bytes_through_and_then_times_out() -> None:
    with host(Stall(after=2)) as mail1:
        channel = mail1.open("echo PONG")
        assert channel.read(5) == (b"PO", b"")
        with pytest.raises(TimedOut):
            channel.read(0.01)


def test_closing_wakes_who_waits_on_a_stall() -> None:
    with host(Stall()) as mail1:
        channel = mail1.open("echo PONG")
        closer = threading.Timer(0.05, channel.close)
        closer.start()
        with pytest.raises(LinkLost):
            channel.read(30)
        closer.join()


def test_a_cut_is_a_lost_link() -> None:
    with host(Cut(after=3)) as mail1:
        channel = mail1.open("echo PONG")
        assert channel.read(5) == (b"PON", b"")
        with pytest.raises(LinkLost):
            channel.read(5)


def test_a_half_close_ends_the_answer_early() -> None:
    with host(HalfClose(after=3)) as mail1:
        assert all_of(mail1.open("echo PONG")) == b"PON"


def test_junk_is_put_in_once() -> None:
    with host(Garble(after=4, junk=b"#")) as mail1:
        assert all_of(mail1.open("echo PONG; echo PONG")) == b"PONG#\nPONG\n"


def test_a_drip_gives_every_byte_alone() -> None:
    with host(Drip()) as mail1:
        channel = mail1.open("echo PONG")
        assert [channel.read(5)[0] for _ in range(5)] == [b"P", b"O", b"N", b"G", b"\n"]


def test_a_delay_changes_no_byte() -> None:
    with host(Delay(0.01)) as mail1:
        assert all_of(mail1.open("echo PONG")) == b"PONG\n"


def test_a_refusal_is_raised_once() -> None:
    with host(Refuse(Denied("docker.sock", "permission denied"))) as mail1:
        with pytest.raises(Denied):
            mail1.open("echo PONG")
        assert all_of(mail1.open("echo PONG")) == b"PONG\n"


@contextmanager
def clamd() -> Iterator[TcpAddress]:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        host, port = listener.getsockname()
        thread = threading.Thread(target=_answer, args=(listener,))
        thread.start()
        yield TcpAddress(host, port)
        listener.shutdown(socket.SHUT_RDWR)
        thread.join()


def _answer(listener: socket.socket) -> None:
    while True:
        try:
            stream = listener.accept()[0]
        except OSError:
            return
        with stream:
            stream.recv(100)
            stream.sendall(b"PONG\n")


@pytest.mark.parametrize(
    ("fault", "answer"),
    [
        (None, b"PONG\n"),
        (Drip(), b"PONG\n"),
        (Delay(0.01), b"PONG\n"),
        (Cut(after=2), b"PO"),
        (HalfClose(after=2), b"PO"),
        (Garble(after=2, junk=b"#"), b"PO#NG\n"),
    ],
)
def test_a_dialled_socket_is_spoilt_in_the_same_ways(fault: Fault | None, answer: bytes) -> None:
    with host(fault) as mail1, clamd() as address, mail1.dial(address, 5) as stream:
        stream.sendall(b"PING\n")
        assert b"".join(iter(lambda: stream.recv(100), b"")) == answer


def test_a_dialled_socket_that_stalls_times_out() -> None:
    with host(Stall(after=2)) as mail1, clamd() as address, mail1.dial(address, 5) as stream:
        stream.sendall(b"PING\n")
        assert stream.recv(100) == b"PO"
        stream.settimeout(0.01)
        with pytest.raises(TimeoutError):
            stream.recv(100)


def test_it_is_a_transport() -> None:
    transport: Transport = Misbehaving(Local("mail1"))
    assert transport.name == "mail1"
