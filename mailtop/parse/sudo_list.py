"""What sudo lets a user run without a password, from `sudo -n -l`. Source: sudoers(5), sudo(8)."""

from __future__ import annotations

import re
from collections.abc import Iterable
from fnmatch import fnmatchcase

from msgspec import Struct

from mailtop.model.ask import Answer
from mailtop.model.text import Foreign, shown

_ENTRY = re.compile(r"\s+\((?P<runas>[^)]*)\)\s*(?P<rest>.*)")
_TAG = re.compile(r"(?:NO)?(?:PASSWD|EXEC|SETENV|LOG_INPUT|LOG_OUTPUT|MAIL|FOLLOW|INTERCEPT):\s*")
_COMMA = re.compile(r"(?<!\\),\s*")
_QUOTED = re.compile(r"\\([\\,:=])")


class Allowed(Struct, frozen=True):
    """One command of the list: `path` (`ALL`: any), `arguments` (None: any), `never`: it is forbidden (`!`)."""

    path: str
    arguments: str | None = None
    never: bool = False

    def names(self, path: str) -> bool:
        """Does it speak of this program, with whatever arguments? `path`: absolute."""
        folder = self.path.endswith("/") and path.startswith(self.path) and "/" not in path[len(self.path) :]
        return self.path == "ALL" or folder or fnmatchcase(path, self.path)

    def covers(self, path: str, arguments: Iterable[str]) -> bool:
        """Is it this very command?"""
        if not self.names(path):
            return False
        return self.arguments is None or fnmatchcase(" ".join(arguments), self.arguments)


def read(answer: Answer) -> tuple[Allowed, ...]:
    """The commands that may be run as root with no password, in sudo's order; none where sudo says no.

    >>> read(Answer(b"User ops may run the following commands on mail1:\\n"
    ...             b"    (root) NOPASSWD: /usr/sbin/postsuper -h -, PASSWD: /bin/sh\\n"))
    (Allowed(path='/usr/sbin/postsuper', arguments='-h -', never=False),)
    """
    if answer.exit:
        return ()
    found: list[Allowed] = []
    entries: list[str] = []
    for line in _lines(answer.stdout):
        if _ENTRY.match(line):
            entries.append(line)
        elif entries and line.startswith("        "):  # a long entry goes on in the next line
            entries[-1] += " " + line.strip()
    for entry in entries:
        match = _ENTRY.match(entry)
        if match is not None and _as_root(match["runas"]):
            found += _commands(match["rest"])
    return tuple(found)


def allowed(entries: Iterable[Allowed], path: str, arguments: Iterable[str]) -> bool:
    """May this command be run? The last entry that matches decides, as for sudo itself.

    >>> allowed([Allowed("ALL"), Allowed("/bin/sh", never=True)], "/bin/sh", ())
    False
    """
    arguments, last = tuple(arguments), False
    for entry in entries:
        if entry.covers(path, arguments):
            last = not entry.never
    return last


def _lines(text: bytes) -> list[str]:
    return [shown(Foreign(line.expandtabs()), 4000) for line in text.splitlines()]


def _as_root(runas: str) -> bool:
    users = re.split(r"[,\s]+", runas.partition(":")[0].strip())
    return "!root" not in users and ("root" in users or "ALL" in users or "#0" in users)


def _commands(text: str) -> Iterable[Allowed]:
    """The commands of one entry; a tag holds for all that follow."""
    free = False
    for command in _COMMA.split(text):
        rest = command.strip()
        while tag := _TAG.match(rest):
            if tag[0].startswith(("NOPASSWD", "PASSWD")):
                free = tag[0].startswith("NO")
            rest = rest[tag.end() :]
        never = rest.startswith("!")
        path, _, arguments = rest.removeprefix("!").strip().partition(" ")
        if path and path != "sudoedit" and (free or never):
            given = _QUOTED.sub(r"\1", arguments.strip())
            yield Allowed(path, "" if given == '""' else given or None, never)
