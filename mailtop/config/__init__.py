"""config.toml as frozen Settings; errors name file, line and key."""

from __future__ import annotations

from mailtop.config.places import default_path, state_folder
from mailtop.config.reading import load, parse
from mailtop.config.shape import (
    DnsSettings,
    FlowSettings,
    HostSettings,
    PlatformSettings,
    ProbeSettings,
    SecretSettings,
    ServiceSettings,
    Settings,
)
from mailtop.config.targets import with_targets

__all__ = [
    "DnsSettings",
    "FlowSettings",
    "HostSettings",
    "PlatformSettings",
    "ProbeSettings",
    "SecretSettings",
    "ServiceSettings",
    "Settings",
    "default_path",
    "load",
    "parse",
    "state_folder",
    "with_targets",
]
