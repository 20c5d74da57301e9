"""Which probes run on a host, and how often: as shipped, or as config.toml says."""

from __future__ import annotations

from collections.abc import Container

from mailtop.config import Settings
from mailtop.model.errors import ConfigError
from mailtop.probe import Probe, probes

LEAST = 1.0
"""Seconds between two runs of a probe, at least: what is asked more often than that hurts the host."""


def chosen(settings: Settings, host: str, asked: Container[str] | None = None) -> tuple[Probe, ...]:
    """Return the probes of one host, at its pace. `asked`: those that a recording holds answers of, None: all."""
    shipped = [probe for probe in probes() if asked is None or probe.name in asked]
    return tuple(_as_set(probe, settings, host) for probe in shipped if settings.probe(host, probe.name).enabled)


def check(settings: Settings) -> None:
    """Raise ConfigError where the settings name a probe that there is not, or one that would run too often."""
    known = [probe.name for probe in probes()]
    tables = {f"hosts.{name}.probes": host.probes for name, host in settings.hosts.items()}
    for path, table in {"probes": settings.probes, **tables}.items():
        for name, probe in table.items():
            if name not in known:
                raise ConfigError(f"{path}.{name}", "there is no such probe", f"known: {', '.join(known)}")
            if probe.every and not LEAST <= probe.every <= 86_400.0:
                raise ConfigError(f"{path}.{name}.every", f"expected {LEAST:g} to 86400 seconds, got {probe.every:g}")


def _as_set(probe: Probe, settings: Settings, host: str) -> Probe:
    every = settings.probe(host, probe.name).every
    if not every and probe.by_settings is None:
        return probe
    run = probe.by_settings(settings) if probe.by_settings else probe.run
    return Probe(probe.name, probe.role, run, every or probe.every, probe.needs, probe.cost, probe.board)
