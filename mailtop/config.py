"""The shape of config.toml: hosts, services and settings, frozen; errors name file, line and key."""

from __future__ import annotations

import os
import re
import socket
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import TypeVar

import msgspec
from msgspec import Struct

from mailtop.model.errors import ConfigError, UsageError
from mailtop.model.topology import Role


class PlatformSettings(Struct, frozen=True, forbid_unknown_fields=True):
    """`[platform]`: what the top line says."""

    name: str = ""
    colour: str = ""


class HostSettings(Struct, frozen=True, forbid_unknown_fields=True):
    """`[hosts.NAME]`. `ssh`: a destination as in ~/.ssh/config, empty for this machine. `docker`: ask its Engine.

    `shell`: ask the host itself too, not only its containers. `ssh_config`: another file than ~/.ssh/config.
    `docker_socket`: where the Engine listens on that host.
    """

    ssh: str = ""
    docker: bool = True
    shell: bool = True
    ssh_config: str = ""
    docker_socket: str = "/var/run/docker.sock"


class ServiceSettings(Struct, frozen=True, forbid_unknown_fields=True):
    """`[services.NAME]`: what discovery cannot know. `target`: `host/container`."""

    role: Role
    target: str


class FlowSettings(Struct, frozen=True, forbid_unknown_fields=True):
    """`[flow]`: how to tell the hops apart. Domains and ports as in Postfix's maps; see reference of `report`."""

    filter_ports: tuple[int, ...] = (10024, 10026)
    archive_domains: tuple[str, ...] = ("archive.local",)
    ignore_clients: tuple[str, ...] = ()


class Settings(Struct, frozen=True, forbid_unknown_fields=True):
    """All of config.toml. `history`: seconds of log read back at the start. `keys`: binding id → key."""

    platform: PlatformSettings = PlatformSettings()
    hosts: dict[str, HostSettings] = {}
    services: dict[str, ServiceSettings] = {}
    flow: FlowSettings = FlowSettings()
    interval: float = 1.0
    history: int = 3600
    theme: str = "dark"
    keys: dict[str, str] = {}


Shape = TypeVar("Shape", bound=Struct)
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,62}")
_IN_PATH = re.compile(r"^(?P<what>.*) - at `\$\.?(?P<path>.*)`$")


def default_path(environment: Mapping[str, str] | None = None) -> Path:
    """`$XDG_CONFIG_HOME/mailtop/config.toml`, by default in ~/.config."""
    environment = os.environ if environment is None else environment
    base = environment.get("XDG_CONFIG_HOME") or "~/.config"
    return Path(base).expanduser() / "mailtop" / "config.toml"


def state_folder(environment: Mapping[str, str] | None = None) -> Path:
    """`$XDG_STATE_HOME/mailtop`, by default in ~/.local/state; made 0700 by who writes there."""
    environment = os.environ if environment is None else environment
    base = environment.get("XDG_STATE_HOME") or "~/.local/state"
    return Path(base).expanduser() / "mailtop"


def load(path: Path) -> Settings:
    """Read one file; raises ConfigError naming file, line and key."""
    try:
        text = path.read_text("utf-8")
    except OSError as error:
        raise ConfigError(str(path), error.strerror or "cannot be read", "check the path") from error
    except UnicodeDecodeError as error:
        raise ConfigError(str(path), "is not UTF-8") from error
    return parse(text, str(path))


def parse(text: str, file: str = "config.toml") -> Settings:
    """Return the Settings that `text` spells; `file` names it in errors."""
    try:
        table = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(file, str(error)) from error
    tables = {section: table.pop(section, {}) for section in ("hosts", "services")}
    settings = _converted(table, Settings, "", text, file)
    settings = msgspec.structs.replace(
        settings,
        hosts=_named(tables["hosts"], HostSettings, "hosts", text, file),
        services=_named(tables["services"], ServiceSettings, "services", text, file),
    )
    for name in settings.hosts:
        if not _NAME.fullmatch(name):
            raise ConfigError(f"{file}: hosts.{name}", "a host's name is letters, digits, '.', '_' and '-'")
    for name, service in settings.services.items():
        host = service.target.partition("/")[0]
        if host not in settings.hosts:
            line = _line_of(text, f"services.{name}", "target")
            known = ", ".join(settings.hosts) or "none"
            raise ConfigError(f"{file}{line}: services.{name}.target", f"no host {host!r}", f"known: {known}")
    return settings


def with_targets(settings: Settings, targets: tuple[str, ...]) -> Settings:
    """Narrow `settings` to the hosts that `targets` name; what the file does not know is taken as it is spelt.

    None: the configured platform, else this machine, if it runs a Docker Engine; raises UsageError if not.
    """
    if not targets:
        if settings.hosts:
            return settings
        if not Path(HostSettings().docker_socket).exists():
            raise UsageError(
                "mailtop",
                "no config.toml, and no Docker Engine on this machine",
                "try: mailtop user@host, or mailtop demo",
            )
        targets = ("local",)
    named = [target if target in settings.hosts else _spelt(target)[0] for target in targets]
    for name in named:
        if named.count(name) > 1:
            raise UsageError(name, "is named twice", "give two hosts of one name their own in config.toml")
    hosts = dict((target, settings.hosts[target]) if target in settings.hosts else _spelt(target) for target in targets)
    return msgspec.structs.replace(settings, hosts=hosts)


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
    if not _NAME.fullmatch(name) or destination.startswith("-") or not (port or "0").isdigit():
        raise UsageError(target[:60], "is no host", "use a host of config.toml, user@host, docker or local")
    if port and not separator:
        raise UsageError(target, "a port wants the long form", f"use ssh://{target}")
    # With a port it stays a URI, which OpenSSH takes as a destination.
    return name, HostSettings(ssh=f"ssh://{destination}" if port else destination, shell=scheme != "docker+ssh")


def _named(tables: object, shape: type[Shape], section: str, text: str, file: str) -> dict[str, Shape]:
    """The tables `[section.NAME]`, one by one, so that an error can name the one it is in."""
    if not isinstance(tables, dict):
        raise ConfigError(f"{file}{_line_of(text, '', section)}: {section}", f"expected tables [{section}.NAME]")
    return {name: _converted(table, shape, f"{section}.{name}", text, file) for name, table in tables.items()}


def _converted(table: object, shape: type[Shape], prefix: str, text: str, file: str) -> Shape:
    try:
        return msgspec.convert(table, shape)
    except msgspec.ValidationError as error:
        raise _explained(error, prefix, text, file) from error


def _explained(error: msgspec.ValidationError, prefix: str, text: str, file: str) -> ConfigError:
    match = _IN_PATH.match(str(error))
    what, path = (match["what"], match["path"]) if match else (str(error), "")
    path = f"{prefix}.{path}".strip(".")
    unknown = re.search(r"unknown field `([^`]+)`", what)
    if unknown:
        path, what = f"{path}.{unknown[1]}".lstrip("."), "no such setting"
    table, _, key = path.rpartition(".")
    where = f"{file}{_line_of(text, table, key)}"
    return ConfigError(f"{where}: {path}" if path else where, what[:1].lower() + what[1:])


def _line_of(text: str, table: str, key: str) -> str:
    """`:LINE` of a key below its `[table]` header, or nothing where it is not spelt that way."""
    current = ""
    for number, line in enumerate(text.splitlines(), 1):
        header = re.match(r"\s*\[+\s*([^\]]+?)\s*\]", line)
        if header:
            current = header[1].replace('"', "")
            if current == f"{table}.{key}".lstrip("."):
                return f":{number}"
        elif current == table and re.match(rf"\s*\"?{re.escape(key)}\"?\s*=", line):
            return f":{number}"
    return ""
