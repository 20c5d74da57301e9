"""Every key, by id: what the key line, the help and `mailtop keys` are derived from. Clashes are refused at start."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

from msgspec import Struct
from msgspec.structs import replace

from mailtop.model.errors import ConfigError


class Bound(Struct, frozen=True):
    """One key. `do` names the method of its screen, sheet or frame. `label` is for the key line, empty to stay out.

    `also`: further keys for the same. `act`: changes something at the platform, so it is bound in OPERATE only.
    """

    id: str
    key: str
    label: str
    help: str
    do: str
    also: tuple[str, ...] = ()
    act: bool = False
    argument: str = ""


LIST = (
    Bound("list.down", "j", "", "next row", "down", ("down",)),
    Bound("list.up", "k", "", "row before", "up", ("up",)),
    Bound("list.page_down", "pagedown", "", "a screen further", "page_down"),
    Bound("list.page_up", "pageup", "", "a screen back", "page_up"),
    Bound("list.first", "g", "", "first row", "first", ("home",)),
    Bound("list.last", "G", "", "last row", "last", ("end",)),
)
"""Moving in a list; every screen with rows has these."""

FRAME = (
    Bound("close", "q", "", "widen, one step; at the root: quit", "do_close"),
    Bound("back", "escape", "", "widen, one step; at the root: end a listing that runs", "do_back"),
    Bound("quit", "ctrl+c", "", "quit from anywhere (asks while an act runs)", "do_leave"),
    Bound("help", "?", "help", "the keys of this screen", "do_help"),
    Bound("command", ":", "go", "type a command; tab completes", "do_command"),
    Bound("palette", "ctrl+p", "", "all commands", "do_palette"),
    Bound("pause", "p", "", "pause what is shown; nothing is lost meanwhile", "order_pause"),
    Bound("step.back", "[", "", "in a replay: pause, and one second with news back", "order_step", argument="-1"),
    Bound("step.on", "]", "", "in a replay: pause, and on to the next second with news", "order_step", argument="1"),
    Bound("slower", "-", "", "longer interval", "order_slower"),
    Bound("faster", "+", "", "shorter interval", "order_faster", ("=",)),
    Bound("refresh", "r", "", "ask now", "order_refresh"),
    Bound("answer", "!", "", "answer what a host asks (a passphrase, a second factor)", "order_answer"),
    Bound(
        "trace",
        "t",
        "",
        "comes later: the journey of one message",
        "do_later",
        argument="comes later: the journey of one message",
    ),
    Bound(
        "why",
        "w",
        "",
        "comes later: the diagnosis of what is under the cursor",
        "do_later",
        argument="comes later: the diagnosis of what is under the cursor",
    ),
    Bound("logs", "l", "", "the log of this row", "do_logs"),
)
"""What works on every screen."""

SHEET = (
    Bound("sheet.close", "q", "close", "close this", "close", ("escape",)),
    Bound("sheet.down", "j", "", "further down", "down", ("down",)),
    Bound("sheet.up", "k", "", "further up", "up", ("up",)),
    Bound("sheet.copy", "y", "copy", "copy what is shown (OSC 52)", "copy"),
)
"""What works on every sheet that only shows something."""

_UNUSED = re.compile(r"ctrl\+[absz]|f\d+")  # tmux, screen, the terminal and the shell have them
_NEVER_AN_ACT = re.compile(r"[b-z]|ctrl\+[dk]")
_SPELLING = {"esc": "escape", "return": "enter", "pgdn": "pagedown", "pgup": "pageup", " ": "space"}
_NAMES = {"escape": "esc", "pagedown": "PgDn", "pageup": "PgUp", "down": "↓", "up": "↑", "asterisk": "*"}


class Keymap:
    """Which key does what, where: `tables` maps a place (a screen, a sheet) to its keys, `keys` is the operator's.

    Raises ConfigError for an id that is not there, a key that mailtop leaves alone, or two things on one key.
    """

    def __init__(self, tables: Mapping[str, Iterable[Bound]], keys: Mapping[str, str]) -> None:
        known = {bound.id: bound for table in tables.values() for bound in table}
        for id_, key in keys.items():
            if id_ not in known:
                raise ConfigError(f"keys.{id_}", "there is no such key", "`mailtop keys` lists them")
            _check(known[id_], key)
        self._tables = {
            place: tuple(
                replace(bound, key=_SPELLING.get(keys[bound.id], keys[bound.id]), also=())
                if bound.id in keys
                else bound
                for bound in table
            )
            for place, table in tables.items()
        }
        self._index = {place: _index(table) for place, table in self._tables.items()}

    def find(self, place: str, key: str) -> Bound | None:
        """What a key does at a place."""
        return self._index.get(place, {}).get(key)

    def table(self, place: str) -> tuple[Bound, ...]:
        """All keys of a place, in their order."""
        return self._tables.get(place, ())


def pressed(key: str, character: str | None) -> str:
    """Return a key's one spelling: the character it types, else its name.

    >>> pressed("question_mark", "?"), pressed("space", " "), pressed("ctrl+p", None)
    ('?', 'space', 'ctrl+p')
    """
    return character if character and character.isprintable() and character != " " else key


def spelled(key: str) -> str:
    """Return a key as people write it.

    >>> spelled("escape"), spelled("H")
    ('esc', 'H')
    """
    return _NAMES.get(key, key)


def _check(bound: Bound, key: str) -> None:
    if _UNUSED.fullmatch(key.lower()):
        raise ConfigError(f"keys.{bound.id}", f"{key} belongs to the terminal, tmux or the shell", "choose another")
    if bound.act and _NEVER_AN_ACT.fullmatch(key):
        raise ConfigError(f"keys.{bound.id}", f"{key} is too close for an act", "choose an upper-case letter")


def _index(table: Iterable[Bound]) -> dict[str, Bound]:
    index: dict[str, Bound] = {}
    for bound in table:
        for key in (bound.key, *bound.also):
            if key in index and index[key].id != bound.id:
                raise ConfigError(f"keys.{bound.id}", f"{key} is already {index[key].id}", "give one of them another")
            index[key] = bound
    return index
