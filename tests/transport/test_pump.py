"""The pump between streams and sockets: order, back-pressure, half-closes, ends."""

from __future__ import annotations

import os
import socket
import threading
from collections.abc import Callable, Iterator

import pytest

from mailtop.model.errors import LinkLost
from mailtop.transport.pump import PIECE, Pump


class Pieces:
    """A Stream that says what it is told, and keeps what it is given while it has room."""

    def __init__(self, says: bytes = b"", room: int = 1 << 30, ends: bool = True) -> None:
        self.says, self.room, self.ends = says, room, ends
        self.taken = 0
        self.given = bytearray()
        self.ended, self.closed = threading.Event(), threading.Event()
        self.broken = False
        self.news: Callable[[], None] = lambda: None

    def listen(self, news: Callable[[], None]) -> None:
        self.news = news

    def take(self) -> bytes | None:
        if self.broken:
            raise LinkLost("mail1", "the connection ended")
        piece = self.says[self.taken : self.taken + PIECE]
        self.taken += len(piece)
        return piece if piece or self.ends else None

    def give(self, octets: memoryview) -> int:
        taken = min(self.room - len(self.given), len(octets))
        self.given += octets[:taken]
        return taken

    def end(self) -> None:
        self.ended.set()

    def close(self) -> None:
        self.closed.set()


@pytest.fixture
def pump() -> Iterator[Pump]:
    pump = Pump("mail1")
    yield pump
    pump.close()
    assert not [thread for thread in threading.enumerate() if thread.name == "pump mail1"]


def test_all_arrives_in_order_both_ways(pump: Pump) -> None:
    there, back = os.urandom(3_000_000), os.urandom(3_000_000)
    stream = Pieces(back)
    with pump.carry(stream) as near:
        sender = threading.Thread(target=_send, args=(near, there))
        sender.start()
        assert _all(near) == back
        sender.join()
        assert stream.ended.wait(10)
    assert stream.closed.wait(10)
    assert stream.given == there


def test_a_slow_reader_holds_the_stream_back(pump: Pump) -> None:
    stream = Pieces(bytes(50 << 20))
    with pump.carry(stream) as near:
        near.settimeout(10)
        assert near.recv(1)
        other = Pieces(b"PONG")
        with pump.carry(other) as second:
            assert _all(second) == b"PONG"  # and delays no other meanwhile
        assert stream.taken < 2 << 20


def test_a_full_stream_holds_the_writer_back_and_goes_on_later(pump: Pump) -> None:
    stream = Pieces(ends=False, room=1000)
    with pump.carry(stream) as near:
        near.settimeout(0.2)
        with pytest.raises(TimeoutError):
            near.sendall(bytes(10 << 20))
        assert len(stream.given) == 1000
        stream.room = 1 << 30
        near.settimeout(10)
        near.sendall(b"!")
        near.shutdown(socket.SHUT_WR)
        assert stream.ended.wait(10)
        assert stream.given[-1:] == b"!"


def test_the_streams_end_leaves_the_other_way_open(pump: Pump) -> None:
    stream = Pieces(b"bye")
    with pump.carry(stream) as near:
        assert _all(near) == b"bye"
        near.sendall(b"still here")
        near.shutdown(socket.SHUT_WR)
        assert stream.closed.wait(10)
    assert stream.given == b"still here"


def test_closing_the_socket_closes_the_stream_after_what_was_sent(pump: Pump) -> None:
    stream = Pieces(ends=False)
    near = pump.carry(stream)
    near.sendall(b"QUIT\r\n")
    near.close()
    assert stream.closed.wait(10)
    assert stream.given == b"QUIT\r\n"


def test_closing_the_socket_of_a_talkative_stream_closes_it(pump: Pump) -> None:
    stream = Pieces(bytes(50 << 20))
    near = pump.carry(stream)
    near.recv(1)
    near.close()
    assert stream.closed.wait(10)


def test_a_lost_connection_ends_the_socket(pump: Pump) -> None:
    stream = Pieces(ends=False)
    with pump.carry(stream) as near:
        near.settimeout(10)
        stream.broken = True
        stream.news()
        assert near.recv(10) == b""
    assert stream.closed.wait(10)


def test_a_closed_pump_ends_all_and_can_be_used_again(pump: Pump) -> None:
    stream = Pieces(ends=False)
    with pump.carry(stream) as near:
        near.settimeout(10)
        pump.close()
        assert near.recv(10) == b""
    assert stream.closed.is_set()
    with pump.carry(Pieces(b"PONG")) as near:
        assert _all(near) == b"PONG"


def _send(near: socket.socket, message: bytes) -> None:
    near.sendall(message)
    near.shutdown(socket.SHUT_WR)


def _all(near: socket.socket) -> bytes:
    near.settimeout(10)
    return b"".join(iter(lambda: near.recv(1 << 16), b""))
