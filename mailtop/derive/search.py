"""The last hop of a mail's way: from the archive into the index, where a search finds it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from mailtop.derive.hops import WITHOUT_SUCCESS
from mailtop.model.board import Block
from mailtop.model.snapshot import NO_DATA, Health, HopState, Reading
from mailtop.model.topology import Hop

PROBES = ("manticore", "piler_archive")

SEARCHABLE, WAITS, MANY = "piler_searchable_seconds", "piler_unindexed_seconds", "piler_unindexed_documents"

_ORDER = (Health.CRIT, Health.WARN, Health.DENIED, Health.UNKNOWN, Health.OK)


def search_hop(blocks: Iterable[Block], now: float) -> HopState:
    """Return the row of the search hop: how long a search takes, what waits for the index, and for how long.

    Last success: when the newest mail that a search finds was archived. It is critical where mails have waited for
    the index, and none got there, for as long as at any hop.
    """
    found = [one for one in blocks if one.probe in PROBES]
    by_host: dict[str, list[Health]] = {}
    for one in found:
        by_host.setdefault(one.target.partition("/")[0], []).append(one.health)
    lacks = next((one.note for one in found if one.note), "") if found else "no archive found yet"
    wrong = [figure for one in found if not one.stale for figure in one.figures if figure.reading.health is Health.CRIT]
    return HopState(
        Hop.SEARCH,
        rate=NO_DATA,
        p95=_worst(found, "manticore_search_seconds"),
        active=NO_DATA,
        deferred=_worst(found, MANY),
        growth=NO_DATA,
        oldest=_worst(found, WAITS),
        last_success=_last_success(found, now),
        failing=" ".join(filter(None, (wrong[0].label, wrong[0].of))) if wrong else "",
        hosts=tuple((host, min(healths, key=_ORDER.index)) for host, healths in by_host.items()),
        note=lacks,
    )


def _last_success(blocks: Sequence[Block], now: float) -> Reading:
    """Of several archives, the one that is furthest behind."""
    readings: list[Reading] = []
    for one in blocks:
        by = {figure.metric: figure.reading for figure in one.figures}
        found, waits, many = (by.get(name, NO_DATA) for name in (SEARCHABLE, WAITS, MANY))
        if found.value is None and waits.value is None:
            continue
        age = None if found.value is None else found.value + max(0.0, now - found.at)
        waited = (waits.value or 0.0) if many.value else 0.0
        if waited >= WITHOUT_SUCCESS and not one.stale:
            note = f"{many.value:.0f} archived mails wait for the index, the oldest is {waited / 60:.0f} min late"
            readings.append(Reading(age, Health.CRIT, found.at or waits.at, note=note))
        else:
            blind = one.stale or age is None
            health = Health.UNKNOWN if blind else Health.OK
            readings.append(Reading(age, health, found.at or waits.at, one.stale, one.note if blind else ""))
    return min(readings, key=lambda one: (_ORDER.index(one.health), -(one.value or 0.0)), default=NO_DATA)


def _worst(blocks: Sequence[Block], metric: str) -> Reading:
    """The gravest reading of a metric, and of those the highest; no data where nothing tells."""
    readings = [figure.reading for one in blocks for figure in one.figures if figure.metric == metric]
    return min(readings, key=lambda one: (_ORDER.index(one.health), -(one.value or 0.0)), default=NO_DATA)
