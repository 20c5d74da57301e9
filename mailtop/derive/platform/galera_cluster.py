"""What no member of a Galera cluster can see by itself: two majorities of one cluster, or two clusters of one name.

A forced bootstrap on a side that was cut off makes a second primary component. It keeps the state's UUID, and counts on
from the same configuration: only the members that either side names tell them apart.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from mailtop.derive.platform import Derived, Seen
from mailtop.model.board import Block, Line, Metric, Table
from mailtop.model.health import Health
from mailtop.model.sample import Sample
from mailtop.model.text import Foreign

LINES = 50
PRIMARIES = Metric(
    "galera_primaries", "primaries", crit=2.0, means="components of one state that each take writes, no member common"
)
HISTORIES = Metric("galera_histories", "histories", warn=2.0, means="states of clusters that go by one name")


def find(seen: Seen) -> Iterator[Sample | Table]:
    """Yield what the members' blocks of now say together, where two of one cluster at least are seen.

    What is old, or tells no members, proves nothing and is left out. Members that are asked one after the other may
    name another view each for a while, but those of one component always share a member.
    """
    clusters: dict[str, list[tuple[Block, dict[str, str]]]] = {}
    for one in seen.of("galera"):
        words = dict(one.words)
        primary = not one.stale and words.get("cluster", "").lower() == "primary"
        if primary and words.get("members") and words.get("state uuid"):
            clusters.setdefault(words.get("cluster name", ""), []).append((one, words))
    for name, members in sorted(clusters.items()):
        if len(members) < 2:
            continue
        views: dict[str, list[frozenset[str]]] = {}
        for _, words in members:
            views.setdefault(words["state uuid"], []).append(frozenset(words["members"].split(",")))
        most = max(len(_components(of_one)) for of_one in views.values())
        yield Sample(PRIMARIES.name, most, (("of", name),))
        yield Sample(HISTORIES.name, len(views), (("of", name),))
        health = Health.CRIT if most > 1 else Health.WARN if len(views) > 1 else Health.OK
        if health is not Health.OK:
            lines = [
                Line((Foreign(one.target.encode()), Foreign(words["members"].encode())), health)
                for one, words in members
            ]
            yield Table(f"who sees whom in {name}", ("node", "members"), tuple(lines[:LINES]), len(lines))


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


GALERA_CLUSTER = Derived(
    "galera_cluster", "replication", "clusters", find, (PRIMARIES, HISTORIES), of=("galera",), order=20
)
