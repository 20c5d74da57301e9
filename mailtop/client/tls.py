"""What a port serves over TLS: its chain as it is, whoever signed it, over a socket that is dialled for it.

| `starttls` | before the handshake                                    | source           |
|------------|---------------------------------------------------------|------------------|
| smtp       | 220, `EHLO`, 250 with `STARTTLS`, `STARTTLS`, 220        | RFC 3207         |
| imap       | `* OK`, `a STARTTLS`, `a OK`                             | RFC 3501, 6.2.1  |
| sieve      | capabilities and `OK`, `STARTTLS`, `OK`                  | RFC 5804, 2.2    |

A service that is silent, or ends the connection, is its own trouble and not the host's: so that is Garbled, and
neither TimedOut nor LinkLost, from which the engine would judge the whole connection.
"""

from __future__ import annotations

import re
import socket
import ssl
from collections.abc import Callable
from contextlib import suppress
from functools import cache
from typing import Any

from mailtop.model.ask import Answer, Tls
from mailtop.model.errors import CommandFailed, Garbled
from mailtop.model.text import Foreign
from mailtop.transport import Address, TcpAddress
from mailtop.transport.deadline import Deadline

LIMIT = 16 << 10  # octets that a service may say before the handshake

_SMTP = re.compile(rb"(?:\d{3}-[^\n]*\n)*(\d{3})(?:[ \r][^\n]*)?\n")
_IMAP_GREETING = re.compile(rb"\* (OK|PREAUTH|BYE)[^\n]*\n")
_IMAP_ANSWER = re.compile(rb"(?:\*[^\n]*\n)*a (OK|NO|BAD)[^\n]*\n")
_SIEVE = re.compile(rb'(?i)(?:"[^\n]*\n)*(OK|NO|BYE)[^\n]*\n')
_GOODBYE = {"smtp": b"QUIT\r\n", "imap": b"b LOGOUT\r\n", "sieve": b"LOGOUT\r\n"}  # else the service logs a lost client


def served(dial: Callable[[Address, float], socket.socket], ask: Tls) -> Answer:
    """Return `PROTOCOL CIPHER CHAIN` on a line, where CHAIN is a word or two on who trusts it, then the chain in PEM.

    Raises what `dial` does (Missing where nothing listens), CommandFailed where no TLS is offered, Garbled where the
    service is silent, speaks something else, or no handshake succeeds.
    """
    deadline, thing = Deadline(ask.timeout), f"{ask.host}:{ask.port}"
    try:
        ask.name.encode("idna")  # Python leaks a socket where this fails in its own hands
    except UnicodeError as error:
        raise Garbled(thing, "not a name that TLS can ask for") from error
    sock = dial(TcpAddress(ask.host, ask.port), ask.timeout)
    try:
        if ask.starttls:
            _starttls(_Dialogue(sock, deadline, thing), ask.starttls)
        sock.settimeout(max(deadline.left(), 0.01))
        tls = anybody().wrap_socket(sock, server_hostname=ask.name or None, do_handshake_on_connect=False)
        sock = tls
        tls.do_handshake()
        chain = _chain(tls)
        protocol, cipher = tls.version() or "", (tls.cipher() or ("",))[0]
        with suppress(OSError):  # all is known already
            tls.sendall(_GOODBYE.get(ask.starttls, b""))
            tls.unwrap()
    except TimeoutError as error:
        raise Garbled(thing, f"no handshake within {ask.timeout:g} s") from error
    except ssl.SSLError as error:
        raise Garbled(thing, f"no handshake: {(error.reason or 'failed').lower().replace('_', ' ')}") from error
    except OSError as error:
        raise Garbled(thing, f"no handshake: {(error.strerror or str(error)).lower()}") from error
    finally:
        sock.close()
    head = f"{protocol} {cipher} {_trust(chain)}\n"
    return Answer((head + "".join(map(ssl.DER_cert_to_PEM_cert, chain))).encode("ascii"), took=deadline.took())


class _Dialogue:
    """Lines before the handshake, so many octets and seconds in all."""

    def __init__(self, sock: socket.socket, deadline: Deadline, thing: str) -> None:
        self._sock = sock
        self._deadline = deadline
        self._thing = thing
        self._heard = 0

    def told(self, grammar: re.Pattern[bytes], good: bytes, say: bytes = b"") -> bytes:
        """Say a line, if any; return the whole answer, whose first group must be `good`."""
        said = b""
        try:
            if say:
                self._sock.settimeout(max(self._deadline.left(), 0.01))
                self._sock.sendall(say)
            while (answer := grammar.match(said)) is None:
                said += self._more(said)
        except TimeoutError as error:
            raise Garbled(self._thing, f"silent for {self._deadline.took():.0f} s") from error
        except OSError as error:
            raise Garbled(self._thing, (error.strerror or str(error)).lower()) from error
        if answer.end() != len(said):
            raise Garbled(self._thing, "says more than it was asked, before TLS")
        if answer[1].upper() != good:
            raise CommandFailed(self._thing, Foreign(b"offers no TLS: " + said.splitlines()[-1][:100]))
        return said

    def refuse(self) -> CommandFailed:
        """It lists what it can, and STARTTLS is not among that."""
        return CommandFailed(self._thing, "offers no STARTTLS")

    def _more(self, said: bytes) -> bytes:
        self._sock.settimeout(max(self._deadline.left(), 0.01))
        octets = self._sock.recv(4096)
        self._heard += len(octets)
        if not octets:
            raise Garbled(self._thing, "ended the connection")
        if self._heard > LIMIT:
            raise Garbled(self._thing, Foreign(b"does not speak its protocol: " + said[:60]))
        return octets


def _starttls(dialogue: _Dialogue, protocol: str) -> None:
    if protocol == "smtp":
        dialogue.told(_SMTP, b"220")
        if not re.search(rb"(?im)^250[ -]STARTTLS\b", dialogue.told(_SMTP, b"250", b"EHLO mailtop.invalid\r\n")):
            raise dialogue.refuse()
        dialogue.told(_SMTP, b"220", b"STARTTLS\r\n")
    elif protocol == "imap":
        dialogue.told(_IMAP_GREETING, b"OK")
        dialogue.told(_IMAP_ANSWER, b"OK", b"a STARTTLS\r\n")
    else:
        if b'"STARTTLS"' not in dialogue.told(_SIEVE, b"OK").upper():
            raise dialogue.refuse()
        dialogue.told(_SIEVE, b"OK", b"STARTTLS\r\n")


def anybody() -> ssl.SSLContext:
    """Refuses nothing, however old or weak: it is to be told, not trusted; nothing secret is ever sent."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    context.minimum_version = ssl.TLSVersion.MINIMUM_SUPPORTED
    context.set_ciphers("DEFAULT:!aNULL:@SECLEVEL=0")
    return context


def _chain(tls: ssl.SSLSocket) -> list[bytes]:
    """The certificates that were sent, as DER, the service's own first. Python tells them openly from 3.13 on."""
    inside: Any = tls
    if hasattr(inside, "get_unverified_chain"):
        return list(inside.get_unverified_chain())
    sent = inside._sslobj.get_unverified_chain() or ()  # noqa: SLF001
    return [ssl.PEM_cert_to_DER_cert(one.public_bytes()) for one in sent]


def _trust(chain: list[bytes]) -> str:
    """Who trusts this: this machine's authorities (`trusted`), nobody (`self-signed`), or others (`untrusted`)."""
    from cryptography import x509
    from cryptography.x509.verification import PolicyBuilder, Store, VerificationError

    try:
        own, *others = sent = [x509.load_der_x509_certificate(one) for one in chain]
        if own.issuer == own.subject:
            return "self-signed"
        names = own.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        name = names.get_values_for_type(x509.DNSName)[0]
        issuers = [one.issuer.public_bytes() for one in sent]
        issuing = (one for one in _authorities() if any(issuer in one for issuer in issuers))  # others need no look
        builder = PolicyBuilder().store(Store([x509.load_der_x509_certificate(one) for one in issuing]))
        builder.build_server_verifier(x509.DNSName(name.replace("*", "any", 1))).verify(own, others)
    except (ValueError, IndexError, VerificationError, x509.ExtensionNotFound, x509.DuplicateExtension):
        return "untrusted"
    return "trusted"


@cache
def _authorities() -> tuple[bytes, ...]:
    """What this machine trusts, as DER; none where it has no list. To read it takes longer than a handshake."""
    return tuple(ssl.create_default_context().get_ca_certs(binary_form=True))
