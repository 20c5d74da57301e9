"""Times in Postfix's settings: `5d`, `300s`, `4000`. Source: postconf(5), each parameter's "time units"."""

from __future__ import annotations

import re

from mailtop.model.errors import ParseError

_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 604_800}
_TIME = re.compile(r"(\d{1,9})([smhdw]?)", re.ASCII)


def seconds(value: str, unit: str) -> int:
    """Return a time in seconds; `unit` is the parameter's own, for a number without one. Raises ParseError.

    >>> seconds("5d", "d"), seconds("5", "d"), seconds("300s", "s"), seconds("0", "d")
    (432000, 432000, 300, 0)
    """
    found = _TIME.fullmatch(value.strip())
    if found is None:
        raise ParseError("postconf", f"{value[:40]!r} is no time")
    return int(found[1]) * _UNITS[found[2] or unit]
