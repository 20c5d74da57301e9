"""A served certificate, read from what the lab's services and makers of odd ones gave."""

from __future__ import annotations

import json
from contextlib import suppress
from datetime import UTC, datetime
from ipaddress import ip_address
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from mailtop.model.errors import ParseError
from mailtop.model.text import Foreign
from mailtop.parse import certificate

CASES = Path(__file__).parent.parent / "probe" / "cases"
HEAD = b"TLSv1.3 TLS_AES_256_GCM_SHA384 untrusted\n"


def lab(case: str) -> bytes:
    """The first certificate of a case of the probes'."""
    asks = json.loads((CASES / case).read_bytes())["asks"]
    first: str = next(one["output"] for one in asks if one["ask"].startswith("tls"))
    return first.encode()


def made(subject: list[x509.NameAttribute[str]], *also: x509.GeneralName) -> bytes:
    key = ec.generate_private_key(ec.SECP256R1())
    builder = (
        x509.CertificateBuilder()
        .subject_name(x509.Name(subject))
        .issuer_name(x509.Name([x509.NameAttribute(NameOID.ORGANIZATION_NAME, "An Authority")]))
        .public_key(key.public_key())
        .serial_number(7)
        .not_valid_before(datetime(2026, 1, 1, tzinfo=UTC))
        .not_valid_after(datetime(2026, 1, 11, tzinfo=UTC))
    )
    if also:
        builder = builder.add_extension(x509.SubjectAlternativeName(also), critical=False)
    return HEAD + builder.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)


def test_what_postfix_serves_is_read() -> None:
    found = certificate.read("mail1:25", lab("mta_certificates/healthy-postfix-3.7.json"))

    assert found.names[:2] == (b"mail.example.test", b"mail1.example.test")
    assert (found.issuer, found.protocol, found.trust) == (b"mailtop lab CA", "TLSv1.3", "untrusted")
    assert found.ends - found.begins == 90 * 86_400
    assert len(found.fingerprint) == 64


def test_only_plain_names_can_be_asked_for() -> None:
    also = (x509.DNSName("*.example.org"), x509.DNSName("Mail.example.org"), x509.IPAddress(ip_address("192.0.2.1")))

    found = certificate.read("web", made([], *also))

    assert found.names == (b"*.example.org", b"mail.example.org", b"192.0.2.1")
    assert found.askable == ("mail.example.org",)


def test_one_without_names_is_called_as_its_subject() -> None:
    found = certificate.read("web", made([x509.NameAttribute(NameOID.COMMON_NAME, "old \x1b[31mserver")]))

    assert (found.names, found.issuer, found.askable) == ((b"old \x1b[31mserver",), b"An Authority", ())


@pytest.mark.parametrize("octets", [b"", b"\x00\xff", HEAD, HEAD + b"-----BEGIN CERTIFICATE-----\nMIIB", b"TLS x y\n"])
def test_what_is_no_certificate_is_an_error(octets: bytes) -> None:
    with pytest.raises(ParseError):
        certificate.read("web", octets)


def test_what_lies_on_a_disk_is_read_but_for_what_is_no_certificate() -> None:
    one = made([x509.NameAttribute(NameOID.COMMON_NAME, "one.example.org")]).removeprefix(HEAD)
    broken = b"-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n"
    cut = b"-----BEGIN CERTIFICATE-----\nMIIB"

    assert [found.names for found in certificate.bundle(b"\x00" + broken + one + cut)] == [(b"one.example.org",)]


def test_a_newer_one_for_the_same_names_is_a_renewal() -> None:
    old = certificate.Certificate((Foreign(b"a.test"), Foreign(b"b.test")), 100.0, 200.0, Foreign(b""), "", "1")
    new = replace(old, begins=150.0, ends=250.0, names=old.names[::-1])

    assert old.renewed_as(new)
    assert not new.renewed_as(old)
    assert not old.renewed_as(replace(new, names=(Foreign(b"a.test"),)))


@given(st.binary(max_size=200), st.integers(0, 900))
def test_one_that_was_damaged_is_read_or_an_error(junk: bytes, at: int) -> None:
    octets = lab("proxy_certificates/healthy.json")

    with suppress(ParseError):
        assert certificate.read("web", octets[:at] + junk + octets[at + len(junk) :]).begins
