"""From the text of config.toml to Settings; what is wrong names file, line (where it is known) and key."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator, Mapping
from ipaddress import ip_address
from math import inf
from pathlib import Path
from typing import TypeVar

import msgspec
from msgspec import Struct

from mailtop.config.shape import (
    SECRETS,
    DnsSettings,
    HostSettings,
    ProbeSettings,
    SecretSettings,
    ServiceSettings,
    Settings,
)
from mailtop.model.errors import ConfigError
from mailtop.model.text import Foreign, shown

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,62}")
"""A host's name of ours: it stands in targets, files and the screen."""

DNS_NAME = re.compile(r"(?=.{1,253}$)[A-Za-z0-9_-]{1,63}(?:\.[A-Za-z0-9_-]{1,63})*")
"""What may be looked up."""

Shape = TypeVar("Shape", bound=Struct)
Problem = tuple[str, str, str]  # the key's path, what is wrong, what to do


def load(path: Path) -> Settings:
    """Read one file; raises ConfigError naming file, line and key."""
    try:
        text = path.read_text("utf-8")
    except OSError as error:
        raise ConfigError(str(path), error.strerror or "cannot be read", "check the path") from error
    except UnicodeDecodeError as error:
        line = error.object.count(b"\n", 0, error.start) + 1
        raise ConfigError(f"{path}:{line}", "is not UTF-8") from error
    return parse(text, str(path))


def parse(text: str, file: str = "config.toml") -> Settings:
    """Return the Settings that `text` spells; `file` names it in errors."""
    try:
        table = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise _not_toml(error, file) from error
    except RecursionError as error:
        raise ConfigError(file, "not TOML: brackets within brackets without an end") from error
    tables = {section: table.pop(section, {}) for section in ("hosts", "services")}
    settings = msgspec.structs.replace(
        _converted(table, Settings, "", text, file),
        hosts=_named(tables["hosts"], HostSettings, "hosts", text, file),
        services=_named(tables["services"], ServiceSettings, "services", text, file),
    )
    for path, what, remedy in _problems(settings):
        raise _wrong(path, what, remedy, text, file)
    return settings


def _named(tables: object, shape: type[Shape], section: str, text: str, file: str) -> dict[str, Shape]:
    """The tables `[section.NAME]`, one by one, so that an error can name the one it is in."""
    if not isinstance(tables, dict):
        raise _wrong(section, f"expected tables [{section}.NAME]", "", text, file)
    return {name: _converted(table, shape, f"{section}.{name}", text, file) for name, table in tables.items()}


def _converted(table: object, shape: type[Shape], prefix: str, text: str, file: str) -> Shape:
    try:
        return msgspec.convert(table, shape)
    except msgspec.ValidationError as error:
        from mailtop.config.written import explained

        raise _wrong(*explained(str(error), prefix, shape, table), text, file) from error


def _wrong(path: str, what: str, remedy: str, text: str, file: str) -> ConfigError:
    from mailtop.config.written import line_of

    where, key = f"{file}{line_of(text, path)}", shown(Foreign(path.encode()), 120)
    return ConfigError(f"{where}: {key}" if path else where, shown(Foreign(what.encode()), 300), remedy)


def _not_toml(error: tomllib.TOMLDecodeError, file: str) -> ConfigError:
    """`tomllib` says the line in words, at the end."""
    match = re.fullmatch(r"(.*) \(at line (\d+), column \d+\)", str(error))
    what, where = (match[1], f"{file}:{match[2]}") if match else (str(error), file)
    return ConfigError(where, f"not TOML: {what[:1].lower()}{what[1:]}")


def _problems(settings: Settings) -> Iterator[Problem]:
    """What the shapes cannot say: names that must name something, and figures out of range."""
    for name in (*settings.hosts, *settings.groups):
        if not NAME.fullmatch(name):
            section = "hosts" if name in settings.hosts else "groups"
            yield f"{section}.{name}", "a name is letters, digits, '.', '_' and '-', 63 at most", ""
    for name, host in settings.hosts.items():
        yield from _two_secrets(host, f"hosts.{name}")
    yield from _of_groups(settings)
    yield from _of_services(settings)
    for purpose, place in settings.databases.items():
        service, _, database = place.partition("/")
        if service not in settings.services or not database:
            yield f"databases.{purpose}", f"{place!r} names no service and its database", "write service/database"
    yield from _of_dns(settings.dns)
    if not 0 < settings.interval < inf:
        yield "interval", f"expected seconds above 0, got {settings.interval:g}", ""
    yield from _of_paces(settings.probes, "probes")
    for name, host in settings.hosts.items():
        yield from _of_paces(host.probes, f"hosts.{name}.probes")
    if settings.history < 0:
        yield "history", f"expected seconds, got {settings.history}", ""


def _of_paces(probes: Mapping[str, ProbeSettings], path: str) -> Iterator[Problem]:
    for name, probe in probes.items():
        if not 0 <= probe.every < inf:
            yield f"{path}.{name}.every", f"expected seconds, got {probe.every:g}", "0 is the probe's own pace"


def _of_dns(dns: DnsSettings) -> Iterator[Problem]:
    for key in ("domains", "selectors", "blocklists"):
        for name in getattr(dns, key):
            if not DNS_NAME.fullmatch(name):
                yield f"dns.{key}", f"{name!r} is no name of DNS", ""
    if dns.outside and not DNS_NAME.fullmatch(dns.outside):
        yield "dns.outside", f"{dns.outside!r} is no name of DNS", ""
    try:
        ip_address(dns.resolver or "::")
    except ValueError:
        yield "dns.resolver", f"{dns.resolver!r} is no address", "a resolver is asked by its address"


def _of_groups(settings: Settings) -> Iterator[Problem]:
    for name, members in settings.groups.items():
        if name in settings.hosts:
            yield f"groups.{name}", "a host has this name already", "rename one of them"
        for member in members:
            if member not in settings.hosts:
                yield f"groups.{name}", f"no host {member!r}", _known(settings)


def _of_services(settings: Settings) -> Iterator[Problem]:
    for name, service in settings.services.items():
        path, host, of = f"services.{name}", service.target.partition("/")[0], service.replica_of
        if host not in settings.hosts:
            yield f"{path}.target", f"no host {host!r}", _known(settings)
        if of and of not in settings.services and of.partition("/")[0] not in settings.hosts:
            yield f"{path}.replica_of", f"{of!r} is no service and no target", "write host/container"
        if not 0 <= service.port < 1 << 16:
            yield f"{path}.port", f"{service.port} is no port", ""
        yield from _two_secrets(service, path)


def _known(settings: Settings) -> str:
    return f"known: {', '.join(settings.hosts) or 'none'}"


def _two_secrets(settings: SecretSettings, path: str) -> Iterator[Problem]:
    given = [name for name in SECRETS if getattr(settings, name)]
    if len(given) > 1:
        yield f"{path}.{given[1]}", f"{given[0]} is set as well", "one of them is enough"
