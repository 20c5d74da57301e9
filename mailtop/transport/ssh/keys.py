"""The keys to try on a host: the agent's and the files', with their certificates, in OpenSSH's order."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from msgspec import Struct

from mailtop.transport.ssh.agent import Agent, agent_path
from mailtop.transport.ssh.certificate import SUFFIX, certificate
from mailtop.transport.ssh.options import SshOptions

_MAGIC = b"openssh-key-v1\0"


class Key(Struct, frozen=True):
    """One key, or a certificate of one. `sign` None: its file is locked, or holds no private half.

    `kind` and `blob`: as the host is asked about it. `path`: its file, empty for the agent's.
    """

    label: str
    kind: str
    blob: bytes
    sign: Callable[[bytes, str], Any] | None
    path: str = ""


class Keys:
    """What there is to try; what cannot be used is named in `amiss`, a few words each."""

    def __init__(self, options: SshOptions) -> None:
        self.amiss: list[str] = []
        self._options = options
        self._agent: Agent | None = None
        self._held: tuple[Key, ...] = ()
        self._certificates: dict[bytes, list[tuple[str, str, bytes]]] = {}

    def all(self) -> Iterator[Key]:
        """Yield them; a certificate before its key."""
        self._held = tuple(self._of_agent())
        files = tuple(file for path in self._options.identity_files if (file := self._file(path)))
        for path in self._options.certificate_files:
            self._certificate(path, must=True)
        for path in self._options.identity_files:
            self._certificate(f"{path}-cert.pub")
        wanted = [file.blob for file in files]
        held = sorted(self._held, key=lambda key: key.blob not in wanted)
        mine = [key for key in held if not self._options.identities_only or _plain(key) in wanted]
        for key in mine:
            yield from self._certified(key)
        blobs = {key.blob for key in mine}
        for file in files:
            if file.blob not in blobs and (file.sign or not file.path.endswith(".pub")):
                yield from self._certified(file)

    def unlocked(self, key: Key, passphrase: str) -> Key | None:
        """The same key, ready to sign; None where the passphrase is wrong."""
        try:
            sign = _load(key.path, passphrase.encode("utf-8", "surrogateescape")).sign_ssh_data
        except _unusable():
            return None
        return Key(key.label, key.kind, key.blob, sign, key.path)

    def close(self) -> None:
        """Let the agent go."""
        if self._agent is not None:
            self._agent.close()

    def _certified(self, key: Key) -> Iterator[Key]:
        for label, kind, blob in self._certificates.get(key.blob, ()):
            yield Key(label, kind, blob, key.sign, key.path)
        yield key

    def _of_agent(self) -> Iterator[Key]:
        path = agent_path(self._options.agent)
        if not path:
            return
        try:
            self._agent = agent = Agent(path, self._options.timeout)
            identities = agent.identities()
        except OSError as error:
            self.amiss.append(f"the agent gives no keys ({error.strerror or error})")
            return
        for identity in identities:
            kind = _kind(identity.blob)
            label = f"the agent's {kind.removesuffix(SUFFIX)} {identity.comment}".rstrip()
            yield Key(label, kind, identity.blob, _signing(agent, identity.blob))

    def _file(self, path: str) -> Key | None:
        """The key in a file: with its private half where that is not locked; None where there is nothing to use."""
        try:
            octets = Path(path).read_bytes()
        except FileNotFoundError:
            return None
        except OSError as error:
            self.amiss.append(f"{path} cannot be read: {(error.strerror or str(error)).lower()}")
            return None
        public = _public_line(octets) or _public_file(f"{path}.pub") or _public_in_private(octets)
        if _public_line(octets):  # names a key that the agent holds
            return Key(path, _kind(public), public, None, f"{path}.pub")
        try:
            loaded = _load(path, None)
        except _unusable() as error:
            if _locked(error):
                return Key(path, _kind(public), public, None, path)
            self.amiss.append(f"{path} is no private key that mailtop can read")
            return None
        return Key(path, loaded.get_name(), loaded.asbytes(), loaded.sign_ssh_data, path)

    def _certificate(self, path: str, must: bool = False) -> None:
        """Take in a certificate's file; one that is not valid is named instead of shown to the host."""
        blob = _public_file(path)
        if not blob:
            if must or Path(path).exists():
                self.amiss.append(f"{path} holds no certificate")
            return
        try:
            found = certificate(blob)
        except ValueError as error:
            self.amiss.append(f"certificate {path} {error}")
            return
        amiss = "is a host's, not a user's" if found.host else found.amiss()
        if amiss:
            self.amiss.append(f"certificate {path} {amiss}")
            return
        known = self._certificates.setdefault(found.key, [])
        if all(blob != other for _, _, other in known):
            known.append((f"certificate {path}", _kind(blob), blob))


def _signing(agent: Agent, blob: bytes) -> Callable[[bytes, str], bytes]:
    return lambda words, algorithm: agent.sign(blob, words, algorithm)


def _load(path: str, passphrase: bytes | None) -> Any:
    """paramiko's private key, without the certificate that it may have taken along."""
    import paramiko

    key: Any = paramiko.PKey.from_path(path, passphrase)  # type: ignore[arg-type]  # bytes are what it wants
    key.public_blob = None
    return key


def _unusable() -> tuple[type[Exception], ...]:
    import paramiko
    from cryptography.exceptions import UnsupportedAlgorithm
    from paramiko.pkey import UnknownKeyType

    return (UnknownKeyType, paramiko.SSHException, UnsupportedAlgorithm, OSError, ValueError, TypeError)


def _locked(error: Exception) -> bool:
    import paramiko

    return isinstance(error, paramiko.PasswordRequiredException | TypeError)  # the second is cryptography's


def _plain(key: Key) -> bytes:
    """The blob of the key itself, also where an agent holds a certificate of it."""
    if not key.kind.endswith(SUFFIX):
        return key.blob
    try:
        return certificate(key.blob).key
    except ValueError:
        return b""


def _kind(blob: bytes) -> str:
    return blob[4 : 4 + int.from_bytes(blob[:4], "big")].decode("ascii", "replace")


def _public_file(path: str) -> bytes:
    try:
        return _public_line(Path(path).read_bytes())
    except OSError:
        return b""


def _public_line(octets: bytes) -> bytes:
    """The blob of a line `type base64 comment`; empty where it is none."""
    fields = octets[: 64 << 10].split(None, 2)
    try:
        blob = base64.b64decode(fields[1], validate=True) if len(fields) > 1 else b""
    except binascii.Error:
        return b""
    return blob if blob and _kind(blob).encode() == fields[0] else b""


def _public_in_private(octets: bytes) -> bytes:
    """The public half that OpenSSH's own format keeps in the clear before the locked one; empty where there is none.

    Format: OpenSSH's PROTOCOL.key: magic, cipher, kdf, its options, a count, the public key.
    """
    lines = [line for line in octets.splitlines() if line and not line.startswith(b"-")]
    try:
        inside = base64.b64decode(b"".join(lines), validate=True)
    except binascii.Error:
        return b""
    if not inside.startswith(_MAGIC):
        return b""
    at = len(_MAGIC)
    for _ in range(3):
        at += 4 + int.from_bytes(inside[at : at + 4], "big")
    at += 4
    return inside[at + 4 : at + 4 + int.from_bytes(inside[at : at + 4], "big")]
