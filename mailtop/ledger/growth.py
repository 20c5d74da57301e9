"""How much each row of the causes grew: against a listing of ten minutes ago, where one is known."""

from __future__ import annotations

from collections import Counter, deque
from typing import NamedTuple

from mailtop.ledger.grouping import WINDOW, Group, Name
from mailtop.parse.postqueue import Listing


class _Past(NamedTuple):
    """Sizes at an earlier listing, and how much of them was ten minutes young then, by row and by reason."""

    at: float
    sizes: dict[Name, int]
    recent: dict[Name, int]


class Growth:
    """The sizes of one target's rows over the last ten minutes."""

    def __init__(self) -> None:
        self._past: deque[_Past] = deque()
        self._at = 0.0
        self._whole = False

    @property
    def began(self) -> bool:
        """Is there a listing that later ones can be held against?"""
        return bool(self._past)

    def remember(self, listing: Listing, groups: dict[Name, Group]) -> None:
        """Take the rows of a fresh listing; one that is not whole says nothing about sizes."""
        self._at, self._whole, past = listing.at, listing.whole, self._past
        while past and past[-1].at > listing.at:
            past.pop()  # of the future: a clock was set back
        if listing.whole and (not past or listing.at - past[-1].at >= 20.0):
            past.append(_Past(listing.at, *_sizes(groups)))
        while len(past) > 1 and past[1].at <= listing.at - WINDOW:
            past.popleft()

    def of(self, groups: dict[Name, Group]) -> dict[Name, int]:
        """Return how much each row grew in ten minutes.

        From the sizes then, where a listing of then is known. Before that from the oldest one, of which no more was new
        than had arrived in the ten minutes before it; or from what arrived and still waits: both are upper bounds.
        """
        past = self._past[0] if self._whole and self._past and self._past[0].at <= self._at - 60 else None
        totals: Counter[Name] = Counter()
        recent: Counter[Name] = Counter()
        for name, group in groups.items():
            for level in {name, Name(name.reason, name.next_hop), Name(name.reason)}:
                totals[level] += group.size
                recent[level] += group.recent

        def grown(level: Name) -> int:
            if past is None:
                return recent[level]
            if level in past.sizes:
                young = past.recent[level] if past.at > self._at - WINDOW else 0
                return totals[level] - past.sizes[level] + young
            return recent[level] if Name(level.reason) in past.sizes else totals[level]

        growth: dict[Name, int] = {}
        for name, group in groups.items():
            own = grown(name)
            if not name.next_hop:
                own -= sum(
                    grown(Name(n.reason, n.next_hop))
                    for n in groups
                    if n.reason == name.reason and n.next_hop and not n.sender
                )
            elif not name.sender:
                own -= sum(grown(n) for n in groups if n.sender and n[:2] == name[:2])
            growth[name] = own + group.bounced_lately
        return growth


def _sizes(groups: dict[Name, Group]) -> tuple[dict[Name, int], dict[Name, int]]:
    sizes: Counter[Name] = Counter()
    recent: Counter[Name] = Counter()
    for name, group in groups.items():
        for level in {name, Name(name.reason, name.next_hop), Name(name.reason)}:
            sizes[level] += group.size
            recent[level] += group.recent
    return sizes, recent
