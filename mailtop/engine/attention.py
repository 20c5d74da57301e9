"""Which screens somebody looks at: what stands on no other, and on none that is looked at, is asked more seldom."""

from __future__ import annotations

from collections.abc import Iterable

from mailtop.engine.watch import Watch
from mailtop.probe import Probe, probes

LOOKED = 60.0  # seconds for which a look counts
REST = 60.0  # seconds between two looks of ours, at least, at what nobody sees: alerts need no more
SELDOM = 3.0  # … or times its interval, where that is more


class Attention:
    """Belongs to the engine's loop."""

    def __init__(self) -> None:
        self._shipped = {probe.name: probe.every for probe in probes()}
        self._looks: dict[str, float] = {}

    def look(self, screen: str, watches: Iterable[Watch], now: float) -> None:
        """Somebody looks at a screen of boards: what stands there is asked at its own pace, and now."""
        before, self._looks[screen] = self._looks.get(screen, 0.0), now
        if 0.0 <= now - before < LOOKED:
            return
        for watch in watches:
            for collector in watch.collectors.values():
                board = collector.probe.board
                if board is not None and board.screen == screen:
                    collector.hasten()

    def calm(self, probe: Probe, now: float) -> float:
        """How many times its interval a probe may take; one that the settings give is kept."""
        board = probe.board
        if self._shipped.get(probe.name, probe.every) != probe.every:
            return 1.0
        if board is None or not board.aside or 0.0 <= now - self._looks.get(board.screen, 0.0) < LOOKED:
            return 1.0
        return max(SELDOM, REST / probe.every)
