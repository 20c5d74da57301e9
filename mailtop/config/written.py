"""Pointing into config.toml: in which line a key stands, and in our words what msgspec says is wrong with it.

Imported only once something is wrong, so that no start pays for it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from difflib import get_close_matches
from typing import Any, get_args

import msgspec
from msgspec import Struct

from mailtop.config.shape import SECRETS, Colour
from mailtop.model.topology import Role

_IN_PATH = re.compile(r"^(?P<what>.*?) - at `(?:key in )?\$\.?(?P<path>.*)`$", re.DOTALL)
_KEY = re.compile(r"\s*(\"[^\"]*\"|'[^']*'|[^.\s\"']+)\s*")
_CHOICES = {"role": tuple(Role), "colour": tuple(name for name in get_args(Colour) if name)}


def explained(said: str, prefix: str, shape: type[Struct], table: object) -> tuple[str, str, str]:
    """Return the key's path, what is wrong and what to do. `prefix`: the table's own path; `said`: msgspec's words."""
    match = _IN_PATH.match(said)
    what, path = (match["what"], match["path"]) if match else (said, "")
    steps = _steps(path, table)
    if unknown := re.search(r"unknown field `(.*)`", what, re.DOTALL):
        name = unknown[1]
        return _path(prefix, *steps, name), *_unknown(name, _settings(shape, path))
    if missing := re.search(r"missing required field `([^`]+)`", what):
        return _path(prefix, *steps), f"{missing[1]} is missing", ""
    choices = _CHOICES.get(steps[-1], ()) if steps else ()
    if choices and "enum value" in what:
        given = what.rpartition(" ")[2]
        return _path(prefix, *steps), f"there is no {steps[-1]} {given}", f"known: {', '.join(choices)}"
    return _path(prefix, *steps), what[:1].lower() + what[1:], ""


def line_of(text: str, path: str) -> str:
    """Return `:LINE` of a key by its dotted path, else of the table it should be in; nothing where neither is found.

    Headers, dotted and quoted keys are understood; a key within an inline table is where that begins.

    >>> line_of('[hosts.mail1]\\nssh = "a"\\n', "hosts.mail1.ssh")
    ':2'
    """
    wanted = _keys(path)
    header: tuple[str, ...] = ()
    best, found = 0, ""
    for number, line in enumerate(text.splitlines(), 1):
        if match := re.match(r"\s*\[+\s*([^\]#]+?)\s*\]", line):
            header = keys = _keys(match[1])
        elif "=" in line and not line.lstrip().startswith("#"):
            keys = (*header, *_keys(line.partition("=")[0]))
        else:
            continue
        if best < len(keys) <= len(wanted) and keys == wanted[: len(keys)]:
            best, found = len(keys), f":{number}"
    return found


def _unknown(name: str, known: tuple[str, ...]) -> tuple[str, str]:
    if name == "password" and SECRETS[0] in known:
        return "no secret may stand in this file", f"set one of {', '.join(SECRETS)}"
    known = tuple(sorted(known, key=SECRETS.__contains__))  # what is most likely meant comes first
    close = get_close_matches(name, known, 1)
    return "no such setting", f"did you mean {close[0]}?" if close else f"known: {', '.join(known)}"


def _steps(path: str, table: object) -> tuple[str, ...]:
    """The keys of msgspec's path. Where it says `[...]` for any key of a table, the only one there is meant."""
    steps: list[str] = []
    for key in re.findall(r"\[\.\.\.\]|\[\d+\]|[^.\[\]]+", path):
        if key.startswith("[") and not isinstance(table, Mapping):
            break  # an item of a list has no name; the list has
        if key == "[...]" and isinstance(table, Mapping):
            if len(table) != 1:
                break
            key = str(next(iter(table)))
        table = table.get(key) if isinstance(table, Mapping) else None
        steps.append(key)
    return tuple(steps)


def _settings(shape: Any, path: str) -> tuple[str, ...]:
    """The settings of the table that msgspec's `path` leads to, below a shape."""
    kind = msgspec.inspect.type_info(shape)
    for key in path.replace("[...]", "").split("."):
        if key and isinstance(kind, msgspec.inspect.StructType):
            kind = next(field.type for field in kind.fields if field.name == key)
            while isinstance(kind, msgspec.inspect.DictType):
                kind = kind.value_type
    return tuple(kind.cls.__struct_fields__) if isinstance(kind, msgspec.inspect.StructType) else ()


def _keys(text: str) -> tuple[str, ...]:
    return tuple(key.strip("\"'") for key in _KEY.findall(text))


def _path(*keys: str) -> str:
    return ".".join(filter(None, keys))
