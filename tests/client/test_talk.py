"""One reply of a port of the test's own: heard, or refused with a reason, and a goodbye at the end."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress

import pytest

from mailtop.client.host import LiveHost
from mailtop.client.talk import reply
from mailtop.model.ask import Answer, Talk
from mailtop.model.errors import Garbled, Missing
from mailtop.transport.local import Local
from mailtop.transport.record import Recorder
from mailtop.transport.recording import Entry, Header, Recording
from mailtop.transport.replay import Player, Replay


class Service:
    """One port of this machine, for one client: says something, after it has heard so much, and hears the rest."""

    def __init__(self, says: bytes, hears: bytes = b"", stays: bool = True) -> None:
        self.heard = b""
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self._says, self._hears, self._stays = says, hears, stays
        self.thread = threading.Thread(target=self._serve, daemon=True)
        self.thread.start()

    def _serve(self) -> None:
        with suppress(OSError), self._listener.accept()[0] as near:
            near.settimeout(5.0)
            while len(self.heard) < len(self._hears):
                self.heard += near.recv(1)
            near.sendall(self._says)
            while self._stays and (octets := near.recv(100)):
                self.heard += octets
                if self.heard.endswith(b"QUIT\r\n"):
                    return

    def close(self) -> None:
        self._listener.close()


@pytest.fixture
def start() -> Iterator[Callable[..., Service]]:
    services: list[Service] = []

    def started(says: bytes, hears: bytes = b"", *, stays: bool = True) -> Service:
        services.append(Service(says, hears, stays))
        return services[-1]

    yield started
    for service in services:
        service.close()


def heard(service: Service, say: bytes = b"", bye: bytes = b"QUIT\r\n", timeout: float = 5.0) -> Answer:
    return reply(Local("mail1").dial, Talk("127.0.0.1", service.port, "", say, bye, timeout=timeout))


@pytest.mark.parametrize(
    "says", [b"220 mail ESMTP\r\n", b"220-wait\r\n220-still\r\n220 mail ESMTP\r\n", b"* OK ready\r\n", b"+OK\n", b"\n"]
)
def test_a_greeting_is_heard_to_its_end_and_parted_from_with_a_goodbye(
    says: bytes, start: Callable[..., Service]
) -> None:
    service = start(says)
    answer = heard(service)
    service.thread.join(5.0)

    assert answer.stdout == says
    assert 0.0 < answer.took < 5.0
    assert service.heard == b"QUIT\r\n"


def test_who_is_asked_replies_and_what_comes_behind_is_nobodys(start: Callable[..., Service]) -> None:
    service = start(b"HTTP/1.1 200 OK\r\nServer: x\r\n\r\nbody", b"GET / HTTP/1.1\r\n\r\n", stays=False)

    assert heard(service, b"GET / HTTP/1.1\r\n\r\n", b"").stdout == b"HTTP/1.1 200 OK\r\n"


@pytest.mark.parametrize(
    ("says", "stays", "reason"),
    [
        (b"", True, "silent for 0.2 s"),
        (b"220-not the end\r\n", True, "silent for 0.2 s"),
        (b"", False, "ended the connection"),
        (b"bye", False, "ended the connection after bye"),
        (b"x" * 10_000, True, "does not end its line: xxx"),
    ],
)
def test_no_whole_reply_is_the_services_own_trouble(
    says: bytes, stays: bool, reason: str, start: Callable[..., Service]
) -> None:
    with pytest.raises(Garbled, match=reason):
        heard(start(says, stays=stays), timeout=0.2)


def test_it_is_recorded_and_played_again(start: Callable[..., Service]) -> None:
    there, nobody = Talk("127.0.0.1", start(b"220 mail\r\n").port, bye=b"QUIT\r\n"), Talk("127.0.0.1", 1)
    entries: list[Entry] = []
    recorder = Recorder(LiveHost(Local("mail1"), docker=False), "mail1", entries.append, lambda: 100.0)
    recorder.connect()
    lived = recorder.ask("", there, "ports")
    with pytest.raises(Missing, match="refused"):
        recorder.ask("", nobody, "ports")
    recorder.close()

    played = Replay(Player(Recording(Header(1, "1.0", 100.0, "lab", ("mail1",)), tuple(entries))), "mail1")

    assert played.ask("", there, "ports") == lived
    with pytest.raises(Missing, match="refused"):
        played.ask("", nobody, "ports")
