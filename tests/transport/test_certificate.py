"""OpenSSH certificates: what is verified before one proves anything."""

from __future__ import annotations

import base64
from collections.abc import Callable
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    PublicFormat,
    SSHCertificateBuilder,
    SSHCertificateType,
)
from hypothesis import given
from hypothesis import strategies as st

from mailtop.model.errors import HostKeyRefused
from mailtop.transport.ssh.certificate import certificate
from mailtop.transport.ssh.known_hosts import KnownHosts

AUTHORITY, HOST = Ed25519PrivateKey.from_private_bytes(b"a" * 32), Ed25519PrivateKey.from_private_bytes(b"h" * 32)
NOON = 1_700_000_000


def blob_of(key: Ed25519PrivateKey) -> bytes:
    line = key.public_key().public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH)
    return base64.b64decode(line.split()[1])


def made(
    *names: bytes,
    kind: SSHCertificateType = SSHCertificateType.HOST,
    since: int = NOON - 60,
    until: int = NOON + 60,
    option: bytes = b"",
) -> bytes:
    builder = SSHCertificateBuilder().public_key(HOST.public_key()).type(kind).key_id(b"mail1's")
    builder = builder.valid_after(since).valid_before(until)
    builder = builder.valid_principals(list(names)) if names else builder.valid_for_all_principals()  # type: ignore[no-untyped-call]
    if option:
        builder = builder.add_critical_option(option, b"")
    return base64.b64decode(builder.sign(AUTHORITY).public_bytes().split()[1])


def amiss(blob: bytes, name: str = "mail1.example.org", now: float = NOON) -> str:
    return certificate(blob).amiss_for_host(name, lambda: now)


GOOD = made(b"mail1.example.org", b"*.example.net")


def test_one_that_is_in_order_proves_its_host() -> None:
    found = certificate(GOOD)
    assert (found.host, found.key, found.authority) == (True, blob_of(HOST), blob_of(AUTHORITY))
    assert amiss(GOOD) == amiss(made()) == ""
    assert amiss(made(b"mx", b"mail1.example.org")) == ""


@pytest.mark.parametrize(
    ("blob", "name", "now", "why"),
    [
        (GOOD, "mail2.example.org", NOON, "is for mail1.example.org, *.example.net, not for mail2.example.org"),
        (GOOD, "mx.example.net", NOON, "is for mail1.example.org, *.example.net, not for mx.example.net"),
        (made(b"mail[12]"), "mail1", NOON, "is for mail[12], not for mail1"),
        (made(b"*"), "mail1", NOON, "is for *, not for mail1"),
        (GOOD, "mail1.example.org", NOON + 60, "expired 2023-11-14 22:14 UTC"),
        (GOOD, "mail1.example.org", NOON - 61, "is not valid before 2023-11-14 22:12 UTC; is this machine's clock"),
        (made(kind=SSHCertificateType.USER), "mail1.example.org", NOON, "is a user's, not a host's"),
        (made(option=b"force-command"), "mail1.example.org", NOON, "has critical options that a host's cannot have"),
    ],
)
def test_anything_amiss_is_said(blob: bytes, name: str, now: float, why: str) -> None:
    assert amiss(blob, name, now).startswith(why)


@given(st.integers(0, len(GOOD) * 8 - 1))
def test_no_bit_of_it_can_be_changed(bit: int) -> None:
    forged = bytearray(GOOD)
    forged[bit // 8] ^= 1 << bit % 8
    with pytest.raises(ValueError, match=r"."):
        certificate(bytes(forged))


@given(st.binary(max_size=300) | st.integers(0, len(GOOD)).map(lambda end: GOOD[:end] if end < len(GOOD) else b""))
def test_whatever_a_host_sends_is_taken_or_refused_in_words(octets: bytes) -> None:
    with pytest.raises(ValueError, match=r"."):
        certificate(octets)


@pytest.fixture
def known(tmp_path: Path) -> Callable[[str], KnownHosts]:
    def write(lines: str) -> KnownHosts:
        (tmp_path / "known_hosts").write_text(lines)
        return KnownHosts([str(tmp_path / "known_hosts")], "mail1.example.org")

    return write


def test_an_authority_vouches_for_its_own_names_only(known: Callable[[str], KnownHosts]) -> None:
    line = f"ssh-ed25519 {base64.b64encode(blob_of(AUTHORITY)).decode()}\n"
    for_ever = made(b"mail1.example.org", since=0, until=(1 << 64) - 1)
    known(f"@cert-authority *.example.org {line}").check("mail1", "ssh-ed25519", blob_of(HOST), for_ever)
    for lines in (f"@cert-authority *.example.net {line}", f"mail1.example.org {line}"):
        with pytest.raises(HostKeyRefused):
            known(lines).check("mail1", "ssh-ed25519", blob_of(HOST), for_ever)
    with pytest.raises(HostKeyRefused, match="is for another key"):
        known(f"@cert-authority * {line}").check("mail1", "ssh-ed25519", blob_of(AUTHORITY), for_ever)


def test_a_key_that_is_known_by_itself_needs_no_certificate(known: Callable[[str], KnownHosts]) -> None:
    by, key = (base64.b64encode(blob_of(one)).decode() for one in (AUTHORITY, HOST))
    authority, plain = f"@cert-authority * ssh-ed25519 {by}\n", f"mail1.example.org ssh-ed25519 {key}\n"
    expired = made(b"mail1.example.org")
    known(authority + plain).check("mail1", "ssh-ed25519", blob_of(HOST), expired)
    for lines in (authority, f"{authority}{plain}@revoked * ssh-ed25519 {by}\n"):
        with pytest.raises(HostKeyRefused):
            known(lines).check("mail1", "ssh-ed25519", blob_of(HOST), expired)
