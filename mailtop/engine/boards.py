"""The boards: of every probe that is shown, on every target, the block that it last found, as it is now."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from mailtop.derive.blocks import as_of, block, block_alerts, glances
from mailtop.derive.search import search_hop
from mailtop.engine.watch import Watch
from mailtop.metrics.store import Store, key_of
from mailtop.model.board import Block, Figure
from mailtop.model.sample import Kind, Sample
from mailtop.model.snapshot import Alert, Health, HopState, Page, PageAsk, ProbeState
from mailtop.probe import Board, listeners, probes


class Boards:
    """Belongs to the engine's loop. `version` grows with everything that is found."""

    def __init__(self, store: Store) -> None:
        self.version = 0
        self._store = store
        self._blocks: dict[tuple[str, str], Block] = {}
        self._boards = {probe.name: probe.board for probe in probes() if probe.board is not None}
        self._boards |= {listener.name: listener.board for listener in listeners()}
        metrics = [metric for board in self._boards.values() for metric in board.metrics if metric.glance]
        self._glanced = tuple({metric.name: metric for metric in metrics}.values())  # several probes share some
        self.heard: dict[tuple[str, str], ProbeState] = {}
        """Of what logs tell, by target and listener: how it is."""

    def take(self, target: str, probe: str, found: Sequence[object], at: float) -> None:
        """Receive what a probe found, after its samples were entered into the store."""
        board = self._boards.get(probe)
        if board is None:
            return
        rates = {
            one.key: rate[0] if (rate := self._store.rate(key_of(target, one.key))) is not None else None
            for one in found
            if isinstance(one, Sample) and one.kind is Kind.TOTAL
        }
        self._blocks[target, probe] = block(target, probe, board.title, board.metrics, found, rates.get, at)
        self.version += 1

    def page(self, ask: PageAsk, watches: Mapping[str, Watch], now: float) -> Page:
        """The blocks of one screen (`ask.where`), in the order of hosts, targets and boards."""
        blocks = tuple(one for one in self._now(watches, now) if self._board(one).screen == ask.where)
        wanted = tuple(one for one in blocks if ask.target in ("", one.target))
        unknown = "" if wanted else "nothing to show here was found yet"
        return Page(ask, self.version, len(wanted), now, "probes", unknown=unknown, blocks=wanted)

    def alerts(self, watches: Mapping[str, Watch], now: float) -> Iterable[Alert]:
        """What of all that is known now is warn or crit."""
        return block_alerts(self._now(watches, now), lambda probe: self._boards[probe].screen)

    def search(self, watches: Mapping[str, Watch], now: float) -> HopState:
        """The hop into the index, as the archive's probes tell it."""
        return search_hop(self._now(watches, now))

    def glance(self, watches: Mapping[str, Watch], now: float) -> tuple[Figure, ...]:
        """What Overview shows of it: a figure each, over all targets."""
        return glances(tuple(self._now(watches, now)), self._glanced)

    def _board(self, block: Block) -> Board:
        return self._boards[block.probe]

    def _now(self, watches: Mapping[str, Watch], now: float) -> Iterable[Block]:
        """Every block, as it is now; of a probe that has never told anything, an empty one that says why."""
        for host, watch in watches.items():
            lost = "" if watch.link.up else watch.link.state.note or "not connected"
            states = {key: one.state for key, one in watch.collectors.items() if key[1] in self._boards}
            states |= {key: state for key, state in self.heard.items() if key[0] in watch.targets}
            for name, probe in sorted(states, key=lambda one: (one[0] != host, one[0], self._boards[one[1]].order)):
                state = states[name, probe]
                empty = Block(name, probe, self._boards[probe].title, Health.UNKNOWN)
                yield as_of(self._blocks.get((name, probe), empty), state, now, lost)
