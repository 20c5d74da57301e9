"""What `doveadm -f tab` prints: a line of column names, then a line a row, with tabs between.

Columns are found by name: versions rename, add and drop them. Sources: doveadm(1), doveadm-who(1) and
doveadm-service-status(1) of Dovecot 2.3 and 2.4, and what both really print.
"""

from __future__ import annotations

from msgspec import Struct

from mailtop.model.ask import Answer
from mailtop.model.errors import ParseError
from mailtop.model.text import Foreign, shown


class Service(Struct, frozen=True):
    """One service of the master process, as `doveadm -f tab service status` tells it.

    `processes`: those that run; `free`: those of them with room for a further client; `limit`: of processes;
    `clients`: that one process may have; `throttled`: seconds that the master waits after a failed start;
    `dropped`: when it last had to drop clients, seconds since the epoch, 0 where never; `pending`: somebody waits now.
    """

    name: bytes
    processes: int
    free: int
    limit: int
    clients: int
    throttled: int
    dropped: int
    pending: bool

    @property
    def busy(self) -> float:
        """The share of its limit that has no room for a further client: at 1 the master drops clients.

        >>> Service(b"imap", processes=75, free=3, limit=96, clients=1, throttled=0, dropped=0, pending=False).busy
        0.75
        """
        return (self.processes - self.free) / self.limit if self.limit else 0.0


def table(thing: str, answer: Answer, *columns: bytes) -> list[tuple[bytes, ...]]:
    r"""Return these columns of all rows; `old|new` is one that has either name.

    `thing` names the program in the errors: `Answer.ok`'s, and ParseError where a column or a part of a row is missing.

    >>> who = Answer(b"username\tservice\tpid\tip\tdest_ip\nann\timap\t7\t192.0.2.1\t\n")
    >>> table("doveadm", who, b"username", b"proto|service")
    [(b'ann', b'imap')]
    """
    header, _, rest = answer.ok(thing, "only root may ask it").partition(b"\n")
    names = header.split(b"\t")
    places = [next((names.index(name) for name in column.split(b"|") if name in names), -1) for column in columns]
    if -1 in places:
        missing = columns[places.index(-1)].decode()
        raise ParseError(thing, f"no column {missing}: {shown(Foreign(header), 80)!r}")
    rows = [line.split(b"\t") for line in rest.splitlines()]
    for row in rows:
        if len(row) != len(names):
            raise ParseError(thing, f"not a row of {len(names)}: {shown(Foreign(b' '.join(row)), 80)!r}")
    if answer.cut:
        raise ParseError(thing, f"too long: {len(rows)} rows and no end")
    return [tuple(row[place] for place in places) for row in rows]


def number(thing: str, text: bytes) -> int:
    """Return a whole number of at least 0, or raise ParseError."""
    if not text.isdigit() or len(text) > 18:
        raise ParseError(thing, f"not a number: {shown(Foreign(text), 40)!r}")
    return int(text)


def services(answer: Answer) -> list[Service]:
    """Read `doveadm -f tab service status`."""
    thing = "doveadm service status"
    names = b"process_count process_avail process_limit client_limit throttle_secs last_drop_warning".split()
    rows = table(thing, answer, b"name", b"listen_pending", *names)
    if not rows:
        raise ParseError(thing, "no service")
    found = []
    for name, pending, *cells in rows:
        processes, free, limit, clients, throttled, dropped = (number(thing, cell) for cell in cells)
        found.append(Service(name, processes, free, limit, clients, throttled, dropped, pending == b"y"))
    return found
