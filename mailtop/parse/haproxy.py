"""HAProxy's `show stat`: CSV whose first line begins `# `. Source: HAProxy's management guide, 9.1 and 9.3."""

from __future__ import annotations

import csv
from collections.abc import Iterator

from msgspec import Struct

from mailtop.model.errors import ParseError
from mailtop.model.text import Foreign, shown

FRONTEND, BACKEND = b"FRONTEND", b"BACKEND"
NEEDED = ("pxname", "svname", "status", "scur")


class Stat(Struct, frozen=True):
    """One line: a frontend, a backend as a whole, or one server of it. `limit`: of sessions, None where there is none.

    `status`: `OPEN`, `UP`, `UP 1/3`, `DOWN`, `NOLB`, `MAINT (via x/y)`, `no check`. `check`: the last check's result.
    """

    proxy: Foreign
    name: Foreign
    status: Foreign
    sessions: int
    limit: int | None = None
    total: int | None = None
    check: Foreign = Foreign(b"")

    @property
    def works(self) -> bool:
        """Is it used? What is on its way down still is; what has no check is taken to be."""
        return self.status.startswith((b"UP", b"OPEN", b"no check"))


def stats(output: bytes) -> Iterator[Stat]:
    r"""Yield all that is told; raises ParseError for what is no such table, or a table that broke off.

    >>> text = b"# pxname,svname,scur,slim,status,\nimap,mail1,3,100,UP 1/3,\n\n"
    >>> [(one.name, one.sessions, one.limit, one.status, one.works) for one in stats(text)]
    [(b'mail1', 3, 100, b'UP 1/3', True)]
    """
    text = output.decode("utf-8", "surrogateescape")
    if not text.startswith("# ") or not text.endswith("\n\n"):
        raise ParseError("haproxy", f"no whole table: {shown(Foreign(output), 80)!r}")
    rows = csv.reader(text[2:].splitlines())
    names = next(rows)
    if missing := [name for name in NEEDED if name not in names]:
        raise ParseError("haproxy", f"tells no {', '.join(missing)}")
    for row in rows:
        if not row:
            continue
        values = dict(zip(names, row, strict=False))
        sessions = _number(values, "scur")
        if "status" not in values or sessions is None:
            continue  # a listener's own line tells no more than its frontend's
        yield Stat(
            _foreign(values["pxname"]),
            _foreign(values["svname"]),
            _foreign(values["status"]),
            sessions,
            _number(values, "slim") or None,
            _number(values, "stot"),
            _foreign(values.get("check_status", "")),
        )


def _number(values: dict[str, str], name: str) -> int | None:
    value = values.get(name, "")
    return int(value) if value.isascii() and value.isdigit() else None


def _foreign(value: str) -> Foreign:
    return Foreign(value.encode("utf-8", "surrogateescape"))
