"""One Postfix as the engine knows it: its book from the log, its queue from listings and counts."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from math import inf

from msgspec.structs import replace

from mailtop.action import ACTIONS, Action, Evidence
from mailtop.config import FlowSettings
from mailtop.derive.hops import Flow, HopFlow
from mailtop.engine.queue_state import failed_since, queue_state, stale_after
from mailtop.engine.rates import Rates
from mailtop.engine.skew import HostClock
from mailtop.ledger.book import Ledger
from mailtop.ledger.hops import HOPS, HopRules
from mailtop.ledger.queue import QueueBook
from mailtop.model.ask import Chunk
from mailtop.model.destination import Standing, Standings
from mailtop.model.mail import Queue, QueueEntry, QueueId
from mailtop.model.operation import Fate, Outcome, Selection
from mailtop.model.sample import Fact, Sample
from mailtop.model.snapshot import Cause, Health, LogState, PageAsk, ProbeState, QueueState, Shape
from mailtop.model.text import Foreign
from mailtop.model.topology import Hop, Role, Target
from mailtop.parse.batch import Batch
from mailtop.parse.postqueue import Listing
from mailtop.parse.reason import normalise

BOUNCES = 3600.0  # seconds of bounces that count as a cause
LATELY = 600.0
DELAYS_KEPT = 5.0  # seconds
UNDECIDED = 1300.0  # seconds: no delivery takes longer (smtp_data_done_timeout 600, twice, and a little)
ACTING = 60.0  # seconds before an act's end in which what it touched may have left the queue
SETTLED = 5.0  # seconds in which the log tells how a message left that a listing holds no more
BACKLOG = 5.0  # seconds behind: a log that is still being read back has no rate of now
LISTED = (Queue.INCOMING, Queue.ACTIVE, Queue.DEFERRED, Queue.HOLD)  # the rest of a listing's counts are the probe's
GHOSTS_AMONG = 50_000  # messages in a listing; among more, a set of all ids costs more memory than ghosts do
GHOST = 60.0  # seconds without a line about an id that no listing holds
QUIET = 1.5  # seconds without a piece of the log
SILENT = 15.0  # the same while older lines are still to come: the Engine may search long for them
READING_BACK = "its log is still being read back"
_ACTIONS = {action.key: action for action in ACTIONS}
_ROLE_HOPS = {Role.FILTER: Hop.FILTER, Role.IMAP: Hop.MAILBOX, Role.ARCHIVE: Hop.ARCHIVE}


class Mta:
    """The books of one Postfix. Belongs to the engine's loop.

    The books keep the host's time, as its log and its queue do; whatever asks them, or is told, has ours.
    """

    def __init__(
        self,
        target: Target,
        flow: FlowSettings,
        roles: Mapping[str, tuple[Role, ...]],
        clock: HostClock | None = None,
    ) -> None:
        """`roles`: what each container's name on this platform is for, growing as they are found."""
        rules = HopRules(
            filter_ports=frozenset(flow.filter_ports),
            archive_domains=tuple(domain.encode() for domain in flow.archive_domains),
        )
        self.target = target
        self.book = Ledger(rules, flow.ignore_clients, reduce=lambda reason: normalise(reason).text)
        self.queue = QueueBook(target.name)
        self.facts: dict[str, str] = {}
        self.standings: tuple[Standing, ...] = ()
        self.standings_at = 0.0  # when they were asked for
        self.clock = clock or HostClock()
        self.log_at = 0.0
        self.behind = inf
        self.listing_at = 0.0  # when the listing was asked for …
        self._listed_at = 0.0  # … and when it was here
        self._fed_at = 0.0
        self._until = 0.0  # stamp of the newest line that is still to be read back
        self.version = 0
        self._archive_domains = rules.archive_domains
        self._roles = roles
        self._oldest: dict[Queue, float] = {}  # arrival of the oldest, by the directory's names
        self._oldest_listed: dict[Queue, float] = {}
        self._rates = Rates()
        self._causes: tuple[Cause, ...] = ()
        self._causes_at = (-1.0, -1)
        self._known_delays: tuple[int, float, Mapping[Hop, Mapping[str, tuple[float, ...]]]] = (-1, 0.0, {})

    # what comes in

    def feed(self, batch: Batch, chunk: Chunk, now: float) -> None:
        """Enter a piece of the log. An empty one says that it is followed from now on, and what is still to come."""
        if not chunk.lines:
            self.behind, self._until, self._fed_at = inf if chunk.stamp else 0.0, chunk.stamp, now
            return
        self.book.feed(batch)
        self.book.settle(self.book.last_at)
        if chunk.stamp:
            self.clock.stamped(chunk.stamp, now)
        at = self.ours(chunk.stamp or self.book.last_at)
        self.behind = now - at
        if self._until and chunk.stamp >= self._until:  # all that there was has been read, however old it is
            self.behind = self._until = 0.0
        self._fed_at = now
        self._count(at)
        self.version += 1

    def follows(self, now: float) -> None:
        """The log is followed and says nothing: that is known until now."""
        self.log_at = now
        if not 0.0 <= now - self._fed_at <= (SILENT if self._until else QUIET):  # nothing more comes
            self.behind = self._until = 0.0
        if self.behind < BACKLOG:
            self._count(now)

    def take(self, found: Iterable[object], asked: float, now: float) -> None:
        """Enter what a probe found. `asked`: when it was asked, and so when it was true; `now`: when we know it."""
        for one in found:
            if isinstance(one, Listing):
                self._list(one, asked, now)
            elif isinstance(one, Standings):
                self.standings, self.standings_at = one.changes, asked
                self.version += 1
            elif isinstance(one, Fact):
                self.facts[one.name] = one.value
            elif isinstance(one, Sample) and one.name == "host_clock_seconds":
                self.clock.told(one.value, asked, now)
            elif isinstance(one, Sample) and one.name.startswith("postfix_queue_"):
                queue = Queue(dict(one.labels)["queue"])
                if one.name == "postfix_queue_messages":
                    self.queue.counted(queue, int(one.value), asked, now)
                    self._oldest.pop(queue, None)
                else:
                    self._oldest[queue] = asked - one.value

    def _list(self, listing: Listing, asked: float, now: float) -> None:
        self.listing_at, self._listed_at = asked, now
        self.queue.update(listing, self.theirs(asked))
        self._oldest_listed = {queue: listing.oldest(queue) or 0.0 for queue, count in listing.counts.items() if count}
        if listing.whole:
            for queue in LISTED:
                self.queue.counted(queue, listing.counts[queue], asked, now)
            self._forget_ghosts(listing, self.theirs(asked))
        self.version += 1

    def theirs(self, at: float) -> float:
        """A moment of ours by the host's clock."""
        return at + self.clock.ahead

    def ours(self, at: float) -> float:
        """A moment of the host's by our clock; 0.0 is none."""
        return at - self.clock.ahead if at else 0.0

    def _forget_ghosts(self, listing: Listing, at: float) -> None:
        """End ids that a whole listing does not hold: some ends are never logged (`postsuper -d ALL`)."""
        if self.behind >= BACKLOG or len(listing) > GHOSTS_AMONG:
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
        self._rates.count((*sent, book.refusals.codes.total()), at)

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
            theirs, waiting = self.theirs(now), self.queue.waiting
            bounces, lately = self.book.bounces(theirs - BOUNCES), self.book.bounces(theirs - LATELY)
            causes = waiting.causes(self.queue.listing, theirs, bounces, lately, self.book.hop_of, self._hop_at)
            self._causes = tuple(map(self._cause, causes)) if self.clock.ahead else causes
            self._causes_at = now, self.version
        return self._causes

    def _cause(self, cause: Cause) -> Cause:
        return replace(cause, oldest=self.ours(cause.oldest), first_seen=self.ours(cause.first_seen))

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
        return self.queue.shape(ask, self.theirs(now), self.book.hop_of)

    def page_messages(self, ask: PageAsk, now: float) -> tuple[int, tuple[QueueEntry, ...]]:
        """One page of this queue's messages."""
        total, rows = self.queue.messages(ask, self.theirs(now), self.book.hop_of)
        return total, tuple(replace(row, arrival=self.ours(row.arrival)) for row in rows)

    def select(self, selection: Selection, now: float) -> Sequence[int]:
        """The rows of a selection; see `QueueBook.select`."""
        return self.queue.select(selection, self.theirs(now), self.book.hop_of)

    def known(self) -> tuple[str, float]:
        """What pages rest on, and when that was true."""
        if self.queue.listing is None:
            return "log", self.log_at
        return "listing" if self.queue.listing.whole else "cut", self.listing_at

    @property
    def doubt(self) -> str:
        """Why the listing is not the whole queue, empty where it is."""
        listing = self.queue.listing
        if listing is None or listing.whole:
            return ""
        if listing.cut:
            return f"listing cut off after {len(listing):,} messages"
        return f"{listing.unreadable:,} lines of the listing are unreadable"

    def decide(self, action_key: str, outcome: Outcome, after: float, began: float = 0.0) -> Outcome | None:
        """What an act that ended at `after` did to a message: by the log, then by a listing asked for since."""
        action, number = _ACTIONS.get(action_key), outcome.id
        if action is None:
            return self._decide_change(action_key, outcome, after)
        if action.judge is not None:
            return action.judge(outcome, self._found(number, after, began or after))
        if self.book.removed(number, self.theirs(after - ACTING)):
            return self._left(action, number, after)
        listing = self.queue.listing
        if listing is None or not listing.whole or self.listing_at <= after:
            return None
        entry = self.queue.entry(number)
        late = self.listing_at - after > UNDECIDED
        if entry is None:
            gone = Outcome(number, Fate.GONE, Foreign(b"not in the queue any more"))
            return gone if self._told or late else None
        last, found = self.book.fate(number, self.theirs(after)), Foreign(b"found in " + entry.queue.encode())
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

    def _found(self, number: QueueId, after: float, began: float) -> Evidence:
        """What log and queue say of a message since an act that began and ended then."""
        listing, since = self.queue.listing, self.theirs(began)
        listed = listing is not None and listing.whole and self.listing_at > after
        entry = self.queue.entry(number) if listed else None
        last = self.book.fate(number, since)
        return Evidence(
            removed=self.book.removed(number, since),
            status=last.status if last is not None else "",
            reason=last.reason if last is not None else Foreign(b""),
            listed=listed,
            queue=entry.queue if entry is not None else None,
            told=listed and self._told,
            late=max(self.log_at, self.listing_at) - after > UNDECIDED,
            requeued=self.book.requeued(number, since),
            returned=self.book.returned(number, since),
        )

    @property
    def paused(self) -> frozenset[str] | None:
        """The domains whose delivery mailtop has paused here; None before anybody asked."""
        if not self.standings_at:
            return None
        return frozenset(one.domain for one in self.standings if one.half_way or one.action == "destination.pause")

    def _decide_change(self, action_key: str, outcome: Outcome, after: float) -> Outcome | None:
        """What an act on a destination came to, by the notes on the target; None while they say half-way."""
        if self.standings_at <= after:
            return None
        here = [one for one in self.standings if one.domain == outcome.id]
        if any(one.half_way for one in here):
            return None
        lifted = action_key == "destination.restore"
        done = bool(here) is not lifted and (lifted or action_key in ("destination.finish", here[0].action))
        found = Foreign(here[0].words.encode()) if here else Foreign(b"nothing is changed for it now")
        return Outcome(outcome.id, Fate.DONE if done else Fate.REFUSED, found)

    @property
    def _told(self) -> bool:
        """Has the log had the time to say how mail left that the last listing lacks?"""
        return not self.reading_back and self.log_at >= self._listed_at + SETTLED

    @property
    def evidence(self) -> tuple[int, bool]:
        """Changes whenever `decide` may know more."""
        return self.version, self._told

    def _left(self, action: Action, number: QueueId, after: float) -> Outcome:
        """The log ended an id: mail that was sent left in spite of a hold, and because of a release."""
        last = self.book.fate(number, self.theirs(after - ACTING))
        if last is None:
            return Outcome(number, Fate.GONE, Foreign(b"removed from the queue"))
        if Queue.HOLD in action.sources:
            return Outcome(number, Fate.DONE, last.reason)
        return Outcome(number, Fate.DELIVERED if last.status == "sent" else Fate.GONE, last.reason)

    def state(self, probes: Mapping[str, ProbeState], now: float, listing: float | None, lost: str = "") -> QueueState:
        """The queue for a snapshot. `probes`: those of this target by name; `listing`: how far one is that runs.

        `lost`: why it is not reached, empty while it is.
        """
        listed = probes["postfix_listing"].note if "postfix_listing" in probes else ""
        return queue_state(
            self.target.name,
            self.queue,
            self._oldest,
            {queue: self.ours(at) for queue, at in self._oldest_listed.items()},
            probes,
            now,
            lost=lost,
            listing_at=self.listing_at,
            listing=listing,
            note="; ".join(filter(None, (self.doubt, listed))),
        )

    def _delays(self, theirs: float) -> Mapping[Hop, Mapping[str, tuple[float, ...]]]:
        """First attempts' p95 by hop; looked up again when something came in, and as the window moves on."""
        version, at, found = self._known_delays
        if version != self.version or not 0.0 <= theirs - at < DELAYS_KEPT:
            found = self.book.delays(theirs, 0.95)
            self._known_delays = self.version, theirs, found
        return found

    def flow(self, log: LogState | None, probes: Mapping[str, ProbeState], now: float, lost: str = "") -> Flow:
        """This Postfix's part of the hops. `lost`: why it is not reached, empty while it is."""
        listed = probes.get("postfix_listing")
        why = self.log_lacks(log) or lost
        theirs, book = self.theirs(now), self.book
        delays = self._delays(theirs)
        rates = None if why else self._rates.at(now)
        hops = {
            hop: HopFlow(
                rates[row] if rates else None,
                delays.get(hop, {}).get("bcd", (None,))[0],
                self.ours(book.last_failure[row]),
                self.ours(book.failing_since[row]),
                self.ours(book.last_success[row]),
            )
            for row, hop in enumerate(HOPS)
        }
        taken = None if rates is None else book.accepted_rate(theirs)
        hops[Hop.IN] = HopFlow(taken, succeeded=self.ours(book.last_accepted(theirs)))
        return Flow(
            self.target.host,
            self.log_at,
            why,
            self.listing_at,
            listed.note if listed is not None else "",
            lost or self.doubt or (failed_since(listed, self.listing_at) if self.listing_at else ""),
            stale_after=stale_after(listed),
            hops=hops,
            causes=self.causes(now),
            rejects=rates[len(HOPS)] if rates else None,
        )

    def log_lacks(self, log: LogState | None) -> str:
        """Why the log does not say what happens now, empty where it does."""
        if log is None:
            return "its log is not read"
        if log.health is not Health.OK or not self.log_at:
            return log.note or "its log is not read"
        return READING_BACK if self.reading_back else ""

    @property
    def reading_back(self) -> bool:
        """Is there more of the log than has been read?"""
        return self.behind >= BACKLOG
