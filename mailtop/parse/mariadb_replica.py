"""What a replica says of each server that it follows. Source: SHOW ALL REPLICAS STATUS (MariaDB), SHOW REPLICA STATUS.

MariaDB keeps the old words (Slave, Master), MySQL 8.4 has the new ones only (Replica, Source).
"""

from __future__ import annotations

import re

from msgspec import Struct

from mailtop.model.errors import ParseError
from mailtop.model.health import Health
from mailtop.model.text import Foreign
from mailtop.parse.mariadb import number

QUERY = "/*M! SHOW ALL SLAVES STATUS *//*!80022 SHOW REPLICA STATUS */"
"""One statement, of which either server sees its own half: MariaDB passes over MySQL's marks from 5.7.0 on."""

LATE, TOO_LATE = 30.0, 300.0  # seconds

_POSITION = re.compile(rb"(\d+)-\d+-(\d+)")  # domain, server, sequence


class Following(Struct, frozen=True):
    """One connection to a source. `lag`: seconds beyond the delay that is wanted, None while a thread does not run.

    `io`, `sql`: does that thread run (`Connecting` does not)? `unapplied`: transactions that are here but not applied
    yet, None where no MariaDB GTID tells. `received`, `applied`: GTID positions.
    """

    name: Foreign
    source: Foreign
    io: Foreign
    sql: Foreign
    lag: float | None
    error: Foreign
    received: Foreign
    applied: Foreign
    unapplied: int | None

    @property
    def receives(self) -> bool:
        """Is it connected to its source?"""
        return self.io in (b"Yes", b"Preparing")

    @property
    def applies(self) -> bool:
        """Does it carry out what it received?"""
        return self.sql == b"Yes"

    @property
    def health(self) -> Health:
        """A thread that does not run is crit, else the lag tells."""
        if not self.receives or not self.applies or (self.lag or 0) >= TOO_LATE:
            return Health.CRIT
        return Health.WARN if (self.lag or 0) >= LATE else Health.OK


def following(record: dict[bytes, bytes]) -> Following:
    """Read one row by its header; raises ParseError where it is no replica's."""
    values = {_old(name): value for name, value in record.items()}
    if b"Slave_IO_Running" not in values or b"Slave_SQL_Running" not in values:
        raise ParseError("replica status", "names no threads")
    lag, delay = number(values, b"Seconds_Behind_Master"), number(values, b"SQL_Delay")
    errors = (values.get(name, b"") for name in (b"Last_SQL_Error", b"Last_IO_Error", b"Last_Error"))
    received = Foreign(values.get(b"Gtid_IO_Pos") or values.get(b"Retrieved_Gtid_Set", b""))
    applied = Foreign(values.get(b"Gtid_Slave_Pos") or values.get(b"Executed_Gtid_Set", b""))
    return Following(
        name=Foreign(values.get(b"Connection_name") or values.get(b"Channel_Name", b"")),
        source=Foreign(values.get(b"Master_Host", b"")),
        io=Foreign(values[b"Slave_IO_Running"]),
        sql=Foreign(values[b"Slave_SQL_Running"]),
        lag=None if lag is None else max(0.0, lag - (delay or 0.0)),
        error=Foreign(next(filter(None, errors), b"")),
        received=received,
        applied=applied,
        unapplied=_unapplied(received, applied) if b"Gtid_IO_Pos" in values else None,
    )


def _old(name: bytes) -> bytes:
    return name.replace(b"Replica_", b"Slave_").replace(b"Source", b"Master")


def _unapplied(received: bytes, applied: bytes) -> int | None:
    """Sum what is missing over the domains that both positions tell; None where they have none in common.

    >>> _unapplied(b"0-1-48,1-3-7", b"0-1-40"), _unapplied(b"", b"0-1-40"), _unapplied(b"0-1-7", b"0-2-8")
    (8, None, 0)
    """
    here, done = dict(_POSITION.findall(received)), dict(_POSITION.findall(applied))
    gaps = [max(0, int(here[domain]) - int(done[domain])) for domain in here if domain in done]
    return sum(gaps) if gaps else None
