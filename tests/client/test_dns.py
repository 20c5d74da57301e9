"""Questions to a resolver over TCP, asked of one of the test's own: told, or refused with a reason."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress

import pytest
from dns.message import Message, from_wire, make_response
from dns.rcode import SERVFAIL
from dns.rrset import from_text

from mailtop.client import dns
from mailtop.client.host import LiveHost
from mailtop.model.ask import Answer, Dns
from mailtop.model.errors import Garbled, Missing
from mailtop.transport import Address
from mailtop.transport.local import Local
from mailtop.transport.record import Recorder
from mailtop.transport.recording import Entry, Header, Recording
from mailtop.transport.replay import Player, Replay

Said = Callable[[Message], bytes]


class Resolver:
    """One port of this machine, where each question is answered as a test says."""

    def __init__(self) -> None:
        self.says: Said = lambda query: framed(make_response(query))
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        threading.Thread(target=self._serve, daemon=True).start()

    def dial(self, address: Address, timeout: float) -> socket.socket:
        """As a transport does, whatever the port: 53 is not a test's to listen on."""
        return socket.create_connection(("127.0.0.1", self.port), timeout)

    def end(self) -> None:
        self._listener.close()

    def _serve(self) -> None:
        with suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                with client:
                    length = int.from_bytes(client.recv(2), "big")
                    client.sendall(self.says(from_wire(client.recv(length))))
                    client.shutdown(socket.SHUT_WR)
                    client.recv(1)


def framed(message: Message) -> bytes:
    octets = message.to_wire()
    return len(octets).to_bytes(2, "big") + octets


@pytest.fixture
def resolver() -> Iterator[Resolver]:
    one = Resolver()
    yield one
    one.end()


def asked(resolver: Resolver, name: str = "example.org", kind: str = "TXT", timeout: float = 5.0) -> Answer:
    return dns.looked_up(resolver.dial, Dns(name, kind, "127.0.0.1", timeout))


def test_the_records_of_the_kind_that_was_asked_for_are_told_behind_an_alias_too(resolver: Resolver) -> None:
    def says(query: Message) -> bytes:
        response = make_response(query)
        response.answer.append(from_text("example.org.", 60, "IN", "CNAME", "other.test."))
        response.answer.append(from_text("other.test.", 60, "IN", "TXT", '"v=spf1 mx" " -all"', '"\\001\\255"'))
        return framed(response)

    resolver.says = says

    assert asked(resolver).stdout == b'NOERROR 127.0.0.1\n"\\001\\255"\n"v=spf1 mx" " -all"\n'


def test_an_error_is_an_answer(resolver: Resolver) -> None:
    def says(query: Message) -> bytes:
        response = make_response(query)
        response.set_rcode(SERVFAIL)
        return framed(response)

    resolver.says = says

    assert asked(resolver).stdout == b"SERVFAIL 127.0.0.1\n"


@pytest.mark.parametrize(
    ("octets", "reason"),
    [
        (b"", "ended"),
        (b"\0\x40short", "ended"),
        (b"\0\x05hello", "not DNS"),
        (b"\0\x0c" + b"\xff" * 12, "not DNS"),
    ],
)
def test_what_is_no_answer_is_told_so(resolver: Resolver, octets: bytes, reason: str) -> None:
    resolver.says = lambda query: octets

    with pytest.raises(Garbled, match=reason):
        asked(resolver)


def test_an_answer_to_another_question_is_none(resolver: Resolver) -> None:
    def says(query: Message) -> bytes:
        response = make_response(query)
        response.id ^= 1
        return framed(response)

    resolver.says = says

    with pytest.raises(Garbled, match="not DNS"):
        asked(resolver)


def test_a_silent_one_is_its_own_trouble_and_not_the_connection_s() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]

        with pytest.raises(Garbled, match="no answer within"):
            dns.looked_up(
                lambda address, timeout: socket.create_connection(("127.0.0.1", port), timeout),
                Dns("example.org", "MX", "127.0.0.1", 0.1),
            )


@pytest.mark.parametrize(("name", "kind"), [("a..b", "A"), ("x" * 64 + ".test", "A"), ("example.org", "NOTHING")])
def test_what_cannot_be_asked_is_refused_without_a_connection(name: str, kind: str) -> None:
    with pytest.raises(Garbled, match="no question"):
        dns.looked_up(Local().dial, Dns(name, kind, "127.0.0.1"))


def test_a_resolver_that_does_not_listen_is_recorded_and_played_again() -> None:
    entries: list[Entry] = []
    recorder = Recorder(LiveHost(Local("mail1"), docker=False), "mail1", entries.append, lambda: 100.0)
    recorder.connect()
    ask = Dns("example.org", "MX", "127.255.255.255")
    with pytest.raises(Garbled) as lived:
        recorder.ask("", ask, "dns")
    recorder.close()

    player = Player(Recording(Header(1, "1.0", 100.0, "lab", ("mail1",)), tuple(entries)))

    with pytest.raises(Garbled) as played:
        Replay(player, "mail1").ask("", ask, "dns")
    assert played.value.reason == lived.value.reason


def test_an_answer_is_recorded_and_played_again(resolver: Resolver) -> None:
    class Host(LiveHost):
        def ask(self, container: str, ask: object, by: str = "") -> Answer:
            assert isinstance(ask, Dns)
            return dns.looked_up(resolver.dial, ask)

    entries: list[Entry] = []
    recorder = Recorder(Host(Local("mail1"), docker=False), "mail1", entries.append, lambda: 100.0)
    recorder.connect()
    ask = Dns("example.org", "MX", "127.0.0.1")
    lived = recorder.ask("", ask, "dns")
    recorder.close()

    player = Player(Recording(Header(1, "1.0", 100.0, "lab", ("mail1",)), tuple(entries)))

    assert Replay(player, "mail1").ask("", ask, "dns") == lived


def test_a_host_without_a_nameserver_says_what_to_set() -> None:
    with pytest.raises(Missing, match="set resolver"):
        dns.nameserver(b"search example.org\nnameserver nonsense\n")
