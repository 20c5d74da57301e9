"""Roles become styles: colours from a theme's file, weight and shape from here."""

from __future__ import annotations

import tomllib
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import get_args

from msgspec import Struct
from rich.color import Color, ColorParseError
from rich.style import Style

from mailtop.config.shape import Colour
from mailtop.model.errors import ConfigError

COLOURS = (
    *("background", "text", "dim", "faint", "title", "accent", "head", "ok", "warn", "crit", "unknown", "denied"),
    *("bar", "cursor", "mark", "sheet", "field"),
)
"""What a theme must name."""

SITES = tuple(name for name in get_args(Colour) if name)
"""A platform's own colours, for the top line; a theme says how each looks."""

_WEIGHT = {"title": "bold", "accent": "bold", "crit": "bold", "mark": "bold", "key": "bold", "site": "bold"}
_GROUND = ("bar", "cursor", "sheet", "field")  # roles that colour what lies under the text
_PLAIN = {"dim": "dim", "faint": "dim", "head": "dim", "cursor": "reverse", "bar": "", "field": "underline"}


class Theme(Struct, frozen=True):
    """A theme as its file says. `colours` maps each of COLOURS to `#rrggbb`, a terminal colour's name or `default`."""

    name: str
    colours: dict[str, str]
    sites: dict[str, str] = {}
    dark: bool = True


class Styles:
    """Styles by role, each made once."""

    def __init__(self, theme: Theme, no_colour: bool = False) -> None:
        self.theme = theme
        self.no_colour = no_colour
        self._made: dict[str, Style] = {}

    def __getitem__(self, role: str) -> Style:
        style = self._made.get(role)
        if style is None:
            style = self._made[role] = _colourless(role) if self.no_colour else _style(self.theme, role)
        return style


def theme_names() -> tuple[str, ...]:
    """Return the names of the themes there are."""
    return tuple(sorted(path.name.removesuffix(".toml") for path in _folder().iterdir() if path.suffix == ".toml"))


@cache
def load(name: str) -> Theme:
    """Read a theme by name; raises ConfigError for one that is not there or not whole."""
    file = _folder() / f"{name}.toml"
    if "/" in name or not file.is_file():
        raise ConfigError(f"theme {name}", "there is no such theme", f"there are {', '.join(theme_names())}")
    try:
        table = tomllib.loads(file.read_text("utf-8"))
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(file.name, str(error)) from error
    colours, sites = table.get("colours", {}), table.get("sites", {})
    if missing := [colour for colour in COLOURS if colour not in colours]:
        raise ConfigError(file.name, f"lacks the colour {missing[0]}")
    for key, colour in [*colours.items(), *sites.items()]:
        try:
            Color.parse(colour)
        except ColorParseError as error:
            raise ConfigError(f"{file.name}: {key}", f"{colour!r} is no colour", "write #rrggbb") from error
    return Theme(name, colours, sites, bool(table.get("dark", True)))


def _folder() -> Path:
    """The themes lie beside the package in a checkout, and in it once installed."""
    inside = Path(str(files("mailtop"))) / "themes"
    return inside if inside.is_dir() else inside.parent.parent / "themes"


def _style(theme: Theme, role: str) -> Style:
    ink, ground, weight = "text", "background", ""
    for part in role.split("+"):
        if part.startswith("site:"):
            site = theme.sites.get(part[5:], theme.colours["accent"])
            return Style(color=Color.parse(theme.colours["background"]), bgcolor=Color.parse(site), bold=True)
        if part in _GROUND:
            ground = part
        elif part != "text":
            ink = "accent" if part == "key" else part
        weight = _WEIGHT.get(part, weight)
    colour, under = theme.colours.get(ink, theme.colours["text"]), theme.colours[ground]
    return Style(color=Color.parse(colour), bgcolor=Color.parse(under), bold=weight == "bold" or None)


def _colourless(role: str) -> Style:
    words = {_WEIGHT.get(part, "") for part in role.split("+")} | {_PLAIN.get(part, "") for part in role.split("+")}
    if "site" in role:
        words.add("reverse")
    return Style.parse(" ".join(sorted(words - {""})) or "none")
