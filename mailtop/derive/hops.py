"""The way of a mail, hop by hop over all hosts: from each Postfix's book and queue to one row a hop."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from msgspec.structs import replace

from mailtop.ledger.grouping import NO_ANSWER
from mailtop.model.snapshot import Cause, Health, HopState, Reading
from mailtop.model.text import shown
from mailtop.model.topology import Hop

INTERNAL = frozenset((Hop.FILTER, Hop.MAILBOX, Hop.ARCHIVE))
OLD_WARN, OLD_CRIT = 300.0, 900.0  # seconds on an internal hop; remote mail may be days old for a dead domain
WITHOUT_SUCCESS = (
    300.0  # seconds of failures, or of no answer, on a hop and no success: the alarm that no threshold misses
)
LATELY = 900.0  # seconds: Postfix tries again after 5, 10 … minutes
QUEUE_WARN, QUEUE_CRIT = 200, 500  # messages deferred at one hop …
GROWING = 0  # … and growing

NOT_YET = "not watched yet: comes with the archive's probes"


@dataclass(frozen=True)
class HopFlow:
    """What one Postfix's log says of one hop. `rate`: successes a second in the last minute, None: not known.

    `failed` and `succeeded`: when last, `failing_since`: the first failure after the last success; seconds since the
    epoch, 0.0 = never in what was read. `p95`: seconds.
    """

    rate: float | None = None
    p95: float | None = None
    failed: float = 0.0
    failing_since: float = 0.0
    succeeded: float = 0.0


@dataclass(frozen=True)
class Flow:
    """One Postfix's part. `log_at`: until when its log is known, 0.0 = it was never read; `log_note`: why not now.

    `queue_at` and `queue_note`: the same for its queue; `queue_lost`: why what is known of it is no longer true.
    `rejects`: a second in the last minute.
    """

    host: str
    log_at: float = 0.0
    log_note: str = ""
    queue_at: float = 0.0
    queue_note: str = ""
    queue_lost: str = ""
    stale_after: float = 30.0
    hops: Mapping[Hop, HopFlow] = field(default_factory=dict)
    causes: Sequence[Cause] = ()
    rejects: float | None = None


def hop_states(flows: Sequence[Flow], now: float, hosts: Sequence[str] = ()) -> tuple[HopState, ...]:
    """Return one row a hop, in the order of the way. `now`: seconds since the epoch; `hosts`: the platform's order.

    A flow of a host whose log or queue was never read is part of every sum all the same: as the part that it lacks.
    """
    ordered = sorted(flows, key=lambda flow: hosts.index(flow.host) if flow.host in hosts else len(hosts))
    return tuple(_state(hop, ordered, now) for hop in Hop)


def _state(hop: Hop, flows: Sequence[Flow], now: float) -> HopState:
    if hop is Hop.SEARCH:
        return HopState(hop, *_NOTHING, note=NOT_YET)
    if not flows:
        return HopState(hop, *_NOTHING, note="no Postfix found yet")
    logged = [flow for flow in flows if flow.log_at]
    listed = [flow for flow in flows if flow.queue_at] if hop is not Hop.IN else []
    log_at = min((flow.log_at for flow in logged), default=0.0)
    queue_at = min((flow.queue_at for flow in listed), default=0.0)
    waits = [cause for flow in listed for cause in flow.causes if _hop_of(cause) is hop]
    parts = [flow.hops.get(hop, HopFlow()) for flow in logged]
    healths = _by_host((flow.host, _health(hop, flow, now)) for flow in flows)
    worst = _worst(health for _, health in healths)
    log_why = "" if logged else _why(flows, "log_note", "the log is not read")
    queue_why = "" if listed or hop is Hop.IN else _why(flows, "queue_note", "the queue is not listed")
    log_stale = any(now - flow.log_at > flow.stale_after for flow in logged)
    queue_stale = any(now - flow.queue_at > flow.stale_after for flow in listed)

    log_part = _without((flow.host, _log_lacks(flow)) for flow in flows)
    queue_part = _without((flow.host, _queue_lacks(flow)) for flow in flows)

    def from_log(value: float | None, health: Health = Health.OK) -> Reading:
        return _reading(value, health, log_at, log_stale, log_why or log_part)

    def from_queue(value: float | None, health: Health = Health.OK) -> Reading:
        return _reading(value, health, queue_at, queue_stale, queue_why or queue_part)

    deferred = sum(cause.deferred for cause in waits)
    growth = sum(cause.growth for cause in waits if cause.deferred or cause.active)
    oldest = min((cause.oldest for cause in waits if cause.oldest and (cause.deferred or cause.active)), default=0.0)
    old = now - oldest if oldest else None
    succeeded = max((part.succeeded for part in parts), default=0.0)
    without = [part for part in parts if _no_success((part,), now)]
    hung = min(filter(None, (_hangs(hop, flow, now) for flow in logged)), default=0.0)
    last = from_log(now - succeeded if succeeded else None, Health.CRIT if without or hung else Health.OK)
    if without or hung:
        last = replace(last, note=_failing_for(without, now) if without else _hangs_for(hung, now))
    return HopState(
        hop,
        rate=from_log(_sum(part.rate for part in parts) if logged else None),
        p95=from_log(max((part.p95 for part in parts if part.p95 is not None), default=None)),
        active=from_queue(sum(cause.active for cause in waits) if listed else None),
        deferred=from_queue(deferred if listed else None, _deferred_health(deferred, growth)),
        growth=from_queue(growth if listed else None, Health.WARN if growth > GROWING else Health.OK),
        oldest=from_queue(old, _old_health(hop, old)),
        last_success=last,
        failing=_failing(hop, waits, logged),
        hosts=healths,
        note=log_why or queue_why if worst in (Health.UNKNOWN, Health.DENIED) else "",
    )


_NOTHING = (Reading(),) * 7


def _by_host(healths: Iterable[tuple[str, Health]]) -> tuple[tuple[str, Health], ...]:
    """One health a host, the worst of its Postfixes'."""
    found: dict[str, list[Health]] = {}
    for host, health in healths:
        found.setdefault(host, []).append(health)
    return tuple((host, _worst(parts)) for host, parts in found.items())


def _reading(value: float | None, health: Health, at: float, stale: bool, why: str) -> Reading:
    """No value is no data, and never ok; neither is a sum that lacks a part, but what is wrong without it is wrong."""
    blind = (value is None or why) and health is Health.OK
    return Reading(value, Health.UNKNOWN if blind else health, at, stale, why)


def _without(lacks: Iterable[tuple[str, str]]) -> str:
    """What a sum over hosts lacks, and why; errors name their host themselves, other notes do not."""
    host, why = next(((host, why) for host, why in lacks if why), ("", ""))
    if not why:
        return ""
    return f"without {why}" if why.startswith((f"{host}:", f"{host}/")) else f"without {host}: {why}"


def _log_lacks(flow: Flow) -> str:
    return flow.log_note or ("" if flow.log_at else "its log is not read")


def _queue_lacks(flow: Flow) -> str:
    return flow.queue_lost or ("" if flow.queue_at else flow.queue_note or "its queue is not listed")


def _failing_for(parts: Sequence[HopFlow], now: float) -> str:
    """Since when nothing succeeds, in words: of the worst of several Postfixes."""
    since = min(part.failing_since for part in parts)
    words = f"failing for {(now - since) / 60:.0f} min"
    return words if any(part.succeeded for part in parts) else f"{words}, no success in what was read"


def _hop_of(cause: Cause) -> Hop:
    """Mail whose hop nobody has proven is shown with what leaves: the row that is looked at for it."""
    return cause.hop or Hop.REMOTE


def _health(hop: Hop, flow: Flow, now: float) -> Health:
    """One host at one hop."""
    if not flow.log_at or flow.log_note or now - flow.log_at > flow.stale_after:
        return Health.UNKNOWN
    part = flow.hops.get(hop, HopFlow())
    if _no_success((part,), now) or _hangs(hop, flow, now):
        return Health.CRIT
    waits = [cause for cause in flow.causes if _hop_of(cause) is hop and (cause.deferred or cause.active)]
    oldest = min((cause.oldest for cause in waits if cause.oldest), default=0.0)
    deferred = sum(cause.deferred for cause in waits)
    growth = sum(cause.growth for cause in waits)
    return _worst((_old_health(hop, now - oldest if oldest else None), _deferred_health(deferred, growth), Health.OK))


def _no_success(parts: Iterable[HopFlow], now: float) -> bool:
    """It has failed lately, for minutes, and nothing succeeded since: on all parts that have traffic at all."""
    busy = [part for part in parts if part.failed or part.succeeded]
    return bool(busy) and all(
        part.failing_since > part.succeeded
        and part.failed - part.failing_since >= WITHOUT_SUCCESS
        and now - part.failed < LATELY
        for part in busy
    )


def _hangs(hop: Hop, flow: Flow, now: float) -> float:
    """Since when mail on an internal hop gets no answer and nothing succeeds: a log has no line of that. 0.0: it goes.

    A remote may well hang for hours, when it is the only one that there is mail for.
    """
    unread = not flow.log_at or flow.log_note or now - flow.log_at > flow.stale_after
    if hop not in INTERNAL or unread or flow.queue_lost:
        return 0.0
    stuck = [cause for cause in flow.causes if _hop_of(cause) is hop and cause.reason == NO_ANSWER and cause.active]
    oldest = min((cause.oldest for cause in stuck if cause.oldest), default=now)
    since = max(oldest, flow.hops.get(hop, HopFlow()).succeeded)
    return since if now - since >= WITHOUT_SUCCESS else 0.0


def _hangs_for(since: float, now: float) -> str:
    return f"mail in delivery, and no answer for {(now - since) / 60:.0f} min"


def _old_health(hop: Hop, old: float | None) -> Health:
    if hop not in INTERNAL or old is None or old < OLD_WARN:
        return Health.OK
    return Health.CRIT if old >= OLD_CRIT else Health.WARN


def _deferred_health(deferred: int, growth: int) -> Health:
    """Many that grow; many that shrink are on their way out."""
    if growth <= GROWING or deferred < QUEUE_WARN:
        return Health.OK
    return Health.CRIT if deferred >= QUEUE_CRIT else Health.WARN


_ORDER = (Health.CRIT, Health.WARN, Health.DENIED, Health.UNKNOWN, Health.OK)


def _worst(healths: Iterable[Health]) -> Health:
    return min(healths, key=_ORDER.index, default=Health.UNKNOWN)


def _sum(values: Iterable[float | None]) -> float | None:
    """The sum of what is known; nothing where nothing is."""
    known = [value for value in values if value is not None]
    return sum(known) if known else None


def _why(flows: Sequence[Flow], note: str, otherwise: str) -> str:
    return next((getattr(flow, note) for flow in flows if getattr(flow, note)), otherwise)


def _failing(hop: Hop, waits: Sequence[Cause], logged: Sequence[Flow]) -> str:
    """The leading trouble in a few words."""
    if hop is Hop.IN:
        rejects = _sum(flow.rejects for flow in logged)
        return f"reject {rejects:.1f}/s" if rejects else ""
    waiting = [cause for cause in waits if cause.deferred or cause.bounced]
    if not waiting:
        return ""
    lead = max(waiting, key=lambda cause: (cause.growth, cause.deferred + cause.bounced))
    words = f"{shown(lead.next_hop, 30)}: {shown(lead.reason, 60)}" if lead.next_hop else shown(lead.reason, 60)
    return f"{lead.bounced} bounced {words}" if lead.bounced > lead.deferred else words
