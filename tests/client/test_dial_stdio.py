"""A program as a socket: both ends are freed when either is over, whatever the program does."""

from __future__ import annotations

import socket
import threading

import pytest

from mailtop.client.dial_stdio import DialStdio
from mailtop.model.errors import LinkLost, TimedOut


class Deaf:
    """A program that says nothing, and does not mind the end of its stdin."""

    def __init__(self) -> None:
        self.heard = b""
        self.told = threading.Event()
        self.closed = threading.Event()
        self.looks = threading.Semaphore(0)

    def send(self, octets: bytes, timeout: float) -> None:
        self.heard += octets

    def end_of_input(self) -> None:
        self.told.set()

    def read(self, timeout: float) -> tuple[bytes, bytes]:
        if self.closed.wait(timeout):
            raise LinkLost("deaf", "closed")
        self.looks.release()
        raise TimedOut("deaf", "nothing came")

    def exit_status(self, timeout: float) -> int:
        return 0

    def close(self) -> None:
        self.closed.set()


@pytest.fixture
def deaf() -> Deaf:
    return Deaf()


def test_a_program_that_does_not_end_is_ended_when_nobody_wants_it(deaf: Deaf) -> None:
    ended = threading.Semaphore(0)
    dialled = DialStdio(deaf, ended, patience=0.02)
    dialled.near.sendall(b"GET")
    dialled.near.close()
    assert ended.acquire(timeout=5)
    assert (deaf.heard, deaf.closed.is_set()) == (b"GET", True)


def test_who_has_said_all_may_still_wait_for_the_answer(deaf: Deaf) -> None:
    ended = threading.Semaphore(0)
    dialled = DialStdio(deaf, ended, patience=0.02)
    dialled.near.shutdown(socket.SHUT_WR)
    assert deaf.told.wait(5)
    for _ in range(3):
        assert deaf.looks.acquire(timeout=5)
    assert not deaf.closed.is_set()
    dialled.near.close()
    assert ended.acquire(timeout=5)
