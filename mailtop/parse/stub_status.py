r"""What nginx's `stub_status` tells, as an HTTP answer with its head.

Format: ngx_http_stub_status_module:

    Active connections: 291
    server accepts handled requests
     16630948 16630948 31070465
    Reading: 6 Writing: 179 Waiting: 106
"""

from __future__ import annotations

import re

from msgspec import Struct

from mailtop.model.errors import ParseError
from mailtop.model.text import Foreign, shown

_BODY = re.compile(
    rb"Active connections: (\d{1,18}) *\r?\n"
    rb"server accepts handled requests(?: request_time)? *\r?\n"  # tengine adds a column
    rb" *(\d{1,18}) +(\d{1,18}) +(\d{1,18})(?: +\d+)? *\r?\n"
    rb"Reading: (\d{1,18}) +Writing: (\d{1,18}) +Waiting: (\d{1,18})"
)
_VERSION = re.compile(rb"(?im)^server: *nginx/([0-9][0-9A-Za-z.+-]{0,20})")


class StubStatus(Struct, frozen=True):
    """Counts of connections and requests; the three of them that are totals begin anew with nginx. `version`: or ""."""

    version: str
    active: int
    accepted: int
    handled: int
    requests: int
    reading: int
    writing: int
    waiting: int


def read(octets: bytes) -> StubStatus:
    """Read an answer of `curl -i`; raises ParseError."""
    body = _BODY.search(octets)
    if body is None:
        first = Foreign(octets.strip().partition(b"\n")[0].strip())
        raise ParseError("nginx_status", f"not what stub_status tells: {shown(first, 80)!r}")
    version = _VERSION.search(octets, 0, body.start())
    return StubStatus(version[1].decode("ascii") if version else "", *map(int, body.groups()))
