"""The flow of every Postfix: judged figures that its book tells, and the page that sums all of them up."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence

from mailtop.engine.boards import Boards
from mailtop.engine.mta import Mta
from mailtop.ledger.flow import LATELY, Part, merged, part
from mailtop.ledger.hops import HOPS, MAILBOX, REMOTE
from mailtop.ledger.stages import quantiles_of
from mailtop.model.board import Metric
from mailtop.model.flow import Flow
from mailtop.model.mail import Queue
from mailtop.model.sample import Sample
from mailtop.model.snapshot import Health, LogState, ProbeState
from mailtop.model.topology import Target
from mailtop.probe import Board

EVERY = 5.0  # seconds between two looks
LEAST = 20  # messages that a share of failures is of, at least
SUSTAINED = 5  # minutes
NAME = "postfix_flow"
ACTIVE_LIMIT = 20_000  # Postfix's own default

BOARD = Board(
    "flow",
    "mail",
    (
        Metric(
            "postfix_failing_ratio", "failing", "%", 0.10, 0.25, means="messages tried in 15 min that were put off or "
            "bounced, each once; from 20 messages on",
        ),
        Metric(
            "postfix_first_attempt_seconds", "p95", "s", 60.0, 300.0, means="first attempts by hop, b + c + d, 95 of "
            "100 of 10 min",
        ),
        Metric(
            "postfix_clear_submissions", "in clear", crit=1.0, means="submission sessions of the last hour that gave "
            "mail without TLS, own networks apart",
        ),
        Metric("postfix_process_limit", "limit reached", crit=1.0, means="`process limit reached` in 10 min"),
        Metric("postfix_throttled", "throttled", warn=1.0, means="`throttling` of master in 10 min"),
        Metric("postfix_loops", "loops", warn=1.0, means="mail that loops back in 10 min (5.4.6)"),
        Metric("postfix_active_ratio", "active", "%", 0.5, 0.9, means="active queue of qmgr_message_active_limit"),
        Metric("postfix_held_messages", "on hold", means="messages on hold"),
        Metric("postfix_corrupt_messages", "corrupt", warn=1.0, means="messages in the corrupt queue"),
        Metric(
            "postfix_tempfail_minutes", "451", "", 5.0, 15.0, means="of the last 15 min, those with a refusal 451 or "
            "4.3.x, from 5 in a row on",
        ),
    ),
    order=5,
)  # fmt: skip
"""Not a probe's: the book of each Postfix tells it, as long as its log is followed."""


class Flowing:
    """Belongs to the engine's loop. `version` grows with each look."""

    def __init__(self, boards: Boards, lost: Callable[[Target], str]) -> None:
        """`lost`: why a target is not reached, or how its container rests; empty while it runs."""
        self._boards = boards
        self._lost = lost
        self._looked = 0.0
        self._parts: dict[str, tuple[Part, float]] = {}
        self.version = 0
        boards.declare(NAME, BOARD)

    def follow_on(self, mtas: Sequence[Mta], logs: Mapping[str, LogState], now: float) -> None:
        """Bring figures and pages up to now, of logs that are followed and have been read back."""
        if not 0.0 <= now - self._looked < EVERY:
            self._looked = now
            self.version += 1
            names = {mta.target.name for mta in mtas}
            self._parts = {name: found for name, found in self._parts.items() if name in names}
            for mta in mtas:
                if not self._lacks(mta, logs):
                    found = part(mta.book, mta.theirs(now), mta.clock.ahead)
                    self._parts[mta.target.name] = found, now
                    self._boards.take(mta.target.name, NAME, tuple(samples(mta, found, now)), now)
        for mta in mtas:
            name, why = mta.target.name, self._lacks(mta, logs)
            health = logs[name].health if name in logs and not why else Health.UNKNOWN
            last = self._parts[name][1] if name in self._parts else 0.0
            self._boards.heard[name, NAME] = ProbeState(name, NAME, health, last, 0.0, EVERY, why)

    def flow(self, mtas: Sequence[Mta], logs: Mapping[str, LogState], now: float) -> Flow:
        """All of them together; what is missing from the sums is said."""
        unknown = {mta.target.name: why for mta in mtas if (why := self._lacks(mta, logs))}
        known = [self._parts[mta.target.name][0] for mta in mtas if mta.target.name not in unknown
                 and mta.target.name in self._parts]  # fmt: skip
        return merged(known, now, "; ".join(f"without {name}: {why}" for name, why in unknown.items()))

    def _lacks(self, mta: Mta, logs: Mapping[str, LogState]) -> str:
        """Why a book does not tell of now, empty where it does: a paused container's log is silent, and still open."""
        return mta.log_lacks(logs.get(mta.target.name)) or self._lost(mta.target)


def samples(mta: Mta, found: Part, now: float) -> Iterator[Sample]:
    """Yield what is judged; what is not known is left out."""
    book, theirs = mta.book, mta.theirs(now)
    failed, tried, _ = found.shares["failing"]
    if tried >= LEAST:
        yield Sample("postfix_failing_ratio", failed / tried)
    for hop in (MAILBOX, REMOTE):
        if found.delays[hop]:
            (p95,) = quantiles_of(found.delays[hop][-1], (0.95,))
            yield Sample("postfix_first_attempt_seconds", p95, (("hop", HOPS[hop].value),))
    tls, sessions, _ = found.shares["submission"]
    if sessions:
        yield Sample("postfix_clear_submissions", sessions - tls)
    recent = book.lately.since(theirs, 600.0)
    yield Sample("postfix_process_limit", recent["process_limit"])
    yield Sample("postfix_throttled", recent["throttling"])
    yield Sample("postfix_loops", book.flow.loops.since(theirs, 600.0).total())
    counts = {queue: number for queue, (number, _) in mta.queue.counts.items()}
    limit = mta.facts.get("postfix_qmgr_message_active_limit", "")
    if Queue.ACTIVE in counts:
        yield Sample("postfix_active_ratio", counts[Queue.ACTIVE] / (int(limit) if limit.isdigit() else ACTIVE_LIMIT))
    for queue, name in ((Queue.HOLD, "postfix_held_messages"), (Queue.CORRUPT, "postfix_corrupt_messages")):
        if queue in counts:
            yield Sample(name, counts[queue])
    yield Sample("postfix_tempfail_minutes", _sustained(book.refusals.passing, int(theirs // 60)))


def _sustained(minutes: Mapping[int, int], now: int) -> int:
    """How many of the last minutes had one, where the newest ones had, and five in a row; else 0."""
    last = now if now in minutes else now - 1
    row = next((n for n in range(LATELY) if last - n not in minutes), LATELY)
    return row if row >= SUSTAINED else 0
