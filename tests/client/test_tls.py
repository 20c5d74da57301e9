"""What a port serves over TLS, asked of real servers of the test's own: told, or refused with a reason."""

from __future__ import annotations

import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from mailtop.client.host import LiveHost
from mailtop.client.tls import served
from mailtop.model.ask import Answer, Tls
from mailtop.model.errors import AskFailed, CommandFailed, Garbled, Missing
from mailtop.parse import certificate
from mailtop.transport.local import Local
from mailtop.transport.record import Recorder
from mailtop.transport.recording import Entry, Header, Recording
from mailtop.transport.replay import Player, Replay

Before = Literal["", "smtp", "imap", "sieve"]


class Service:
    """One port of this machine; `before` is what it says before it shakes hands, by (what it hears, what it says)."""

    def __init__(self, folder: Path, *before: tuple[bytes, bytes], tls: bool = True, sni: str = "") -> None:
        self.heard = b""
        self._before = before
        self._context = served_by(folder, "mail.example.org") if tls else None
        self._other = served_by(folder, sni) if sni else None
        if self._context is not None:
            self._context.sni_callback = self._chosen
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def _chosen(self, talk: ssl.SSLObject, name: str, _: ssl.SSLContext) -> None:
        if self._other is not None and name:
            talk.context = self._other

    def _serve(self) -> None:
        with suppress(OSError), self._listener.accept()[0] as near:
            near.settimeout(5.0)
            for hears, says in self._before:
                while hears and not self.heard.endswith(hears):
                    if not (octet := near.recv(1)):
                        return
                    self.heard += octet
                near.sendall(says)
            if self._context is None:
                near.recv(1 << 16)  # until whoever asks has enough
                return
            with self._context.wrap_socket(near, server_side=True) as tls:
                while octets := tls.recv(1024):
                    self.heard += octets

    def end(self) -> None:
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)  # who still waits for somebody wakes
        self._listener.close()
        self._thread.join(5.0)


def served_by(folder: Path, name: str) -> ssl.SSLContext:
    key = ec.generate_private_key(ec.SECP256R1())
    called = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    own = (
        x509.CertificateBuilder()
        .subject_name(called)
        .issuer_name(called)
        .public_key(key.public_key())
        .serial_number(0xC0FFEE)
        .not_valid_before(datetime(2026, 1, 1, tzinfo=UTC))
        .not_valid_after(datetime(2026, 4, 1, tzinfo=UTC))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name), x509.DNSName("*.example.org")]), critical=False)
        .sign(key, hashes.SHA256())
    )
    file = folder / f"{name}.pem"
    pem = serialization.Encoding.PEM
    secret = key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    file.write_bytes(secret + own.public_bytes(pem))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(file)
    return context


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[..., Service]]:
    services: list[Service] = []

    def started(*before: tuple[bytes, bytes], tls: bool = True, sni: str = "") -> Service:
        services.append(Service(tmp_path, *before, tls=tls, sni=sni))
        return services[-1]

    yield started
    for one in services:
        one.end()


def asked(service: Service, before: Before = "", name: str = "", timeout: float = 5.0) -> Answer:
    return served(Local().dial, Tls("127.0.0.1", service.port, name, before, timeout))


SMTP = (
    (b"", b"220-mx1.example.org waits\r\n220 mx1.example.org ESMTP\r\n"),
    (b"EHLO mailtop.invalid\r\n", b"250-mx1.example.org\r\n250-STARTTLS\r\n250 SIZE 1000\r\n"),
    (b"STARTTLS\r\n", b"220 2.0.0 Ready to start TLS\r\n"),
)
IMAP = (
    (b"", b"* OK [CAPABILITY IMAP4rev1 STARTTLS] Dovecot ready.\r\n"),
    (b"a STARTTLS\r\n", b"a OK Begin TLS negotiation now.\r\n"),
)
SIEVE = (
    (b"", b'"IMPLEMENTATION" "Dovecot Pigeonhole"\r\n"SIEVE" "fileinto"\r\n"STARTTLS"\r\nOK "Dovecot ready."\r\n'),
    (b"STARTTLS\r\n", b'OK "Begin TLS negotiation now."\r\n'),
)


@pytest.mark.parametrize(
    ("before", "talk", "goodbye"),
    [("", (), b""), ("smtp", SMTP, b"QUIT\r\n"), ("imap", IMAP, b"b LOGOUT\r\n"), ("sieve", SIEVE, b"LOGOUT\r\n")],
)
def test_a_certificate_is_told_that_ended_long_ago_and_that_nobody_signed(
    start: Callable[..., Service], before: Before, talk: tuple[tuple[bytes, bytes], ...], goodbye: bytes
) -> None:
    service = start(*talk)

    found = certificate.read("mail", asked(service, before).ok("tls"))

    assert (found.names, found.issuer) == ((b"mail.example.org", b"*.example.org"), b"mail.example.org")
    assert (found.protocol, found.trust, found.serial) == ("TLSv1.3", "self-signed", "c0ffee")
    assert (found.begins, found.ends) == (1767225600.0, 1775001600.0)
    service.end()
    assert service.heard.endswith(goodbye)


def test_a_name_is_asked_for(start: Callable[..., Service]) -> None:
    one, other = start(sni="archive.example.org"), start(sni="archive.example.org")

    assert certificate.read("web", asked(one).stdout).names[0] == b"mail.example.org"
    assert certificate.read("web", asked(other, name="archive.example.org").stdout).names[0] == b"archive.example.org"


def test_a_live_host_dials_its_own_port(start: Callable[..., Service]) -> None:
    host = LiveHost(Local("mail1"), docker=False)
    host.connect()

    assert host.ask("", Tls("127.0.0.1", start().port)).stdout.startswith(b"TLSv1.3 ")

    host.close()


def test_it_is_recorded_and_played_again(start: Callable[..., Service]) -> None:
    there, nobody = start().port, 1
    entries: list[Entry] = []
    recorder = Recorder(LiveHost(Local("mail1"), docker=False), "mail1", entries.append, lambda: 100.0)
    recorder.connect()
    lived = recorder.ask("", Tls("127.0.0.1", there), "certificates")
    with pytest.raises(Missing, match="refused"):
        recorder.ask("", Tls("127.0.0.1", nobody), "certificates")
    recorder.close()

    player = Player(Recording(Header(1, "1.0", 100.0, "lab", ("mail1",)), tuple(entries)))
    played = Replay(player, "mail1")

    assert played.ask("", Tls("127.0.0.1", there), "certificates") == lived
    with pytest.raises(Missing, match="refused"):
        played.ask("", Tls("127.0.0.1", nobody), "certificates")


def refusal(service: Service, before: Before = "", name: str = "", timeout: float = 5.0) -> AskFailed:
    with pytest.raises(AskFailed) as raised:
        asked(service, before, name, timeout)
    return raised.value


@pytest.mark.parametrize(
    ("before", "talk", "reason"),
    [
        ("smtp", (*SMTP[:1], (b"EHLO mailtop.invalid\r\n", b"250-mx1\r\n250 SIZE\r\n")), "offers no STARTTLS"),
        ("smtp", ((b"", b"554 no service\r\n"),), "offers no TLS: 554 no service"),
        ("imap", (IMAP[0], (b"a STARTTLS\r\n", b"a BAD unknown\r\n")), "offers no TLS: a BAD unknown"),
        ("sieve", ((b"", b'"SIEVE" "fileinto"\r\nOK "ready"\r\n'),), "offers no STARTTLS"),
    ],
)
def test_who_offers_no_tls_says_so(
    start: Callable[..., Service], before: Before, talk: tuple[tuple[bytes, bytes], ...], reason: str
) -> None:
    error = refusal(start(*talk, tls=False), before)

    assert (type(error), error.reason) == (CommandFailed, reason)


@pytest.mark.parametrize(
    ("before", "talk", "reason"),
    [
        ("smtp", ((b"", b"\x1b[31m" * 4000),), "does not speak its protocol: \\x1b"),
        ("smtp", ((b"", b"220 a\r\n" + b"220 b\r\n"),), "says more than it was asked, before TLS"),
        ("imap", (IMAP[0], (b"a STARTTLS\r\n", IMAP[1][1] + b"b OK injected\r\n")), "says more than it was asked"),
        ("", ((b"", b"220 this is no TLS\r\n"),), "no handshake: wrong version number"),
    ],
)
def test_what_breaks_the_protocol_is_garbled(
    start: Callable[..., Service], before: Before, talk: tuple[tuple[bytes, bytes], ...], reason: str
) -> None:
    error = refusal(start(*talk, tls=False), before)

    assert type(error) is Garbled
    assert error.reason.startswith(reason)


@pytest.mark.parametrize(("before", "reason"), [("smtp", "silent for 0 s"), ("", "no handshake within 0.2 s")])
def test_a_service_that_is_silent_is_not_waited_for(start: Callable[..., Service], before: Before, reason: str) -> None:
    error = refusal(start((b"never", b""), tls=False), before, timeout=0.2)

    assert (type(error), error.reason) == (Garbled, reason)


@pytest.mark.parametrize(("before", "reason"), [("imap", "ended the connection"), ("", "no handshake: ")])
def test_a_service_that_hangs_up_is_not_a_lost_host(tmp_path: Path, before: Before, reason: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        hung_up = threading.Thread(target=lambda: listener.accept()[0].close())
        hung_up.start()
        with pytest.raises(Garbled, match=reason):
            served(Local().dial, Tls("127.0.0.1", listener.getsockname()[1], "", before))
        hung_up.join()


def test_a_port_that_nobody_listens_on_is_missing() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]

    with pytest.raises(Missing, match="connection refused"):
        served(Local().dial, Tls("127.0.0.1", port))


def test_a_name_that_cannot_be_asked_for_is_no_traceback(start: Callable[..., Service]) -> None:
    assert isinstance(refusal(start(), name=f"{'a' * 64}.example.org"), Garbled)
