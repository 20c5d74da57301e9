"""Where mailtop's own files are, by XDG."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path


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
