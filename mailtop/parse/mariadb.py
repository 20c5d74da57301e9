r"""The client of MariaDB and MySQL: how it is asked, and what it says with `--batch`.

A header and rows, a tab between the values, in which a newline, a tab and a backslash are escaped: what a value says
makes no row and no column. Without rows there is no header either. NULL is the word. Source: mariadb(1), mysql(1).
"""

from __future__ import annotations

import re

from mailtop.model.ask import Answer, Command
from mailtop.model.errors import Denied, ParseError
from mailtop.model.text import Foreign, shown

REMEDY = "let root in over the socket, or put user and password under [client] into that root's .my.cnf"

_CLIENT = 'exec "$(command -v mariadb || command -v mysql || echo mariadb)" "$@"'  # MySQL's image has but the latter
_OPTIONS = ("--batch", "--connect-timeout=5", "--default-character-set=utf8mb4")
_ESCAPED = re.compile(rb"\\([nt0\\])")
_PLAIN = {b"n": b"\n", b"t": b"\t", b"0": b"\0", b"\\": b"\\"}
_REFUSED = re.compile(rb"^ERROR 200[23] .*\((?:111|115)\b", re.MULTILINE)  # nobody listens (MariaDB says 115 over TCP)
_NUMBER = re.compile(rb"-?\d+(?:\.\d+)?")


def command(query: str, *options: str, large: bool = False) -> Command:
    """Return the command that asks a server, as root over its socket unless `options` say otherwise."""
    return Command(("sh", "-c", _CLIENT, "mariadb", *options, *_OPTIONS, "-e", query), large=large)


def refused(answer: Answer) -> bool:
    """Does nobody listen where a server should?"""
    return answer.exit != 0 and _REFUSED.search(answer.stderr) is not None


def answered(answer: Answer, thing: str, remedy: str = REMEDY) -> bytes:
    """Return what the client said; raises Denied for a login or a right that is refused, else as `Answer.ok` does."""
    if answer.exit and b" denied" in answer.stderr:
        raise Denied(thing, Foreign(answer.stderr.strip().splitlines()[-1]), remedy)
    return answer.ok(thing)


def rows(stdout: bytes) -> list[list[bytes]]:
    r"""Return the rows of all results, headers among them, values as they were before they were escaped.

    >>> rows(b"a\tb\nx\\ny\tNULL\n")
    [[b'a', b'b'], [b'x\ny', b'NULL']]
    """
    lines = (line.split(b"\t") for line in stdout.split(b"\n") if line)
    return [[_ESCAPED.sub(lambda found: _PLAIN[found[1]], value) for value in line] for line in lines]


def by_name(lines: list[list[bytes]]) -> dict[bytes, bytes]:
    """Return the values of what SHOW STATUS and SHOW VARIABLES say: rows of two columns."""
    return {line[0]: line[1] for line in lines if len(line) == 2}


def records(lines: list[list[bytes]]) -> list[dict[bytes, bytes]]:
    """Return the rows of the one result that has more than two columns, each by the names of its header."""
    wide = [line for line in lines if len(line) > 2]
    return [dict(zip(wide[0], line, strict=False)) for line in wide[1:]]


def number(values: dict[bytes, bytes], name: bytes) -> float | None:
    """Return a number, None where there is none or it is NULL; raises ParseError for what is no number.

    >>> number({b"a": b"1.5", b"b": b"NULL"}, b"a"), number({b"b": b"NULL"}, b"b"), number({}, b"c")
    (1.5, None, None)
    """
    value = values.get(name, b"")
    if value in (b"", b"NULL"):
        return None
    if not _NUMBER.fullmatch(value):
        raise ParseError(shown(Foreign(name)), f"is no number: {shown(Foreign(value), 60)!r}")
    return float(value)
