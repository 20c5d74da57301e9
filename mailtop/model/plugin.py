"""Finding plug-ins: every sibling file of a package exposes constants of one type, and that is all it takes."""

from __future__ import annotations

import pkgutil
from importlib import import_module
from typing import TypeVar

Plugin = TypeVar("Plugin")


def plugins(package: str, kind: type[Plugin]) -> tuple[Plugin, ...]:
    """Import every module of `package`; return its constants of type `kind`, in order of module and definition."""
    found: list[Plugin] = []
    path = import_module(package).__path__
    for name in sorted(module.name for module in pkgutil.iter_modules(path)):
        module = import_module(f"{package}.{name}")
        found += [value for key, value in vars(module).items() if key.isupper() and isinstance(value, kind)]
    return tuple(found)
