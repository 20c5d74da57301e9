"""The last hop of a mail's way: from the archive into the index, where a search finds it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from mailtop.model.board import Block
from mailtop.model.snapshot import NO_DATA, Health, HopState, Reading
from mailtop.model.topology import Hop

PROBES = ("manticore", "piler_archive")

_ORDER = (Health.CRIT, Health.WARN, Health.DENIED, Health.UNKNOWN, Health.OK)


def search_hop(blocks: Iterable[Block]) -> HopState:
    """Return the row of the search hop: how long a search takes, what waits for the index, and for how long."""
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
        deferred=_worst(found, "piler_unindexed_documents"),
        growth=NO_DATA,
        oldest=_worst(found, "piler_unindexed_seconds"),
        last_success=NO_DATA,
        failing=" ".join(filter(None, (wrong[0].label, wrong[0].of))) if wrong else "",
        hosts=tuple((host, min(healths, key=_ORDER.index)) for host, healths in by_host.items()),
        note=lacks,
    )


def _worst(blocks: Sequence[Block], metric: str) -> Reading:
    """The gravest reading of a metric, and of those the highest; no data where nothing tells."""
    readings = [figure.reading for one in blocks for figure in one.figures if figure.metric == metric]
    return min(readings, key=lambda one: (_ORDER.index(one.health), -(one.value or 0.0)), default=NO_DATA)
