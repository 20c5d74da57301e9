"""An agent that is slow or speaks nonsense: each call ends in time, and no answer is taken for another's."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from mailtop.transport.ssh.agent import Agent

SIGNATURE = b"\x0e\0\0\0\3one"


@pytest.fixture
def agent(tmp_path: Path) -> Iterator[Callable[[float], tuple[Agent, socket.socket]]]:
    """`agent(timeout)`: one, and the socket that answers for it."""
    opened: list[Agent | socket.socket] = []
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(tmp_path / "agent"))
        listener.listen()

        def connected(timeout: float) -> tuple[Agent, socket.socket]:
            ours = Agent(str(tmp_path / "agent"), timeout)
            theirs = listener.accept()[0]
            opened.extend((ours, theirs))
            return ours, theirs

        yield connected
        for one in opened:
            one.close()


def test_a_late_signature_is_not_taken_for_the_next_one(agent: Callable[..., tuple[Agent, socket.socket]]) -> None:
    ours, theirs = agent(0.05)
    with pytest.raises(OSError, match="timed out"):
        ours.sign(b"key", b"first", "ssh-ed25519")
    with pytest.raises(OSError):
        theirs.sendall(len(SIGNATURE).to_bytes(4, "big") + SIGNATURE)
        ours.sign(b"key", b"second", "ssh-ed25519")


@pytest.mark.parametrize(
    "answer",
    [
        b"\0\0\0\0",
        b"\xff\xff\xff\xff",
        b"\0\0\0\1\5",
        b"\0\0\0\5\x0c\xff\xff\xff\xff",
        b"\0\0\0\x09\x0c\0\0\0\1\0\0\1\0",
        b"\0\0",
    ],
)
def test_nonsense_is_refused_in_a_word(agent: Callable[..., tuple[Agent, socket.socket]], answer: bytes) -> None:
    ours, theirs = agent(5.0)

    def answered() -> None:
        theirs.recv(1 << 10)
        theirs.sendall(answer)
        theirs.shutdown(socket.SHUT_RDWR)

    answering = threading.Thread(target=answered)
    answering.start()
    with pytest.raises(OSError, match=r"."):
        ours.identities()
    answering.join()
