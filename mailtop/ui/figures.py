"""Numbers as an operator reads them: short, with a unit, with their health as a sign, never a zero for no data."""

from __future__ import annotations

import time
from collections.abc import Sequence

from mailtop.model.snapshot import Health, Reading
from mailtop.ui.ink import Line

SIGNS = {Health.OK: "●", Health.WARN: "▲", Health.CRIT: "✖", Health.UNKNOWN: "?", Health.DENIED: "⊘"}
NONE = "—"

_WORST = (Health.CRIT, Health.DENIED, Health.UNKNOWN, Health.WARN, Health.OK)
_BLOCKS = "▁▂▃▄▅▆▇█"


def sign(health: Health) -> Line:
    """Return the health's sign in its colour."""
    return ((SIGNS[health], health.value),)


def worst(healths: Sequence[Health]) -> Health:
    """Return the gravest of some healths; no health at all is unknown."""
    return min(healths, key=_WORST.index, default=Health.UNKNOWN)


def span(seconds: float) -> str:
    """Return a length of time in one unit.

    >>> [span(s) for s in (0.04, 0.4, 41, 60, 660, 7200, 200000)]
    ['40 ms', '0.4 s', '41 s', '1 m', '11 m', '2 h', '2 d']
    """
    if seconds < 0:
        return "0 s"
    if seconds < 0.1:
        return f"{seconds * 1000:.0f} ms" if seconds else "0 s"
    if seconds < 9.95:
        return f"{seconds:.1f} s" if seconds % 1 else f"{seconds:.0f} s"
    for limit, size, unit in ((60, 1, "s"), (5400, 60, "m"), (172_800, 3600, "h")):
        if seconds < limit:
            return f"{int(seconds // size)} {unit}"
    return f"{int(seconds // 86_400)} d"


def whole(seconds: float) -> str:
    """Return an age: like `span`, in whole seconds, so that it does not flicker."""
    return span(float(int(max(0.0, seconds))))


def count(number: float) -> str:
    """Return a count, grouped; from a million on rounded.

    >>> [count(n) for n in (0, 398, 12345, 1234567)]
    ['0', '398', '12 345', '1.2 M']
    """
    if abs(number) < 999_950:
        return f"{number:,.0f}".replace(",", " ")
    return f"{number / 1e6:.1f} M" if abs(number) < 999.95e6 else f"{number / 1e9:.1f} G"


def signed(number: float) -> str:
    """Return a change: `+212`, `−30`, `±0`."""
    return f"+{count(number)}" if number > 0 else f"−{count(-number)}" if number < 0 else "±0"


def rate(per_second: float) -> str:
    """Return a rate with one digit behind the point while that says something.

    >>> [rate(r) for r in (0, 0.04, 4.61, 140.2)]
    ['0', '0.04', '4.6', '140']
    """
    if per_second == 0:
        return "0"
    if per_second < 0.095:
        return f"{per_second:.2f}"
    return f"{per_second:.1f}" if per_second < 99.95 else count(per_second)


def size(octets: float) -> str:
    """Return a size in decimal units.

    >>> [size(n) for n in (512, 79_000, 31_400_000, 4_000_000_000)]
    ['512 B', '79 kB', '31 MB', '4.0 GB']
    """
    amount = float(octets)
    for unit in ("B", "kB", "MB", "GB", "TB"):
        if amount < 999.5 or unit == "TB":
            return f"{amount:.1f} {unit}" if amount < 9.95 and unit not in ("B", "kB") else f"{amount:.0f} {unit}"
        amount /= 1000
    return ""


def clock(at: float, seconds: bool = True) -> str:
    """Return a time of day, in the operator's zone; at 0.0 (never) the sign for no data."""
    return time.strftime("%H:%M:%S" if seconds else "%H:%M", time.localtime(at)) if at else NONE


def stamp(at: float, now: float) -> str:
    """Return a time with its date where that is not today's."""
    here, today = time.localtime(at), time.localtime(now)
    return time.strftime("%H:%M:%S" if here[:3] == today[:3] else "%b %d %H:%M", here) if at else NONE


def figure(reading: Reading, words: str) -> Line:
    """Return a reading's `words` with its health: bare while it is ok, else with its sign; dim once it is stale."""
    if reading.value is None:
        return ((SIGNS[Health.DENIED], "denied"),) if reading.health is Health.DENIED else ((NONE, "faint"),)
    if reading.health is Health.OK:
        return ((words, "dim" if reading.stale else "text"),)
    return ((f"{SIGNS[reading.health]} ", reading.health.value), (words, reading.health.value))


def spark(values: Sequence[float | None], cells: int) -> str:
    """Return the last `cells` values as blocks, from 0 to their highest; a space where nothing was measured."""
    shown = values[-cells:]
    top = max((value for value in shown if value is not None), default=0.0)
    blocks = "".join(
        " " if value is None else _BLOCKS[min(7, int(value / top * 7.99)) if top > 0 else 0] for value in shown
    )
    return blocks.rjust(cells)


def bar(part: float, cells: int) -> str:
    """Return a progress bar: `▰▰▰▱▱`."""
    full = max(0, min(cells, round(part * cells)))
    return "▰" * full + "▱" * (cells - full)
