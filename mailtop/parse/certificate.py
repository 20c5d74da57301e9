"""A certificate, as it is served or lies on a disk: who it is for, from when to when, who signed it.

Format: the answer to `model.ask.Tls`; PEM, RFC 7468; X.509, RFC 5280.
"""

from __future__ import annotations

import re
from contextlib import suppress
from typing import TYPE_CHECKING

from msgspec import Struct
from msgspec.structs import replace

from mailtop.model.errors import ParseError
from mailtop.model.text import Foreign, shown

if TYPE_CHECKING:
    from cryptography import x509

_HEAD = re.compile(rb"(TLS\S{0,12}|SSL\S{0,12}) (\S{1,60}) (trusted|untrusted|self-signed)\n")
_PEM = re.compile(rb"-----BEGIN CERTIFICATE-----.{1,65536}?-----END CERTIFICATE-----", re.DOTALL)
_NAME = re.compile(rb"(?:[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9])?\.)+[a-z0-9-]{2,63}")


class Certificate(Struct, frozen=True):
    """`begins`, `ends`: seconds since the epoch. `names`: DNS names and addresses, else the subject's.

    `serial`, `fingerprint` (SHA-256): hexadecimal. Where it is served: `protocol` is TLSv1.3 …, `trust` is trusted,
    untrusted or self-signed.
    """

    names: tuple[Foreign, ...]
    begins: float
    ends: float
    issuer: Foreign
    serial: str
    fingerprint: str
    protocol: str = ""
    cipher: str = ""
    trust: str = ""

    def left(self, now: float) -> float:
        """How much of its life is left: 1.0 on its first day, 0.0 at its end, and before it begins.

        >>> served = Certificate((), 100.0, 200.0, Foreign(b""), "", "")
        >>> [served.left(now) for now in (99.0, 100.0, 175.0, 200.0, 999.0)]
        [0.0, 1.0, 0.25, 0.0, 0.0]
        """
        if not self.begins <= now < self.ends:
            return 0.0
        return (self.ends - now) / (self.ends - self.begins)

    @property
    def askable(self) -> tuple[str, ...]:
        """Its names that can be asked for by SNI: no wildcards, no addresses."""
        return tuple(name.decode("ascii") for name in self.names if _NAME.fullmatch(name))

    def renewed_as(self, other: Certificate) -> bool:
        """Is the other one for the same names, and newer?"""
        return other.begins > self.begins and frozenset(other.names) == frozenset(self.names)


def read(thing: str, octets: bytes) -> Certificate:
    """Read the service's own certificate of an answer; raises ParseError."""
    head = _HEAD.match(octets)
    if head is None:
        raise ParseError(thing, f"no answer of a handshake: {shown(Foreign(octets), 60)!r}")
    protocol, cipher, trust = (word.decode("ascii", "replace") for word in head.groups())
    return replace(_read(thing, octets[head.end() :]), protocol=protocol, cipher=cipher, trust=trust)


def bundle(octets: bytes) -> tuple[Certificate, ...]:
    """Read all the certificates in what lies on a disk; one that cannot be read is none."""
    found = []
    for pem in _PEM.findall(octets):
        with suppress(ParseError):
            found.append(_read("certificate", pem))
    return tuple(found)


def _read(thing: str, pem: bytes) -> Certificate:
    from cryptography import x509
    from cryptography.hazmat.primitives.hashes import SHA256

    try:
        own = x509.load_pem_x509_certificate(pem)
        names = _names(own)
        begins, ends = own.not_valid_before_utc.timestamp(), own.not_valid_after_utc.timestamp()
        issuer = _called(own.issuer)
    except (ValueError, x509.DuplicateExtension, x509.UnsupportedGeneralNameType) as error:
        reason = str(error).partition(". See ")[0]
        raise ParseError(thing, f"not a certificate: {shown(Foreign(reason.encode()), 100)}") from error
    return Certificate(names, begins, ends, issuer, f"{own.serial_number:x}", own.fingerprint(SHA256()).hex())


def _names(own: x509.Certificate) -> tuple[Foreign, ...]:
    """The names that count (RFC 6125), else the subject's, which old clients look at."""
    from cryptography import x509

    try:
        also = own.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return (_called(own.subject),)
    dns = (name.lower() for name in also.get_values_for_type(x509.DNSName))
    addresses = map(str, also.get_values_for_type(x509.IPAddress))
    return tuple(Foreign(name.encode("utf-8", "surrogateescape")) for name in (*dns, *addresses))


def _called(name: x509.Name) -> Foreign:
    """A common name, else an organisation's, else all that there is."""
    from cryptography.x509.oid import NameOID

    for kind in (NameOID.COMMON_NAME, NameOID.ORGANIZATION_NAME):
        for attribute in name.get_attributes_for_oid(kind):
            value = attribute.value
            return Foreign(value if isinstance(value, bytes) else value.encode("utf-8", "surrogateescape"))
    return Foreign(name.rfc4514_string().encode("utf-8", "surrogateescape"))
