"""Hosts as people have them, and worse, for tests of SSH: made when a test first wants them, removed by ``down``.

Two jump hosts, the second open to the first alone with a host behind it on its loopback; ``odd1`` with an sshd a port,
each strict or strange in one way (``services/strange/start.sh``); one without /bin/sh; one with BusyBox and Dropbear.
"""

import hashlib
from collections.abc import Callable, Iterator
from pathlib import Path

from maillab import images
from maillab.containers import NETWORK, SERVICES, STATE
from maillab.engine import FINGERPRINT, LAB, Engine
from maillab.waiting import wait_until

IMAGE = "strange"
KEYS = STATE / "strange"
ADDRESSES = {
    "jump1": "172.28.0.110",
    "jump2": "172.28.0.111",
    "odd1": "172.28.0.112",
    "nosh": "172.28.0.113",
    "bare": "172.28.0.114",
}
TOTP = "JBSWY3DPEHPK3PXP"
"""The secret behind the one-time codes of ann and root, in base 32."""

_MOUNTS = ("--volume", f"{SERVICES}:/lab:ro", "--volume", f"{KEYS}:/state/strange")
_SOCKET = ("--volume", "/var/run/docker.sock:/var/run/docker.sock")

Say = Callable[[str], None]


def up(engine: Engine, say: Say = print) -> None:
    """Make whichever of them does not run, or runs with what another checkout or another day gave it."""
    images.build(engine, IMAGE, say)
    if not (KEYS / "vaulted-cert.pub").exists():
        KEYS.mkdir(parents=True, exist_ok=True)
        for path in KEYS.iterdir():
            path.unlink()
        engine.run("run", "--rm", *_MOUNTS, images.tag(IMAGE), "bash", "/lab/strange/keys.sh", "/state/strange")
    made_from = _fingerprint()
    there = {
        name
        for name, found in engine.containers().items()
        if found.state == "running" and found.fingerprint == made_from
    }
    for name in ADDRESSES.keys() - there:
        engine.try_run("rm", "--force", "--volumes", name)
        engine.run(*_run(name, made_from))
    for name in ADDRESSES:
        wait_until(lambda name=name: _ready(engine, name), 30, f"{name} is ready")  # type: ignore[misc]


def _fingerprint() -> str:
    """A hash of all that they are made from: the checkout that they mount, its scripts, the keys, the image."""
    scripts = [path.read_text() for path in sorted((SERVICES / IMAGE).iterdir()) if path.is_file()]
    parts = (str(STATE), str(SERVICES), images.tag(IMAGE), (KEYS / "host.pub").read_text(), *scripts)
    return hashlib.sha256("|".join(parts).encode()).hexdigest()[:16]


def _run(name: str, made_from: str) -> Iterator[str]:
    yield from ("run", "--detach", "--init", "--name", name, "--hostname", name)
    yield from ("--label", f"{LAB}=aside", "--label", f"{FINGERPRINT}={made_from}")
    yield from ("--network", NETWORK, "--ip", ADDRESSES[name], *_MOUNTS, *(_SOCKET if name == "odd1" else ()))
    yield from (images.tag(IMAGE), "/bin/bash", "/lab/strange/start.sh", name)


def _ready(engine: Engine, name: str) -> bool:
    """Does the last thing that it starts run?"""
    last = "dropbear" if name == "bare" else "sleep"
    return engine.try_run("exec", name, "/usr/bin/busybox", "pidof", last).returncode == 0


def ssh_config(folder: Path, *lines: str, user: str = "root", identity: str = "id", known: str = "") -> str:
    """Write a client's configuration that knows every strange host by its key; returns its path.

    `lines`: further `Host` sections, first. `known`: what known_hosts holds instead.
    """
    key = " ".join((KEYS / "host.pub").read_text().split()[:2])
    hosts = folder / "known_hosts"
    hosts.write_text(known or f"jump1,jump2,odd1,nosh,bare,[127.0.0.1]:2222,behind {key}\n")
    common = (
        f"Host *\n  User {user}\n  IdentityFile {KEYS / identity}\n  IdentityAgent none\n  ConnectTimeout 5\n"
        f"  UserKnownHostsFile {hosts}\n  GlobalKnownHostsFile none\n"
    )
    named = "".join(
        f"Host {name}\n  HostName {address}\n  HostKeyAlias {name}\n" for name, address in ADDRESSES.items()
    )
    (folder / "config").write_text("\n".join(lines) + f"\n{named}{common}")
    return str(folder / "config")
