"""Which host keys are known, read line by line, so that a line that we cannot use never hides the others.

Format: sshd(8), "SSH_KNOWN_HOSTS FILE FORMAT": `[@marker] names key-type base64 [comment]`; names are patterns with
`*`, `?` and `!`, `[name]:port`, or one hashed name (`|1|salt|HMAC-SHA1`).
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import shlex
from collections.abc import Iterable, Iterator
from fnmatch import fnmatchcase
from pathlib import Path

from msgspec import Struct

from mailtop.model.errors import HostKeyRefused
from mailtop.model.text import Foreign, shown
from mailtop.transport.ssh.certificate import certificate

PORT = 22


class KnownKey(Struct, frozen=True):
    """One usable line. `where`: file and line, as people write it. `marker`: empty, `revoked` or `cert-authority`."""

    names: str
    kind: str
    key: bytes
    marker: str
    where: str

    def matches(self, name: str) -> bool:
        """Does the line speak of `name` (`mail1` or `[mail1]:2222`)?"""
        if self.names.startswith("|1|"):
            return _hashed(self.names, name)
        patterns = self.names.lower().split(",")
        if any(_like(name, pattern[1:]) for pattern in patterns if pattern.startswith("!")):
            return False
        return any(_like(name, pattern) for pattern in patterns if not pattern.startswith("!"))


class KnownHosts:
    """The lines that speak of one host. `alias`: HostKeyAlias, which then stands for name and port."""

    def __init__(self, files: Iterable[str], hostname: str, port: int = PORT, alias: str = "") -> None:
        self._files = tuple(files)
        self._hostname, self._port, self._alias = hostname, port, alias
        plain = (alias or hostname).lower()
        self._name = plain if alias or port == PORT else f"[{plain}]:{port}"
        lines = tuple(_lines(self._files))
        self._keys = [line for line in lines if line.matches(self._name)]
        if not any(not line.marker for line in self._keys):  # as ssh does: a key known for the name at any port will do
            self._keys += [line for line in lines if self._name != plain and line.matches(plain)]

    def kinds(self) -> tuple[str, ...]:
        """The types of the keys that are known, to ask the host for one of these."""
        return tuple(dict.fromkeys(line.kind for line in self._keys if not line.marker))

    @property
    def authorities(self) -> tuple[KnownKey, ...]:
        """The keys that may sign certificates of this host."""
        return tuple(line for line in self._keys if line.marker == "cert-authority")

    def check(self, thing: str, kind: str, key: bytes, certificate: bytes = b"") -> None:
        """Return if the host's key is known; raise HostKeyRefused with the line that fixes it if not.

        `certificate`: what it showed instead of the plain key. One of an authority that is not known proves nothing,
        and the key inside is looked at like any other, as ssh does.
        """
        short = kind.removeprefix("ssh-").removeprefix("ecdsa-sha2-")
        seen = f"{short} key {fingerprint(key)}"
        self._not_revoked(thing, f"its {seen}", key)
        if certificate and self._certified(thing, key, certificate):
            return
        known = [line for line in self._keys if not line.marker]
        if any(line.key == key for line in known):
            return
        if known:
            old = next((line for line in known if line.kind == kind), known[0])
            file = old.where.rpartition(":")[0]
            remedy = f"if its keys were renewed: ssh-keygen -R {shlex.quote(self._name)} -f {shlex.quote(file)}"
            raise HostKeyRefused(thing, f"its {seen} is not the one in {old.where}", f"{remedy} && {self._scan(kind)}")
        reason = f"its {seen} is not known"
        if self.authorities:
            where = self.authorities[0].where
            reason += (
                f", nor the authority of its certificate by {where}" if certificate else ", and has no certificate"
            )
        raise HostKeyRefused(thing, reason, f"compare it, then: {self._scan(kind)}")

    def _certified(self, thing: str, key: bytes, blob: bytes) -> bool:
        """Is it a certificate of a known authority? Raises HostKeyRefused where it is one that is not in order."""
        remedy = "ask who runs its authority to sign it again"
        try:
            shown_one = certificate(blob)
        except ValueError as error:
            raise HostKeyRefused(thing, f"its certificate {error}", remedy) from error
        name = shown(Foreign(shown_one.id.encode()), 60)
        by = f"the authority {fingerprint(shown_one.authority)} of its certificate {name!r}"
        self._not_revoked(thing, by, shown_one.authority)
        if not any(line.key == shown_one.authority for line in self.authorities):
            return False
        amiss = shown_one.amiss_for_host((self._alias or self._hostname).lower())
        if (amiss or shown_one.key != key) and any(line.key == key for line in self._keys if not line.marker):
            return False  # ssh too looks at the key inside then, as if there were no certificate
        if amiss or shown_one.key != key:
            why = shown(Foreign(amiss.encode()), 200) or "is for another key"
            raise HostKeyRefused(thing, f"its certificate {name!r} {why}", remedy)
        return True

    def _not_revoked(self, thing: str, what: str, key: bytes) -> None:
        revoked = next((line for line in self._keys if line.marker == "revoked" and line.key == key), None)
        if revoked:
            raise HostKeyRefused(thing, f"{what} is revoked in {revoked.where}", "ask who runs the host")

    def _scan(self, kind: str) -> str:
        family = "rsa" if kind == "ssh-rsa" else "ecdsa" if kind.startswith("ecdsa") else kind.removeprefix("ssh-")
        port = f" -p {self._port}" if self._port != PORT else ""
        alias = f" | sed {shlex.quote(f's|^[^ ]*|{self._alias}|')}" if self._alias else ""
        file = shlex.quote(self._files[0] if self._files else "~/.ssh/known_hosts")
        return f"ssh-keyscan -t {family}{port} {shlex.quote(self._hostname)}{alias} >> {file}"


def fingerprint(key: bytes) -> str:
    """Return a key's fingerprint as OpenSSH prints it."""
    return "SHA256:" + base64.b64encode(hashlib.sha256(key).digest()).decode().rstrip("=")


def _lines(files: Iterable[str]) -> Iterator[KnownKey]:
    for file in files:
        try:
            text = Path(file).read_text("utf-8", "replace")
        except OSError:  # a missing or closed file knows no host, and ssh says no more either
            continue
        for number, line in enumerate(text.splitlines(), 1):
            fields = line.split()
            marker = fields.pop(0)[1:].lower() if fields and fields[0].startswith("@") else ""
            if len(fields) < 3 or fields[0].startswith("#"):
                continue
            try:
                key = base64.b64decode(fields[2], validate=True)
            except binascii.Error:
                continue
            yield KnownKey(fields[0], fields[1], key, marker, f"{file}:{number}")


def _hashed(names: str, name: str) -> bool:
    try:
        salt, digest = (base64.b64decode(part, validate=True) for part in names.split("|")[2:4])
    except (binascii.Error, ValueError):
        return False
    return hmac.compare_digest(hmac.digest(salt, name.encode(), "sha1"), digest)


def _like(name: str, pattern: str) -> bool:
    return fnmatchcase(name, pattern.replace("[", "[[]"))  # a bracket is part of `[name]:port`, not of the pattern
