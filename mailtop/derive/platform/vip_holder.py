"""Who holds the VIP: exactly one host. That it is one is known only when all hosts that could hold it were asked."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from mailtop.derive.platform import HOLDER, Derived, Seen
from mailtop.model.board import Block, Line, Metric, Table
from mailtop.model.health import Health
from mailtop.model.sample import Fact, Sample
from mailtop.model.text import Foreign


def find(seen: Seen) -> Iterator[Sample | Fact | Table]:
    """Yield a row a VIP: of those that are configured, else of those that keepalived has on any host."""
    told = {one.target: one for one in seen.of("vip")}
    vips = seen.vips or tuple(
        dict.fromkeys(vip for one in told.values() for vip in dict(one.words).get("VIP", "").split())
    )
    lines, holders = [], []
    for vip in vips:
        holding = [name for name, one in told.items() if not one.stale and vip in _held(one)]
        blind = [name for name in seen.hosts if _blind(told.get(name), vip, configured=bool(seen.vips))]
        lines.append(_line(vip, holding, blind))
        holders += holding or ([] if blind else ["none"])
        if len(holding) > 1 or not blind:
            yield Sample("vip_holders", len(holding), (("vip", vip),))
    if lines:
        yield Fact(HOLDER, ", ".join(dict.fromkeys(holders)))
        yield Table("", ("VIP", "held by", ""), tuple(lines), len(lines))


def _held(block: Block) -> Sequence[str]:
    return dict(block.words).get("addresses", "").split()


def _blind(block: Block | None, vip: str, *, configured: bool) -> bool:
    """Could this host hold it unseen? Not one that was asked, nor one whose keepalived knows nothing of it."""
    if block is None:
        return True
    if not block.stale:
        return False
    words = dict(block.words)
    return configured or not words or "keepalived.conf" in words or vip in words.get("VIP", "").split()


def _line(vip: str, holding: Sequence[str], blind: Sequence[str]) -> Line:
    said, health = "", Health.OK
    if len(holding) > 1:
        said, health = "two hold it: whoever connects gets one or the other", Health.CRIT
    elif blind:
        said, health = f"not asked: {', '.join(blind)}", Health.UNKNOWN
    elif not holding:
        said, health = "nobody holds it", Health.CRIT
    return Line(tuple(Foreign(text.encode()) for text in (vip, ", ".join(holding), said)), health)


VIP_HOLDER = Derived(
    "vip_holder",
    "replication",
    "VIP",
    find,
    (Metric("vip_holders", "holders", exactly=1.0, means="hosts that have this VIP; shown when all were asked"),),
    of=("vip",),
    order=10,
)
