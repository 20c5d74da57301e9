"""Could the standby take over now? One row for each host that may get the VIP and has it not, and what speaks against.

What nobody knows is no reason to call it ready. Shared databases and mailboxes of a third host are not its business.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from mailtop.derive.blocks import figure_words
from mailtop.derive.platform import HOLDER, Derived, Seen, host_of
from mailtop.model.board import Block, Line, Metric, Table
from mailtop.model.health import Health
from mailtop.model.sample import Fact, Sample
from mailtop.model.text import Foreign

QUEUE = 200  # messages that a failover leaves behind on the old holder, and nobody sends until it is back
LEFT_BEHIND = ("incoming", "active", "deferred", "hold", "maildrop")

Reason = tuple[Health, str]
"""WARN for what is against it, UNKNOWN for what nobody knows; and why, in a few words."""


def find(seen: Seen) -> Iterator[Sample | Fact | Table]:
    """Yield a row a standby; nothing where no VIP could move."""
    vip = next(iter(seen.of("vip_holder")), None)
    if vip is None:
        return
    members = [one.target for one in seen.of("vip") if dict(one.words).get("VIP")] or list(seen.hosts)
    holder = dict(vip.words).get(HOLDER, "")
    if vip.health is Health.OK and holder in seen.hosts:
        rows = [(name, list(_reasons(seen, holder, name))) for name in members if name != holder]
    else:
        health = Health.WARN if vip.health is Health.CRIT else Health.UNKNOWN
        rows = [(name, [(health, f"VIP: {vip.note or holder or 'not known who holds it'}")]) for name in members]
    for name, reasons in rows:
        health = _verdict(reasons)
        if health is not Health.UNKNOWN:
            yield Sample("failover_ready", float(health is Health.OK), (("host", name),))
    lines = tuple(_line(name, reasons) for name, reasons in rows)
    if lines:
        yield Table("", ("standby", "takes over", "because"), lines, len(lines))


def _verdict(reasons: Iterable[Reason]) -> Health:
    found = [health for health, _ in reasons]
    return next((health for health in (Health.WARN, Health.UNKNOWN) if health in found), Health.OK)


def _line(name: str, reasons: list[Reason]) -> Line:
    health = _verdict(reasons)
    said = {Health.OK: "ready", Health.WARN: "not ready"}.get(health, "not known")
    against = [why for one, why in reasons if one is Health.WARN]
    blind = [f"{'not known: ' if against else ''}{why}" for one, why in reasons if one is Health.UNKNOWN]
    return Line(tuple(Foreign(text.encode()) for text in (name, said, "; ".join((*against, *blind)))), health)


def _reasons(seen: Seen, holder: str, standby: str) -> Iterator[Reason]:
    yield from _keepalived(seen, standby)
    yield from _database(seen, holder, standby)
    yield from _mailboxes(seen, holder)
    yield from _equal(seen)
    yield from _queue(seen, holder)
    yield from _index(seen, holder, standby)


def _on(seen: Seen, probe: str, host: str) -> list[Block]:
    return [one for one in seen.of(probe) if host_of(one.target) == host]


def _wrong(block: Block) -> Iterator[Reason]:
    """What a block of the standby says against it."""
    if block.stale:
        yield Health.UNKNOWN, f"{block.title}: {block.note}"
        return
    for one in block.figures:
        if one.reading.health in (Health.WARN, Health.CRIT):
            yield Health.WARN, f"{' '.join(filter(None, (block.title, one.label, one.of)))} {figure_words(one)}"


def _keepalived(seen: Seen, standby: str) -> Iterator[Reason]:
    for one in _on(seen, "vip", standby):
        yield from _wrong(one)
        if not one.stale and not one.figures:
            yield Health.UNKNOWN, "whether keepalived runs there"


def _database(seen: Seen, holder: str, standby: str) -> Iterator[Reason]:
    mine = _on(seen, "mariadb_status", standby)
    if not mine:
        if _on(seen, "mariadb_status", holder):
            yield Health.WARN, "no database of its own"
        return
    for writes in seen.of("writes"):
        if writes.health is not Health.OK:
            health = Health.WARN if writes.health is Health.CRIT else Health.UNKNOWN
            yield health, "where the database is written to" if health is Health.UNKNOWN else "writers: not exactly one"
    for status in mine:
        yield from _wrong(status)
        copies = [
            one for probe in ("mariadb_replica", "galera") for one in seen.of(probe) if one.target == status.target
        ]
        for one in copies:
            yield from _wrong(one)
        if copies and not any(one.stale or one.figures for one in copies) and _on(seen, "mariadb_status", holder):
            yield Health.WARN, f"{status.target} copies no other database"


def _mailboxes(seen: Seen, holder: str) -> Iterator[Reason]:
    """Dovecot's replicator tells it; where there is none, nobody does."""
    if not any(one.probe.startswith("dovecot_") and host_of(one.target) == holder for one in seen.blocks):
        return
    copied = [one for one in _on(seen, "dovecot_replicator", holder) if not one.stale and one.figures]
    for one in copied:
        yield from _wrong(one)
    if not copied:
        yield Health.UNKNOWN, "mailboxes: no replicator that tells"


def _equal(seen: Seen) -> Iterator[Reason]:
    for one in seen.of("fingerprints"):
        for line in (line for table in one.tables for line in table.lines if line.health is not Health.OK):
            health = Health.WARN if line.health is Health.WARN else Health.UNKNOWN
            yield health, b" ".join(line.cells[:2]).decode("utf-8", "replace")


def _queue(seen: Seen, holder: str) -> Iterator[Reason]:
    for queue in (one for one in seen.queues if host_of(one.target) == holder):
        counts = [reading.value for name, reading in queue.counts if name in LEFT_BEHIND]
        if not counts or any(value is None for value in counts):
            yield Health.UNKNOWN, f"{queue.target}: how long its queue is"
        elif (waiting := sum(value or 0.0 for value in counts)) >= QUEUE:
            yield Health.WARN, f"{waiting:.0f} mails wait on {holder} and would stay there"


def _index(seen: Seen, holder: str, standby: str) -> Iterator[Reason]:
    mine = _on(seen, "manticore", standby)
    if not mine and _on(seen, "manticore", holder):
        yield Health.WARN, "no search index of its own: it would be made anew"
    for one in (*mine, *_on(seen, "piler_archive", standby)):
        yield from _wrong(one)


READINESS = Derived(
    "readiness",
    "replication",
    "failover",
    find,
    (
        Metric(
            "failover_ready",
            "ready",
            means="1: this host could take the VIP over, 0: something speaks against it, as the row says; no alert",
        ),
    ),
    of=("vip", "mariadb_status", "mariadb_replica", "galera", "dovecot_replicator", "manticore", "piler_archive"),
    order=90,
)
