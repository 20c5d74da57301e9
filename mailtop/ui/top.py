"""The top line: which platform, is it reachable, what is firing, may I act, and what time it is there."""

from __future__ import annotations

import math

from mailtop.model.snapshot import Health, Link, Snapshot
from mailtop.ui.figures import SIGNS, clock, count, whole
from mailtop.ui.ink import Line, Span, beside, cut, under, width
from mailtop.ui.theme import SITES
from mailtop.ui.view import Scene


def top(scene: Scene, cells: int) -> Line:
    """The frame's first line."""
    snapshot = scene.snapshot
    site = snapshot.colour if snapshot.colour in SITES else "accent"
    name: Line = ((f" {cut(snapshot.platform or 'mailtop', 24)} ", f"site:{site}"),)
    left: Line = (*name, *under(_hosts(scene), "bar"))
    middle = under((*_alerts(scene, cells >= 100), *_mode(scene)), "bar")
    clocked = f"  {clock(scene.now)} "
    right = (*_paused(scene), *under(_carriers(snapshot), "bar"), (clocked, "dim+bar" if scene.late else "title+bar"))
    room = cells - width(left) - width(middle) - width(right)
    holders = next((line for line in _holders(scene) if width(line) <= room), ())
    return beside((*left, *holders, *middle), right, cells, "bar")


def _holders(scene: Scene) -> list[Line]:
    """Who holds the VIP and where the database is writable, in full and shorter; only what is known."""
    snapshot = scene.snapshot
    health = scene.sure(snapshot.vip_health)
    vip = _holder("VIP", snapshot.vip, health)
    writes = _holder("writes", snapshot.writes, scene.sure(snapshot.writes_health))
    same = (snapshot.vip, snapshot.vip_health) == (snapshot.writes, snapshot.writes_health)
    if vip and writes and same:
        return [vip + writes, _holder("VIP, writes", snapshot.vip, health), vip]
    return [vip + writes, vip, writes]


def _holder(word: str, host: str, health: Health) -> Line:
    if not host:
        return ()
    return ((f"  {word} ", "dim+bar"), (f"{host} ", "text+bar"), (SIGNS[health], f"{health.value}+bar"))


def _hosts(scene: Scene) -> Line:
    snapshot = scene.snapshot
    total = len(snapshot.hosts)
    up = sum(host.link is Link.UP for host in snapshot.hosts)
    down = any(host.link is Link.DOWN for host in snapshot.hosts)
    if not total:
        return (("  no host yet", "dim"),)
    role, lead = ("crit", "✖ ") if down else ("text", "") if up == total else ("warn", "")
    if scene.late and not down:
        role, lead = "unknown", "? "
    return ((f"  {lead}{count(up)}/{count(total)} up", role),)


def _alerts(scene: Scene, wide: bool) -> Line:
    """What is firing; that nothing is, is good news only where all is known."""
    snapshot = scene.snapshot
    crit = sum(alert.health is Health.CRIT for alert in snapshot.alerts)
    warn = sum(alert.health is Health.WARN for alert in snapshot.alerts)
    pieces: list[Span] = []
    if crit:
        pieces.append((f"  ✖ {crit}", "crit"))
    if warn:
        pieces.append((f"  ▲ {warn}", "warn"))
    if pieces:
        return tuple(pieces)
    if snapshot.alerts or not scene.known:
        return (("  ? ", "unknown"), ("not all is known" if wide else "unknown", "dim"))
    pieces = [("  ● ", "ok"), ("no alerts" if wide else "ok", "dim")]
    return tuple(pieces)


def _mode(scene: Scene) -> Line:
    if scene.read_only:
        return (("  READ-ONLY", "dim"),)
    if not scene.operate:
        return (("  OBSERVE", "dim"),)
    minutes = max(0, math.ceil((scene.snapshot.unlocked_until - scene.now) / 60))
    return (("  ", "text"), (f" OPERATE {minutes} m ", "site:red"))


def _paused(scene: Scene) -> Line:
    """For how long; in a replay, where one steps, at which second of how many."""
    if scene.paused is None:
        return ()
    played, length = scene.snapshot.played
    where = f"{played:.0f}/{length:.0f} s" if length else whole(scene.paused)
    return ((" ", "text+bar"), (f" PAUSED {where} ", "site:orange"))


def _carriers(snapshot: Snapshot) -> Line:
    pieces: list[Span] = []
    if snapshot.recording:
        pieces.append((" ● REC", "crit"))
    if snapshot.replay and not snapshot.paused:
        pieces.append((f" ▶ ×{snapshot.replay:g}", "accent"))
    elif not snapshot.replay and snapshot.interval != 1.0:
        pieces.append(
            (f" every {snapshot.interval:g} s" if snapshot.interval > 1 else f" ×{1 / snapshot.interval:g}", "dim")
        )
    return tuple(pieces)
