"""How many sessions a host opens at once, found out by its refusals."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from mailtop.client.sessions import Sessions
from mailtop.model.errors import LinkLost, NoSession


class Opened:
    """A session, as far as it is counted."""

    def send(self, octets: bytes, timeout: float) -> None:
        raise LinkLost("opened", "not to be used")

    def end_of_input(self) -> None:
        raise LinkLost("opened", "not to be used")

    def read(self, timeout: float) -> tuple[bytes, bytes]:
        return b"", b""

    def exit_status(self, timeout: float) -> int:
        return 0

    def close(self) -> None:
        """Nothing to end."""


class Strict:
    """An sshd that opens `most` sessions, and answers `slow` requests only when `go_on` is set."""

    def __init__(self, most: int, slow: int = 0) -> None:
        self.left, self.slow = most, slow
        self.go_on, self.asked = threading.Event(), threading.Semaphore(0)
        self._lock = threading.Lock()

    def open(self, command: str) -> Opened:
        with self._lock:
            granted, self.left = self.left > 0, self.left - 1
            slow, self.slow = self.slow > 0, self.slow - 1
        self.asked.release()
        if slow:
            assert self.go_on.wait(5)
        if not granted:
            raise NoSession("mail1", "no further session")
        return Opened()


def test_sessions_that_are_just_being_opened_count_when_one_more_is_refused() -> None:
    sshd = Strict(most=2, slow=2)
    sessions = Sessions(sshd.open, lambda: False)
    with ThreadPoolExecutor(2) as threads:
        both = [threads.submit(sessions.open, "sh") for _ in range(2)]
        for _ in both:
            assert sshd.asked.acquire(timeout=5)
        with pytest.raises(NoSession):
            sessions.open("sh")
        sshd.go_on.set()
    assert all(one.exception() is None for one in both)
    assert sessions.limit == 2


def test_of_those_that_are_refused_together_none_counts() -> None:
    sshd = Strict(most=1, slow=2)
    sessions = Sessions(sshd.open, lambda: False)
    with ThreadPoolExecutor(2) as threads:
        both = [threads.submit(sessions.open, "sh") for _ in range(2)]
        for _ in both:
            assert sshd.asked.acquire(timeout=5)
        sshd.go_on.set()
    assert sum(isinstance(one.exception(), NoSession) for one in both) == 1
    with pytest.raises(NoSession):
        sessions.open("sh")
    assert sessions.limit == 1


def test_a_session_that_has_ended_counts_no_more() -> None:
    sshd = Strict(most=2)
    sessions = Sessions(sshd.open, lambda: False)
    channel = sessions.open("sh")
    channel.close()
    channel.close()
    sessions.open("sh")
    with pytest.raises(NoSession):
        sessions.open("sh")
    assert sessions.limit == 1
