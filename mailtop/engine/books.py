"""The books of every Postfix: what fills them, and what they tell of one when an act asks."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial

from mailtop.config import Settings
from mailtop.engine.clock import Clock
from mailtop.engine.follow import GATHER, Follower
from mailtop.engine.link import Link
from mailtop.engine.log_source import log_source
from mailtop.engine.mta import Mta
from mailtop.engine.skew import HostClock
from mailtop.model.ask import Chunk, Follow
from mailtop.model.operation import Outcome
from mailtop.model.topology import Role, Target
from mailtop.parse.batch import Batch
from mailtop.parse.log_times import zone_of_lines
from mailtop.parse.postfix_log import PostfixLog
from mailtop.parse.stamp import Stamps

OLD_ANSWER = 10.0  # seconds; a recording that is played fast answers with what was true so long ago


class Books:
    """Belongs to the engine's loop. `mtas`: by target's name, those that are long gone too."""

    def __init__(
        self, settings: Settings, clock: Clock, keep: Callable[[Target, Chunk], None], *, driven: bool
    ) -> None:
        """`keep` is given all lines once. `driven`: a recording is played."""
        self.mtas: dict[str, Mta] = {}
        self._settings = settings
        self._clock = clock
        self._keep = keep
        self._driven = driven
        self._roles: dict[str, tuple[Role, ...]] = {}
        self._writers: dict[str, tuple[bytes, frozenset[bytes]]] = {}  # who writes into a Postfix's log

    def see(self, target: Target) -> None:
        """Learn what a container is: it may be somebody's next hop."""
        if target.container and not target.instance:
            self._roles[target.container] = target.roles

    def follower(self, target: Target, link: Link, writers: tuple[bytes, frozenset[bytes]]) -> Follower[Batch]:
        """The follower of a Postfix's log, which fills its books; a container made anew finds its books.

        `writers`: by what name it writes, where it is a further instance, and the others that write there too.
        """
        clock = HostClock(slack=OLD_ANSWER if self._driven else 0.0)
        own, others = writers
        if self._writers.get(target.name, writers) != writers:
            self.mtas.pop(target.name, None)  # its books hold what others wrote
        self._writers[target.name] = writers
        self.mtas.setdefault(target.name, Mta(target, self._settings.flow, self._roles, clock))
        now = self._clock.now()
        parser = PostfixLog(Stamps(now), (lambda name: name == own if own else name not in others) if others else None)

        def parse(chunk: Chunk) -> Batch:
            parser.stamps.reference = chunk.stamp or now  # a year that turns while we watch
            if chunk.stamp:
                parser.stamps.be_in(zone_of_lines(chunk.lines, chunk.stamp))
            return parser.read(chunk.lines)

        since = 0 if self._driven else int(now) - self._settings.history
        gather = 0.0 if self._driven else GATHER
        given = [service.log for service in self._settings.services.values() if service.target == target.name]
        source = next(filter(None, given), "docker" if self._driven else "")
        follow, choose = Follow(source, since=max(1, since)), None if source else partial(log_source, target)
        return Follower(target, follow, link, self._clock, parse, self._take_log, gather, choose)

    def _take_log(self, target: Target, batch: Batch, chunk: Chunk) -> None:
        mta = self.mtas[target.name]
        mta.feed(batch, chunk, self._clock.now())
        if chunk.lines and not target.instance:  # instances share one log
            self._keep(target, chunk)

    def queued(self, target: str) -> int | None:
        """How many messages a target's queue holds, None where nobody knows."""
        mta = self.mtas.get(target)
        return mta.messages if mta is not None else None

    def paused(self, target: str) -> frozenset[str] | None:
        """The domains whose delivery mailtop has paused on a target; None where nobody knows."""
        mta = self.mtas.get(target)
        return mta.paused if mta is not None else None

    def facts(self, target: str) -> Mapping[str, str]:
        """What a target said of itself, by the fact's name; empty where it said nothing yet."""
        mta = self.mtas.get(target)
        return mta.facts if mta is not None else {}

    @property
    def evidence(self) -> tuple[tuple[str, int, bool], ...]:
        """Changes whenever something is known from which the fate of a message may be decided."""
        return tuple((name, *mta.evidence) for name, mta in self.mtas.items())

    def decide(self, action: str, target: str, outcome: Outcome, after: float, began: float) -> Outcome | None:
        """What became of a message since an act; None while nothing has decided it."""
        mta = self.mtas.get(target)
        return mta.decide(action, outcome, after, began) if mta is not None else None

    def ahead(self, host: str) -> float:
        """How far a host's clock is ahead of ours, in seconds; 0.0 as long as nothing proves that it is not."""
        skews = (mta.clock.ahead for mta in self.mtas.values() if mta.target.host == host)
        return max(skews, key=abs, default=0.0)
