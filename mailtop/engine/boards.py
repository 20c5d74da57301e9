"""The boards: of every probe that is shown, on every target, the block that it last found, as it is now."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from mailtop.derive.blocks import as_of, block
from mailtop.engine.watch import Watch
from mailtop.metrics.store import Store, key_of
from mailtop.model.board import Block
from mailtop.model.sample import Kind, Sample
from mailtop.model.snapshot import Health, Page, PageAsk, ProbeState
from mailtop.probe import Board, listeners, probes

MOST, FINE, COARSE = 6_000, (15.0, 60), (300.0, 288)
"""Series, and their steps: 15 min and a day, 2.8 kB each."""

SPARE = 100
"""Blocks of targets that are gone, which are kept before they are forgotten."""


class Boards:
    """Belongs to the engine's loop. `version` grows with everything that is found."""

    def __init__(self) -> None:
        self.version = 0
        self.store = Store(MOST, FINE, COARSE)
        """The series of what is only shown here: coarser than what moves with each mail, an eighth of the memory."""
        self._blocks: dict[tuple[str, str], Block] = {}
        self._boards = {probe.name: probe.board for probe in probes() if probe.board is not None}
        self._boards |= {listener.name: listener.board for listener in listeners()}
        self.glanced = {
            name: shown
            for name, board in self._boards.items()
            if (shown := [metric for metric in board.metrics if metric.glance])
        }
        """Of each probe, the metrics that Overview shows."""
        self._ordered: dict[str, tuple[tuple[tuple[str, str], ...], Sequence[tuple[str, str]]]] = {}
        self.heard: dict[tuple[str, str], ProbeState] = {}
        """Of what logs tell, by target and listener: how it is."""

    def declare(self, name: str, board: Board) -> None:
        """Show what another than a probe or a log's listener finds."""
        self._boards[name] = board

    def take(self, target: str, probe: str, found: Sequence[object], at: float) -> None:
        """Receive what a probe found."""
        board = self._boards.get(probe)
        if board is None:
            return
        self.store.put(target, (one for one in found if isinstance(one, Sample)), at)
        rates = {
            one.key: rate[0] if (rate := self.store.rate(key_of(target, one.key))) is not None else None
            for one in found
            if isinstance(one, Sample) and one.kind is Kind.TOTAL
        }
        self._blocks[target, probe] = block(target, probe, board.title, board.metrics, found, rates.get, at)
        self.version += 1

    def now(self, watches: Mapping[str, Watch], now: float) -> tuple[Block, ...]:
        """Every block, as it is now, in the order of hosts, targets and boards; of a probe that has never told
        anything, an empty one that says why."""
        blocks: list[Block] = []
        for host, watch in watches.items():
            lost = "" if watch.link.up else watch.link.state.note or "not connected"
            states = {key: one.state for key, one in watch.collectors.items() if key[1] in self._boards}
            states |= {key: state for key, state in self.heard.items() if key[0] in watch.targets}
            for key in self._in_order(host, tuple(states)):
                found = self._blocks.get(key) or Block(*key, self._boards[key[1]].title, Health.UNKNOWN)
                blocks.append(as_of(found, states[key], now, lost))
        if len(self._blocks) > 2 * len(blocks) + SPARE:  # containers come and go under ever new names
            kept = {(one.target, one.probe) for one in blocks}
            self._blocks = {key: found for key, found in self._blocks.items() if key in kept}
        return tuple(blocks)

    def page(self, ask: PageAsk, blocks: Iterable[Block], now: float) -> Page:
        """Those of one screen (`ask.where`), of one target where it names one."""
        wanted = tuple(one for one in blocks if self.screen(one.probe) == ask.where and ask.target in ("", one.target))
        unknown = "" if wanted else "nothing to show here was found yet"
        return Page(ask, self.version, len(wanted), now, "probes", unknown=unknown, blocks=wanted)

    def alone(self, probe: str) -> bool:
        """Does what it finds stand here and nowhere else?"""
        return probe in self._boards and self._boards[probe].aside

    def screen(self, probe: str) -> str:
        """The name of the screen that shows what a probe finds."""
        return self._boards[probe].screen

    def _in_order(self, host: str, keys: tuple[tuple[str, str], ...]) -> Sequence[tuple[str, str]]:
        """The host itself first, then its targets by name. Sorted anew only when others are watched."""
        known = self._ordered.get(host)
        if known is None or known[0] != keys:
            by = sorted(keys, key=lambda key: (key[0] != host, key[0], self._boards[key[1]].order))
            known = self._ordered[host] = keys, by
        return known[1]
