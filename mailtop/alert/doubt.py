"""Is an alert that does not fire any more over, or can nobody look? What is not known is never over."""

from __future__ import annotations

from collections.abc import Sequence

from msgspec import Struct

from mailtop.model.alerts import Alert
from mailtop.model.board import Block
from mailtop.model.snapshot import Health, HopState, HostState, Link, LogState, Reading, TargetState

_BLIND = (Health.UNKNOWN, Health.DENIED)


class Known(Struct, frozen=True):
    """What is known at one moment, of which alerts come."""

    hosts: Sequence[HostState]
    targets: Sequence[TargetState]
    logs: Sequence[LogState]
    hops: Sequence[HopState]
    blocks: Sequence[Block]

    def doubt(self, alert: Alert) -> str:
        """Return why nobody knows whether an alert of before still fires; empty where it is known not to.

        An alert about a target that is gone for good is over.
        """
        if alert.rule.startswith("Hop"):
            return self._hop(alert)
        target = alert.target.partition(" ")[0]
        name = target.partition("/")[0]
        host = next((host for host in self.hosts if host.name == name), None)
        if host is not None and host.link is not Link.UP:
            return host.note or f"{name}: not connected"
        if alert.rule == "LogNotRead":
            return next((_why(log) for log in self.logs if log.target == target and log.health in _BLIND), "")
        state = next((one for one in self.targets if one.name == target), None)
        if state is not None and state.health in _BLIND:
            return _why(state)
        return self._figure(alert, target, state)

    def _hop(self, alert: Alert) -> str:
        """A hop's figures are sums over hosts: one that lacks a part is not known."""
        hop = next((one for one in self.hops if one.hop == alert.key[1]), None)
        if hop is None:
            return ""
        readings = {"HopWithoutSuccess": hop.last_success, "HopOld": hop.oldest, "HopDeferred": hop.deferred}
        reading = readings.get(alert.rule, Reading())
        nothing = alert.rule == "HopOld" and hop.deferred.value == 0 and hop.deferred.health is Health.OK
        if reading.health not in _BLIND or nothing:
            return ""
        return reading.note or hop.note or "nothing was tried lately"

    def _figure(self, alert: Alert, target: str, state: TargetState | None) -> str:
        """A figure that is old, or has no value; or of a probe that is not asked while its container rests."""
        mine = [one for one in self.blocks if one.target == target]
        for one in mine:
            for figure in one.figures:
                if figure.metric == alert.rule and f"{target} {figure.of}".strip() == alert.target:
                    if one.stale:
                        return one.note
                    return (figure.reading.note or "no value") if figure.reading.health in _BLIND else ""
        measured = alert.value != ""
        rests = state is not None and state.state not in ("", "running")
        return f"{target} is {state.state}" if measured and rests and state is not None else ""


def _why(state: LogState | TargetState) -> str:
    return state.note or "not known now"
