"""Queue files that mailtop keeps of deleted mail: what `stat -c '%Z %s %h %n'` says of them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

from mailtop.model.mail import QueueId

FORMAT = "%Z %s %h %n"
_LINE = re.compile(rb"(\d+) (\d+) (\d+) .*/(r[0-9a-f]+-\d+)/([0-9A-Za-z]{6,32})")


class KeptFile(NamedTuple):
    """One kept file. `at`: when its last name or link changed, seconds since the epoch. `links` 2: it is queued too."""

    receipt: str
    id: QueueId
    at: float
    size: int
    links: int


def kept_files(stdout: bytes) -> Iterator[KeptFile]:
    """Read a line a file; what is not ours is left out.

    >>> list(kept_files(b"1795508498 545 1 /var/spool/postfix/mailtop-kept/r19a-1/4jYbPZ67MTzF1q0"))
    [KeptFile(receipt='r19a-1', id='4jYbPZ67MTzF1q0', at=1795508498.0, size=545, links=1)]
    """
    for line in stdout.splitlines():
        if found := _LINE.fullmatch(line):
            at, size, links, receipt, id_ = (field.decode("ascii") for field in found.groups())
            yield KeptFile(receipt, QueueId(id_), float(at), int(size), int(links))
