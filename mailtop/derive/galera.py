"""What no member of a Galera cluster can see by itself: two majorities of one cluster, or two clusters of one name.

A forced bootstrap on a side that was cut off makes a second primary component. It keeps the state's UUID, and counts on
from the same configuration: only the members that either side names tell them apart.
"""

from __future__ import annotations

from collections.abc import Iterable

from mailtop.model.board import Block, Figure, Line, Table
from mailtop.model.health import Health, Reading
from mailtop.model.text import Foreign

SPLIT, APART = "galera_primaries", "galera_histories"


def galera(blocks: Iterable[Block]) -> Block | None:
    """Return what the members' blocks of now say together; None where fewer than two of one cluster are seen.

    What is old, or tells no members, proves nothing and is left out. Members that are asked one after the other may
    name another view each for a while, but those of one component always share a member.
    """
    clusters: dict[str, list[tuple[Block, dict[str, str]]]] = {}
    for one in blocks:
        words = dict(one.words)
        primary = one.probe == "galera" and not one.stale and words.get("cluster", "").lower() == "primary"
        if primary and words.get("members") and words.get("state uuid"):
            clusters.setdefault(words.get("cluster name", ""), []).append((one, words))
    figures, tables = [], []
    at = 0.0
    for name, seen in sorted(clusters.items()):
        if len(seen) < 2:
            continue
        at = max(at, *(one.at for one, _ in seen))
        histories: dict[str, list[frozenset[str]]] = {}
        for _, words in seen:
            components = histories.setdefault(words["state uuid"], [])
            components.append(frozenset(words["members"].split(",")))
        most = max(len(_components(views)) for views in histories.values())
        split = Health.CRIT if most > 1 else Health.OK
        apart = Health.WARN if len(histories) > 1 else Health.OK
        figures.append(Figure(SPLIT, "primaries", name, reading=Reading(float(most), split, at)))
        figures.append(Figure(APART, "histories", name, reading=Reading(float(len(histories)), apart, at)))
        if split is not Health.OK or apart is not Health.OK:
            lines = tuple(
                Line((Foreign(one.target.encode()), Foreign(words["members"].encode())), max(split, apart, key=_RANK))
                for one, words in seen
            )
            tables.append(Table(f"who sees whom in {name}", ("node", "members"), lines[:50], len(lines)))
    if not figures:
        return None
    worst = max((one.reading.health for one in figures), key=_RANK)
    return Block("", "galera_cluster", "clusters", worst, at, figures=tuple(figures), tables=tuple(tables))


def _components(views: Iterable[frozenset[str]]) -> list[frozenset[str]]:
    """Put together the views that share a member.

    >>> len(_components([frozenset("ab"), frozenset("bc"), frozenset("d")]))
    2
    """
    found: list[frozenset[str]] = []
    for view in views:
        touching = [one for one in found if one & view]
        found = [one for one in found if not one & view] + [view.union(*touching)]
    return found


_RANK = (Health.OK, Health.WARN, Health.CRIT).index
