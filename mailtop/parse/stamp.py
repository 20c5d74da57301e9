"""Times of log lines: RFC 3339 with an offset, and the traditional stamp without a year; a file may hold both.

Sources: RFC 3339; RFC 3164 section 4.1.2 (`Nov  4 02:35:14`, local time of the host that wrote it).
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone, tzinfo

_MONTHS = {name: number for number, name in enumerate(b"Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec".split(), 1)}
_AHEAD = timedelta(days=2)  # a host's clock may run before ours; a line from last December never by so little
_MEMO = 4096


class Stamps:
    """Turns stamps into seconds since the epoch.

    `reference`: a moment not long before which the newest line was written (now, or the file's mtime, seconds since
    the epoch): a traditional stamp gets the latest year that does not put it more than two days behind it.
    `zone`: the zone of the host that writes traditional stamps. `unreadable` counts stamps that are none; such a line
    is given the time of the line before it.

    >>> Stamps(reference=1767312000.0).at(b"Dec 31 23:59:59"), Stamps(0.0).at(b"2025-12-31T23:59:59.5Z")
    (1767225599.0, 1767225599.5)
    """

    def __init__(self, reference: float, zone: tzinfo = UTC) -> None:
        self.reference = reference
        self.unreadable = 0
        self.newest = 0.0
        self._zone = zone
        self._seconds: dict[bytes, float] = {}
        self._last = 0.0

    def be_in(self, zone: tzinfo | None) -> None:
        """From now on, stamps without a zone are in this one; None leaves it."""
        if zone is not None and zone != self._zone:
            self._zone = zone
            self._seconds.clear()

    def at(self, stamp: bytes) -> float:
        """Return one stamp's time, with its fraction."""
        return self._second(stamp) + _fraction(stamp)

    def second(self, stamp: bytes) -> float:
        """Return one stamp's time in whole seconds, and keep the newest in `newest`."""
        at = self._second(stamp)
        if at > self.newest:
            self.newest = at
        return at

    def _second(self, stamp: bytes) -> float:
        key = stamp[:19] + stamp[19:].lstrip(b".0123456789")
        known = self._seconds.get(key)
        if known is not None:
            return known
        try:
            if stamp[:1].isdigit():
                when = datetime.fromisoformat(key.decode("ascii"))
                known = (when if when.tzinfo else when.replace(tzinfo=self._zone)).timestamp()
            else:
                known = self._traditional(stamp)
        except (ValueError, OverflowError, KeyError):
            self.unreadable += 1
            return self._last
        if len(self._seconds) >= _MEMO:
            self._seconds.clear()
        fixed = isinstance(self._zone, timezone)  # elsewhere the hour that a clock goes back is not the same twice
        if stamp[:1].isdigit() or fixed:
            self._seconds[key] = known
        self._last = known
        return known

    def _traditional(self, stamp: bytes) -> float:
        month, day = _MONTHS[stamp[:3]], int(stamp[4:6])
        hour, minute, second = int(stamp[7:9]), int(stamp[10:12]), int(stamp[13:15])
        latest = datetime.fromtimestamp(self.reference, UTC) + _AHEAD
        for year in range(latest.year, latest.year - 9, -1):  # 29 February may be eight years back
            try:
                when = datetime(year, month, day, hour, minute, min(second, 59), tzinfo=self._zone)
            except ValueError:
                continue
            if when <= latest:
                early, late = when.timestamp(), when.replace(fold=1).timestamp()
                return late if early < self._last - 60 and abs(late - self._last) < 3600 else early
        raise ValueError(stamp)


def _fraction(stamp: bytes) -> float:
    tail = stamp[19:]
    digits = tail[: len(tail) - len(tail.lstrip(b".0123456789"))]
    try:
        return float(digits) if len(digits) > 1 else 0.0
    except ValueError:
        return 0.0
