"""OpenSSH certificates: a host's, which we must not trust before all of it is verified, and our own to a host.

Format: OpenSSH's PROTOCOL.certkeys. `cryptography` takes them apart and verifies the signature; what it means is here.
"""

from __future__ import annotations

import base64
from collections.abc import Callable
from time import time as wall  # noqa: TID251 - a certificate is dated, and it is we who must look at the date
from typing import TYPE_CHECKING

from msgspec import Struct

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.serialization import SSHCertificate

SUFFIX = "-cert-v01@openssh.com"
HOST_KINDS = tuple(
    f"{kind}{SUFFIX}"
    for kind in (
        *("ssh-ed25519", "ecdsa-sha2-nistp256", "ecdsa-sha2-nistp384", "ecdsa-sha2-nistp521"),
        *("rsa-sha2-512", "rsa-sha2-256"),
    )
)
"""Host certificates to ask for, best first."""

_FOREVER = (1 << 64) - 1


class Certificate(Struct, frozen=True):
    """One certificate whose signature is right. `authority`: the blob of the key that signed it, `key` of its own.

    `since` and `until`: seconds since the epoch, as it says. `options`: the critical ones' names.
    """

    host: bool
    id: str
    key: bytes
    authority: bytes
    principals: tuple[str, ...]
    since: int
    until: int
    options: tuple[str, ...]

    def amiss(self, now: Callable[[], float] = wall) -> str:
        """Why it is not valid now, in a few words; empty where it is."""
        if now() < self.since:
            return f"is not valid before {_day(self.since)}; is this machine's clock right?"
        if self.until != _FOREVER and now() >= self.until:
            return f"expired {_day(self.until)}"
        return ""

    def amiss_for_host(self, name: str, now: Callable[[], float] = wall) -> str:
        """Why it does not prove that a host is `name`, in a few words; empty where it does.

        A principal is the very name: ssh (tried with 9.2) takes `*.example.org` for no other name than that either.
        """
        if not self.host:
            return "is a user's, not a host's"
        if self.options:
            return f"has critical options that a host's cannot have: {', '.join(self.options)}"
        if self.principals and name not in self.principals:
            return f"is for {', '.join(self.principals)}, not for {name}"
        return self.amiss(now)


def certificate(blob: bytes) -> Certificate:
    """Take apart and verify; raises ValueError, in words for people, where it is no certificate or signed wrongly."""
    from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
    from cryptography.hazmat.primitives.serialization import SSHCertificate, load_ssh_public_identity

    kind = blob[4 : 4 + int.from_bytes(blob[:4], "big")]
    try:
        found = load_ssh_public_identity(kind + b" " + base64.b64encode(blob))
        if not isinstance(found, SSHCertificate):
            raise ValueError("no certificate")
        if _signature_kind(blob) == b"ssh-rsa":
            raise ValueError("is signed with SHA-1, which proves nothing any more")
        found.verify_cert_signature()
        return _read(found)
    except InvalidSignature as error:
        raise ValueError("carries a signature that is wrong") from error
    except (UnsupportedAlgorithm, AssertionError) as error:
        raise ValueError(f"is of a kind that mailtop does not know ({error})") from error


def _read(found: SSHCertificate) -> Certificate:
    from cryptography.hazmat.primitives.serialization import SSHCertificateType

    return Certificate(
        found.type is SSHCertificateType.HOST,
        found.key_id.decode("utf-8", "replace"),
        _blob(found.public_key()),
        _blob(found.signature_key()),
        tuple(one.decode("utf-8", "replace") for one in found.valid_principals),
        found.valid_after,
        found.valid_before,
        tuple(name.decode("utf-8", "replace") for name in found.critical_options),
    )


def _blob(key: object) -> bytes:
    from typing import Any

    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

    public: Any = key  # one of several classes of cryptography's without a common one
    return base64.b64decode(public.public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH).split()[1])


def _signature_kind(blob: bytes) -> bytes:
    """The algorithm of the last field, the signature. Raises ValueError where the fields do not fit."""
    kind, at = _string(blob, 0)
    numbers = 2 if kind.startswith((b"ssh-rsa", b"rsa-sha2", b"ecdsa")) else 1  # the strings that make the key
    for _ in range(1 + numbers):
        _, at = _string(blob, at)
    at += 8 + 4  # serial, type
    for field in range(7):  # id, principals, validity, critical options, extensions, reserved, authority
        at = at + 16 if field == 2 else _string(blob, at)[1]
    signature, _ = _string(blob, at)
    return _string(signature, 0)[0]


def _string(octets: bytes, at: int) -> tuple[bytes, int]:
    end = at + 4 + int.from_bytes(octets[at : at + 4], "big")
    if end > len(octets):
        raise ValueError("breaks off")
    return octets[at + 4 : end], end


def _day(seconds: int) -> str:
    from datetime import UTC, datetime

    try:
        return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%d %H:%M} UTC"
    except (OverflowError, ValueError, OSError):
        return "never"
