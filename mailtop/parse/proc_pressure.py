"""Lines of /proc/pressure, each behind its file's name. Source: Linux, Documentation/accounting/psi.rst."""

from __future__ import annotations

import re
from collections.abc import Iterator

from msgspec import Struct

from mailtop.model.errors import ParseError
from mailtop.model.text import Foreign, shown

_LINE = re.compile(
    rb"/proc/pressure/(cpu|memory|io):(some|full) avg10=(\d+\.\d+) avg60=(\d+\.\d+) avg300=\d+\.\d+ total=\d+"
)


class Pressure(Struct, frozen=True):
    """`who` waited: `some` or `full`, all. `share`: of the last `seconds`, 0 … 1."""

    resource: str
    who: bytes
    seconds: int
    share: float


def read(octets: bytes) -> Iterator[Pressure]:
    """Yield what each line tells; raises ParseError.

    >>> [str(one.share) for one in read(b"/proc/pressure/io:some avg10=1.50 avg60=0.03 avg300=0.01 total=154\\n")]
    ['0.015', '0.0003']
    """
    lines = octets.splitlines()
    for line in lines:
        match = _LINE.fullmatch(line)
        if match is None:
            raise _not_so(line)
        for seconds, percent in ((10, match[3]), (60, match[4])):
            yield Pressure(match[1].decode("ascii"), match[2], seconds, round(float(percent) / 100, 4))
    if not lines:
        raise _not_so(octets)


def _not_so(octets: bytes) -> ParseError:
    return ParseError("/proc/pressure", f"not what it was: {shown(Foreign(octets), 80)!r}")
