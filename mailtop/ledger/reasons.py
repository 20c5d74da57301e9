"""Mail that waits or bounced, grouped by reason, next hop and sender, with what came and went in each minute."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from msgspec import Struct

from mailtop.model.text import Foreign
from mailtop.model.topology import Hop

_MINUTE = 60.0
_HOUR = 3600.0
_GROUPS = 20_000
_REDUCED = 50_000

Key = tuple[bool, Hop, bytes, bytes, bytes, bytes]


class Group(Struct, gc=False):
    """One group while the book is open. `came` and `went`: messages by minute since the epoch."""

    bounced: bool
    first: float
    last: float
    waiting: int
    came: dict[int, int]
    went: dict[int, int]


class Reason(Struct, frozen=True):
    """Messages that are deferred, or bounced, for one reason at one next hop from one sender.

    `waiting`: messages now (0 for bounces); `came` and `went`: messages in the time asked for; a message whose
    reason changes leaves one group and comes to another. `first`, `last`: when the group got its first and last
    message, seconds since the epoch. `reason` as `reduce` left it, `code` its enhanced status.
    """

    hop: Hop
    code: str
    reason: Foreign
    next_hop: Foreign
    sender: Foreign
    waiting: int
    came: int
    went: int
    first: float
    last: float


class Reasons:
    """All groups. `reduce` takes addresses, ids and numbers out of a reason, so that like comes to like.

    Bounded: a group is forgotten an hour after its last message, and at 20,000 groups the oldest of those that no
    message waits in; `dropped` counts the latter.
    """

    def __init__(self, reduce: Callable[[bytes], bytes]) -> None:
        self._reduce = reduce
        self._reduced: dict[bytes, bytes] = {}
        self._groups: dict[Key, Group] = {}
        self.dropped = 0

    def group(
        self, bounced: bool, at: float, hop: Hop, code: bytes, reason: bytes, next_hop: bytes, sender: bytes
    ) -> Group:
        """Return the group that a message with such an answer belongs to."""
        key = (bounced, hop, code, self._like(reason), next_hop, sender)
        group = self._groups.get(key)
        if group is None:
            if len(self._groups) >= _GROUPS:
                self._make_room()
            group = self._groups[key] = Group(bounced, at, at, 0, {}, {})
        return group

    @staticmethod
    def come(group: Group, at: float) -> None:
        """Count one message into a group."""
        minute = int(at // _MINUTE)
        group.came[minute] = group.came.get(minute, 0) + 1
        if at > group.last:
            group.last = at
        if not group.bounced:
            group.waiting += 1

    @staticmethod
    def go(group: Group, at: float) -> None:
        """Count one message out of a group of deferred ones."""
        minute = int(at // _MINUTE)
        group.went[minute] = group.went.get(minute, 0) + 1
        group.waiting -= 1

    def groups(self, bounced: bool, since: float) -> Iterator[Reason]:
        """Yield the groups that messages wait in, or that some came to since then."""
        first = int(since // _MINUTE)
        for (kind, hop, code, reason, next_hop, sender), group in self._groups.items():
            if kind is not bounced:
                continue
            came = sum(count for minute, count in group.came.items() if minute >= first)
            went = sum(count for minute, count in group.went.items() if minute >= first)
            if came or went or group.waiting:
                yield Reason(
                    hop,
                    code.decode("ascii", "replace"),
                    Foreign(reason),
                    Foreign(next_hop),
                    Foreign(sender),
                    group.waiting,
                    came,
                    went,
                    group.first,
                    group.last,
                )

    def forget(self, before: float) -> None:
        """Drop minutes, and groups without messages, that are older than an hour before `before`."""
        oldest = int((before - _HOUR) // _MINUTE)
        for key, group in list(self._groups.items()):
            for minutes in (group.came, group.went):
                for minute in [minute for minute in minutes if minute < oldest]:
                    del minutes[minute]
            if not group.waiting and not group.came and not group.went:
                del self._groups[key]

    def _make_room(self) -> None:
        idle = sorted((group.last, key) for key, group in self._groups.items() if not group.waiting)
        idle = idle or sorted((group.last, key) for key, group in self._groups.items())
        for _, key in idle[: max(1, _GROUPS // 10)]:
            del self._groups[key]
            self.dropped += 1

    def _like(self, reason: bytes) -> bytes:
        like = self._reduced.get(reason)
        if like is None:
            if len(self._reduced) >= _REDUCED:
                self._reduced.clear()
            like = self._reduced[reason] = self._reduce(reason)
        return like
