"""What the command line's TARGETs mean: hosts and groups of the file, and hosts as they are spelt."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator, Mapping
from pathlib import Path

import msgspec

from mailtop.config.reading import NAME
from mailtop.config.shape import HostSettings, Settings
from mailtop.model.errors import UsageError
from mailtop.model.services import of_programs


def with_targets(settings: Settings, targets: tuple[str, ...]) -> Settings:
    """Narrow `settings` to the hosts that `targets` name; what the file does not know is taken as it is spelt.

    None: the configured platform, else this machine, if it runs a Docker Engine or a mail service; raises UsageError
    if not.
    """
    if not targets:
        if settings.hosts:
            return settings
        if not runs_here():
            raise UsageError(
                "mailtop",
                "no config.toml, and neither a Docker Engine nor a mail service on this machine",
                "try: mailtop user@host, mailtop init user@host, or mailtop demo",
            )
        targets = ("local",)
    hosts: dict[str, HostSettings] = {}
    for target in targets:
        for name, host in _meant(settings, target):
            if name in hosts and not (target in settings.groups and hosts[name] == host):
                raise UsageError(name, "is named twice", "give two hosts of one name their own in config.toml")
            hosts[name] = host
    return msgspec.structs.replace(settings, hosts=hosts)


def runs_here(engine: str = "", processes: str = "/proc", environment: Mapping[str, str] = os.environ) -> bool:
    """Is there anything to watch on this machine: a Docker Engine, or a service that runs without one?"""
    if Path(engine or HostSettings().docker_socket).exists() or environment.get("DOCKER_HOST"):
        return True
    return bool(of_programs(_programs(Path(processes))))


def _programs(processes: Path) -> Iterator[str]:
    for name in processes.glob("[0-9]*/comm"):
        try:
            yield name.read_text("ascii", "replace").rstrip("\n")
        except OSError:
            continue  # it has ended meanwhile


def _meant(settings: Settings, target: str) -> Iterator[tuple[str, HostSettings]]:
    """The hosts of one word."""
    if target in settings.groups:
        for name in settings.groups[target]:
            yield name, settings.hosts[name]
    elif target in settings.hosts:
        yield target, settings.hosts[target]
    else:
        yield _spelt(target)


def _spelt(target: str) -> tuple[str, HostSettings]:
    """A host that is only a word on the command line: `local`, `docker`, `docker+ssh://host`, `user@host`."""
    here = socket.gethostname().partition(".")[0] or "localhost"
    if target in ("local", "docker", here):
        return here, HostSettings(shell=target != "docker")
    scheme, separator, rest = target.partition("://")
    if separator and scheme not in ("ssh", "docker+ssh"):
        raise UsageError(target, f"no way to reach {scheme}://", "use user@host, ssh://host or docker+ssh://host")
    destination = rest.rstrip("/") if separator else target
    name, _, port = destination.rpartition("@")[2].partition(":")
    if not NAME.fullmatch(name) or destination.startswith("-") or not (port or "0").isdigit():
        raise UsageError(target[:60], "is no host", "use a host of config.toml, user@host, docker or local")
    if port and not separator:
        raise UsageError(target, "a port wants the long form", f"use ssh://{target}")
    # With a port it stays a URI, which OpenSSH takes as a destination.
    return name, HostSettings(ssh=f"ssh://{destination}" if port else destination, shell=scheme != "docker+ssh")
