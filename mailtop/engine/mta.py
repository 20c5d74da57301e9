"""One Postfix as the engine knows it: its book from the log, its queue from listings and counts."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Mapping
from math import inf

from mailtop.action import ACTIONS, Action
from mailtop.config import FlowSettings
from mailtop.derive.hops import Flow, HopFlow
from mailtop.ledger.book import Ledger
from mailtop.ledger.hops import HOPS, HopRules
from mailtop.ledger.queue import QueueBook
from mailtop.model.ask import Chunk
from mailtop.model.mail import Queue, QueueEntry, QueueId
from mailtop.model.operation import Fate, Outcome
from mailtop.model.sample import Fact, Sample
from mailtop.model.snapshot import Cause, Health, LogState, PageAsk, ProbeState, QueueState, Reading, Shape
from mailtop.model.text import Foreign
from mailtop.model.topology import Hop, Role, Target
from mailtop.parse.batch import Batch
from mailtop.parse.postqueue import Listing
from mailtop.parse.reason import normalise

RATE = 60.0  # seconds over which rates are taken
BOUNCES = 3600.0  # seconds of bounces that count as a cause
LATELY = 600.0
UNDECIDED = 1300.0  # seconds: no delivery takes longer (smtp_data_done_timeout 600, twice, and a little)
ACTING = 60.0  # seconds before an act's end in which what it touched may have left the queue
SETTLED = 5.0  # seconds in which the log tells how a message left that a listing holds no more
BACKLOG = 5.0  # seconds behind: a log that is still being read back has no rate of now
SHOWN = (Queue.INCOMING, Queue.ACTIVE, Queue.DEFERRED, Queue.HOLD, Queue.CORRUPT, Queue.MAILDROP)
GHOSTS_AMONG = 50_000  # messages in a listing; among more, a set of all ids costs more memory than ghosts do
GHOST = 60.0  # seconds without a line about an id that no listing holds
QUIET = 1.5  # seconds without a piece of the log
_ACTIONS = {action.key: action for action in ACTIONS}
_COUNTED = {Queue.DEFERRED: "postfix_deferred", Queue.HOLD: "postfix_deferred"}  # which probe counts a directory
_ROLE_HOPS = {Role.FILTER: Hop.FILTER, Role.IMAP: Hop.MAILBOX, Role.ARCHIVE: Hop.ARCHIVE}


class Mta:
    """The books of one Postfix. Belongs to the engine's loop."""

    def __init__(self, target: Target, flow: FlowSettings, roles: Mapping[str, tuple[Role, ...]]) -> None:
        """`roles`: what each container's name on this platform is for, growing as they are found."""
        rules = HopRules(
            filter_ports=frozenset(flow.filter_ports),
            archive_domains=tuple(domain.encode() for domain in flow.archive_domains),
        )
        self.target = target
        self.book = Ledger(rules, flow.ignore_clients, reduce=lambda reason: normalise(reason).text)
        self.queue = QueueBook(target.name)
        self.facts: dict[str, str] = {}
        self.log_at = 0.0
        self.behind = inf
        self._fed_at = 0.0
        self._listed_at = 0.0
        self.version = 0
        self._archive_domains = rules.archive_domains
        self._roles = roles
        self._oldest: dict[Queue, float] = {}
        self._totals: deque[tuple[float, tuple[int, ...]]] = deque()
        self._causes: tuple[Cause, ...] = ()
        self._causes_at = (-1.0, -1)

    # what comes in

    def feed(self, batch: Batch, chunk: Chunk, now: float) -> None:
        """Enter a piece of the log. An empty one says that the log is followed from now on: what comes may be old."""
        if not chunk.lines:
            self.behind, self._fed_at = inf, now
            return
        self.book.feed(batch)
        self.book.settle(self.book.last_at)
        self.behind = now - chunk.stamp
        self._fed_at = now
        self._count(max(self.book.last_at, chunk.stamp))
        self.version += 1

    def follows(self, now: float) -> None:
        """The log is followed and says nothing: that is known until now."""
        self.log_at = now
        if now - self._fed_at > QUIET:  # nothing more comes: what there was has been read, however old it is
            self.behind = 0.0
        if self.behind < BACKLOG:
            self._count(now)

    def take(self, found: Iterable[object], asked: float, now: float) -> None:
        """Enter what a probe found. `asked`: when it was asked, and so when it was true; `now`: when we know it."""
        for one in found:
            if isinstance(one, Listing):
                self.queue.update(one, asked)
                self._forget_ghosts(one, asked)
                self._listed_at = now
                self.version += 1
            elif isinstance(one, Fact):
                self.facts[one.name] = one.value
            elif isinstance(one, Sample) and one.name.startswith("postfix_queue_"):
                queue = Queue(dict(one.labels)["queue"])
                if one.name == "postfix_queue_messages":
                    self.queue.counted(queue, int(one.value), asked)
                    self._oldest.pop(queue, None)
                else:
                    self._oldest[queue] = asked - one.value

    def _forget_ghosts(self, listing: Listing, at: float) -> None:
        """End ids that a whole listing does not hold: some ends are never logged (`postsuper -d ALL`)."""
        if listing.cut or self.behind >= BACKLOG or len(listing) > GHOSTS_AMONG:
            return
        queued = set(listing.ids)
        ghosts = []
        for number in self.book.ids():
            if number.encode() not in queued:
                shadow = self.book.entry(number)
                if shadow is not None and max(shadow.arrival, shadow.last_at) < at - GHOST:
                    ghosts.append(number)
        self.book.forget(ghosts, at)

    def _count(self, at: float) -> None:
        book, width = self.book, len(self.book.attempts) // len(HOPS)
        sent = tuple(book.messages[row * width] for row in range(len(HOPS)))
        totals = (*sent, book.accepted, book.refusals.codes.total())
        if self._totals and at - self._totals[-1][0] < 1.0:
            self._totals[-1] = (self._totals[-1][0], totals)
            return
        self._totals.append((at, totals))
        while len(self._totals) > 2 and self._totals[1][0] <= at - RATE:
            self._totals.popleft()

    # what goes out

    @property
    def messages(self) -> int | None:
        """How many messages the queue holds, None before anybody counted."""
        counts = self.queue.counts
        return sum(count for count, _ in counts.values()) if counts else None

    def causes(self, now: float) -> tuple[Cause, ...]:
        """All causes; computed again when something came in, or every few seconds."""
        at, version = self._causes_at
        if version != self.version or now - at >= 5.0 or now < at:
            bounces, lately = self.book.bounces(now - BOUNCES), self.book.bounces(now - LATELY)
            waiting, listing = self.queue.waiting, self.queue.listing
            self._causes = waiting.causes(listing, now, bounces, lately, self.book.hop_of, self._hop_at)
            self._causes_at = now, self.version
        return self._causes

    def _hop_at(self, next_hop: bytes) -> Hop | None:
        if next_hop in self._archive_domains:
            return Hop.ARCHIVE
        for role in self._roles.get(next_hop.decode("ascii", "replace"), ()):
            if role in _ROLE_HOPS:
                return _ROLE_HOPS[role]
        return None

    def page_causes(self, ask: PageAsk, now: float) -> tuple[int, tuple[Cause, ...]]:
        """One page of this queue's causes."""
        return self.queue.waiting.page(self.causes(now), ask)

    def page_shape(self, ask: PageAsk, now: float) -> tuple[int, tuple[Shape, ...]]:
        """One page of this queue's recipient domains by age."""
        return self.queue.shape(ask, now, self.book.hop_of)

    def page_messages(self, ask: PageAsk, now: float) -> tuple[int, tuple[QueueEntry, ...]]:
        """One page of this queue's messages."""
        return self.queue.messages(ask, now, self.book.hop_of)

    def known(self) -> tuple[str, float]:
        """What pages rest on, and when that was true."""
        listing = self.queue.listing
        return ("listing", listing.at) if listing is not None else ("log", self.log_at)

    def decide(self, action_key: str, outcome: Outcome, after: float) -> Outcome | None:
        """What an act that ended at `after` did to a message: by the log, then by a listing asked for since."""
        action, number = _ACTIONS.get(action_key), outcome.id
        if action is None:
            return None
        if self.book.removed(number, after - ACTING):
            return self._left(action, number, after)
        listing = self.queue.listing
        if listing is None or listing.cut or listing.at <= after:
            return None
        entry = self.queue.entry(number)
        late = listing.at - after > UNDECIDED
        if entry is None:
            told = self.behind < BACKLOG and self.log_at >= self._listed_at + SETTLED
            return Outcome(number, Fate.GONE, Foreign(b"not in the queue any more")) if told or late else None
        last, found = self.book.fate(number, after), Foreign(b"found in " + entry.queue.encode())
        if last is not None and last.status == "sent" and not entry.recipients:
            return Outcome(number, Fate.DELIVERED, Foreign(b"left all the same; its empty file stays on hold"))
        if entry.queue not in action.done:
            open_ = outcome.fate is Fate.IN_DELIVERY and entry.queue is Queue.ACTIVE and not late
            return None if open_ else Outcome(number, Fate.REFUSED, found)
        if outcome.fate is Fate.UNKNOWN:  # never read back: what the listing shows is what was done
            return Outcome(number, Fate.DONE, found)
        if last is not None or late:
            return Outcome(number, Fate.DONE, last.reason if last is not None else Foreign(b""))
        return None

    def _left(self, action: Action, number: QueueId, after: float) -> Outcome:
        """The log ended an id: mail that was sent left in spite of a hold, and because of a release."""
        last = self.book.fate(number, after - ACTING)
        if last is None:
            return Outcome(number, Fate.GONE, Foreign(b"removed from the queue"))
        if Queue.HOLD in action.sources:
            return Outcome(number, Fate.DONE, last.reason)
        return Outcome(number, Fate.DELIVERED if last.status == "sent" else Fate.GONE, last.reason)

    def state(self, probes: Mapping[str, ProbeState], now: float, listing: float | None, lost: str = "") -> QueueState:
        """The queue for a snapshot. `probes`: those of this target by name; `listing`: how far one is that runs.

        `lost`: why its host is not reached, empty while it is.
        """
        known = self.queue.listing
        return QueueState(
            self.target.name,
            tuple((queue.value, self._counted(queue, probes, now, lost)) for queue in SHOWN),
            self._oldest_reading(probes, now, lost),
            listed=len(known) if known is not None else 0,
            listed_at=known.at if known is not None else 0.0,
            listing=listing,
            bytes=known.bytes if known is not None else 0,
            note=probes["postfix_listing"].note if "postfix_listing" in probes else "",
        )

    def _counted(self, queue: Queue, probes: Mapping[str, ProbeState], now: float, lost: str) -> Reading:
        """What was counted stays to be seen, but it is unknown as soon as the next count has failed."""
        probe = probes.get(_COUNTED.get(queue, "postfix_queue"))
        known = self.queue.counts.get(queue)
        note = probe.note if probe is not None else ""
        if known is None:
            denied = probe is not None and probe.health is Health.DENIED
            return Reading(None, Health.DENIED if denied else Health.UNKNOWN, note=note or lost or "not counted yet")
        count, at = known
        stale, why = now - at > _stale_after(probe), lost or _failed_since(probe, at)
        health = Health.UNKNOWN if stale or why else Health.WARN if queue is Queue.CORRUPT and count else Health.OK
        return Reading(float(count), health, at, stale, why or (note if stale else ""))

    def _oldest_reading(self, probes: Mapping[str, ProbeState], now: float, lost: str) -> Reading:
        """The oldest message: from long ids where the directories tell it, else from the last listing."""
        listing, probe = self.queue.listing, probes.get("postfix_queue")
        arrivals = list(self._oldest.values())
        at = max((at for _, at in self.queue.counts.values()), default=0.0)
        if not arrivals and listing is not None:
            at, probe = listing.at, probes.get("postfix_listing")
            arrivals = [float(min(listing.arrival))] if len(listing) else []
        if not at:
            return Reading(note="not listed yet")
        stale, why = now - at > _stale_after(probe), lost or _failed_since(probe, at)
        health = Health.UNKNOWN if stale or why else Health.OK
        if not arrivals:
            return Reading(None, health, at, stale, why or "the queue is empty")
        return Reading((now if health is Health.OK else at) - min(arrivals), health, at, stale, why)

    def flow(self, log: LogState | None, probes: Mapping[str, ProbeState], now: float, lost: str = "") -> Flow:
        """This Postfix's part of the hops. `lost`: why its host is not reached, empty while it is."""
        listing, listed = self.queue.listing, probes.get("postfix_listing")
        followed = log is not None and log.health is Health.OK and self.log_at
        why = "" if followed else log.note if log is not None else "its log is not read"
        delays = self.book.delays(now, 0.95)
        rates = self._rates(now) if followed else None
        hops = {
            hop: HopFlow(
                rates[row] if rates else None,
                delays.get(hop, {}).get("bcd", (None,))[0],
                self.book.last_failure[row],
                self.book.failing_since[row],
                self.book.last_success[row],
            )
            for row, hop in enumerate(HOPS)
        }
        accepted = self.book.last_accepted
        hops[Hop.IN] = HopFlow(rates[len(HOPS)] if rates else None, succeeded=accepted)
        return Flow(
            self.target.host,
            self.log_at,
            why,
            listing.at if listing is not None else 0.0,
            listed.note if listed is not None else "",
            lost or (_failed_since(listed, listing.at) if listing is not None else ""),
            stale_after=_stale_after(listed),
            hops=hops,
            causes=self.causes(now),
            rejects=rates[len(HOPS) + 1] if rates else None,
        )

    def _rates(self, now: float) -> list[float] | None:
        """Each total's rise a second over the last minute; None while the log is still being read back."""
        if self.behind >= BACKLOG or len(self._totals) < 2:
            return None
        (began, first), (ended, last) = self._totals[0], self._totals[-1]
        span = max(min(now, ended) - began, 1.0)
        if now - ended > RATE:
            return None
        return [(new - old) / span for old, new in zip(first, last, strict=True)]


def _stale_after(probe: ProbeState | None) -> float:
    """Seconds after which what a probe said is too old to be called known."""
    return 2 * max(probe.every if probe is not None else 0.0, 10.0) + 5.0


def _failed_since(probe: ProbeState | None, at: float) -> str:
    """Why a probe has failed since a time, empty where it has not."""
    failed = probe is not None and probe.health in (Health.UNKNOWN, Health.DENIED) and probe.tried > at
    return probe.note or "the last count failed" if probe is not None and failed else ""
