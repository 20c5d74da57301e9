"""What a book tells of the flow of mail in the last hour, and the same of several books together."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from msgspec import Struct, field

from mailtop.ledger.book import Ledger
from mailtop.ledger.entry import BOUNCED, DEFERRED, SENT, SOFTBOUNCE, STATUSES
from mailtop.ledger.hops import ARCHIVE, FILTER, HOPS, MAILBOX, REMOTE
from mailtop.ledger.stages import quantiles_of
from mailtop.model.flow import TREND, Delay, Flow, Ranked, Share, Stream
from mailtop.model.text import Foreign

LATELY = 15
"""Minutes over which a share of failures is judged."""
MOST = 50  # rows of a table
STREAMS = ("accepted", "submitted", "sent", "mailbox", "rejected", "deferred", "bounced", "filter", "archive")
TABLES = (
    *("destinations", "senders", "users", "clients"),
    *("reasons", "refused", "logins", "guessed", "postscreen", "warnings"),
)
_WIDTH = len(STATUSES)
_TRIED, _FAILED, _TAKEN = len(HOPS) * _WIDTH, len(HOPS) * (_WIDTH + 1), len(HOPS) * (_WIDTH + 2)
_SHARES = (0.5, 0.95)

Tally = tuple[int, int, int, float]
"""count, deferred, bounced, last"""


class Part(Struct):
    """One book's part. `minutes`: of each stream, its number by how many minutes ago; `ends`: how long it goes back.

    `delays`: histograms a stage by hop's row, and again for retries. `shares`: part, of, own.
    """

    minutes: dict[str, dict[int, int]]
    seconds: float
    delays: list[list[list[int]]]
    shares: dict[str, tuple[int, int, int]]
    tables: dict[str, dict[bytes, Tally]] = field(default_factory=dict)


def part(book: Ledger, now: float, ahead: float = 0.0) -> Part:
    """Return a book's part. `now`: by the host's clock, which is `ahead` of ours by so many seconds."""
    book.settle(now)
    rises = book.flow.minutes.rises(now, book.flow.totals())
    accepted, submitted = book.taken.minutes()
    of_hop = [rises[hop * _WIDTH : (hop + 1) * _WIDTH] for hop in range(len(HOPS))]
    streams: dict[str, list[Mapping[int, int]]] = {
        "accepted": [accepted],
        "submitted": [submitted],
        "sent": [of_hop[REMOTE][SENT]],
        "mailbox": [of_hop[MAILBOX][SENT]],
        "rejected": [book.refusals.minutes],
        "deferred": [of_hop[hop][status] for hop in (MAILBOX, REMOTE) for status in (DEFERRED, SOFTBOUNCE)],
        "bounced": [of_hop[hop][BOUNCED] for hop in (MAILBOX, REMOTE)],
        "filter": [of_hop[FILTER][SENT]],
        "archive": [of_hop[ARCHIVE][SENT]],
    }
    minute = int(now // 60)
    return Part(
        {name: _ago(minute, rows) for name, rows in streams.items()},
        max(0.0, now - book.first_at) if book.first_at else 0.0,
        [book.flow.stages.histograms(row, now) for row in range(2 * len(HOPS))],
        _shares(book, now, rises),
        _tables(book, now, ahead),
    )


def _ago(minute: int, rows: Sequence[Mapping[int, int]]) -> dict[int, int]:
    found: dict[int, int] = {}
    for row in rows:
        for at, number in row.items():
            if 0 <= minute - at <= 60:
                found[minute - at] = found.get(minute - at, 0) + number
    return found


def _shares(book: Ledger, now: float, rises: list[dict[int, int]]) -> dict[str, tuple[int, int, int]]:
    tls, clear, own, s_tls, s_clear, s_own = (
        sum(minutes.values()) for minutes in book.sessions.rises(now, book.encrypted)
    )
    taken, secure = (sum(minutes.values()) for minutes in rises[_TAKEN : _TAKEN + 2])
    recent = int(now // 60) - LATELY
    tried, failed = (
        sum(number for hop in (MAILBOX, REMOTE) for at, number in rises[start + hop].items() if at > recent)
        for start in (_TRIED, _FAILED)
    )
    found = {
        "in": (tls, tls + clear, own),
        "submission": (s_tls, s_tls + s_clear, s_own),
        "failing": (min(failed, tried), tried, 0),
    }
    return found | ({"out": (secure, taken, 0)} if book.flow.tells_tls else {})


def _tables(book: Ledger, now: float, ahead: float) -> dict[str, dict[bytes, Tally]]:
    flow, refusals, taken = book.flow, book.refusals, book.taken
    domains: dict[bytes, list[int]] = {}
    for place, statuses in enumerate(((SENT,), (DEFERRED, SOFTBOUNCE), (BOUNCED,))):
        for status in statuses:
            for domain, number in flow.destinations[status].sums(now).items():
                domains.setdefault(domain, [0, 0, 0])[place] += number
    last = {domain: at - ahead for domain, at in flow.last_taken.items()}
    reasons = {b"%d %b" % (one.code, one.reason) if one.code else one.reason: one.count for one in refusals.reasons()}
    warnings = book.lately.sums(now) + flow.loops.sums(now)
    plain: dict[str, Mapping[bytes, int]] = {
        "senders": {sender or b"<>": number for sender, number in flow.senders.sums(now).items()},
        "users": taken.users.sums(now),
        "clients": taken.clients.sums(now),
        "reasons": reasons,
        "refused": dict(refusals.clients(MOST)),
        "logins": dict(refusals.failing(MOST)),
        "guessed": dict(refusals.guessed(MOST)),
        "postscreen": {name.encode(): number for name, number in book.screened.sums(now).items()},
        "warnings": {name.replace("_", " ").encode(): number for name, number in warnings.items()},
    }
    tables = {
        name: {key: (number, 0, 0, 0.0) for key, number in _most(rows).items()} for name, rows in plain.items() if rows
    }
    if domains:
        weight = {domain: sum(numbers) for domain, numbers in domains.items()}
        tables["destinations"] = {
            domain: (domains[domain][0], domains[domain][1], domains[domain][2], last.get(domain, 0.0))
            for domain in _most(weight)
        }
    return tables


def _most(rows: Mapping[bytes, int]) -> dict[bytes, int]:
    return dict(sorted(rows.items(), key=lambda row: -row[1])[: 4 * MOST])


def merged(parts: Sequence[Part], now: float, unknown: str = "") -> Flow:
    """Return the parts as one. `now` by our clock; a sum that lacks a host's part says so in `unknown`."""
    if not parts:
        return Flow(unknown=unknown)
    return Flow(
        tuple(_stream(name, parts, now) for name in STREAMS),
        tuple(_delays(parts)),
        tuple(_summed(parts)),
        tuple(row for table in TABLES for row in _ranked(table, parts)),
        unknown,
    )


def _stream(name: str, parts: Sequence[Part], now: float) -> Stream:
    numbers = [sum(part.minutes[name].get(ago, 0) for part in parts) for ago in range(61)]
    known, part_minute = min(part.seconds for part in parts), now % 60

    def rate(minutes: int) -> float | None:
        seconds = min(60 * minutes + part_minute, known)
        return sum(numbers[: minutes + 1]) / seconds if seconds >= 10 else None

    trend = tuple(numbers[ago] if 60 * ago + part_minute <= known else None for ago in range(TREND, 0, -1))
    return Stream(name, rate(1), rate(5), rate(60), sum(numbers), trend)


def _delays(parts: Sequence[Part]) -> Iterable[Delay]:
    for row in range(2 * len(HOPS)):
        found = [one.delays[row] for one in parts if one.delays[row]]
        if found:
            stages = [
                [sum(column) for column in zip(*(one[stage] for one in found), strict=True)]
                for stage in range(len(found[0]))
            ]
            p50_p95 = [(found[0], found[1]) for found in (quantiles_of(stage, _SHARES) for stage in stages)]
            yield Delay(HOPS[row % len(HOPS)], row >= len(HOPS), *p50_p95)


def _summed(parts: Sequence[Part]) -> Iterable[Share]:
    for name in ("in", "submission", "out", "failing"):
        found = [part.shares[name] for part in parts if name in part.shares]
        if found:
            yield Share(name, *(sum(column) for column in zip(*found, strict=True)))


def _ranked(table: str, parts: Sequence[Part]) -> list[Ranked]:
    sums: dict[bytes, Tally] = {}
    for one in parts:
        for name, (count, deferred, bounced, last) in one.tables.get(table, {}).items():
            known = sums.get(name, (0, 0, 0, 0.0))
            sums[name] = (known[0] + count, known[1] + deferred, known[2] + bounced, max(known[3], last))
    rows = [Ranked(table, Foreign(name), *tally) for name, tally in sums.items()]
    rows.sort(key=lambda row: (-(row.count + row.deferred + row.bounced), row.name))
    return rows[:MOST]
