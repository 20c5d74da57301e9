"""The boards: of every probe that is shown, on every target, the block that it last found, as it is now."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import NamedTuple

from mailtop.derive.blocks import as_of, block, block_alerts, doubted, glances
from mailtop.derive.platform import TARGET, Derived, Seen, derived
from mailtop.engine.trends import Trends
from mailtop.engine.watch import Watch
from mailtop.metrics.store import Store, key_of
from mailtop.model.board import Block, Figure
from mailtop.model.sample import Kind, Labels, Sample
from mailtop.model.snapshot import Alert, Health, Page, PageAsk, ProbeState, QueueState
from mailtop.probe import Board, listeners, probes

MOST, FINE, COARSE = 6_000, (15.0, 60), (300.0, 288)
"""Series, and their steps: 15 min and a day, 1.4 kB each."""

LOOKED, UNSEEN = 5.0, 5.0
"""Seconds for which a look at a page counts; and between two pictures of all blocks while nobody looks at any."""

SPARE = 100
"""Blocks of targets that are gone, which are kept before they are forgotten."""


MISSED_FOR = 86_400.0
"""Seconds for which what was there is missed."""


class Told(NamedTuple):
    """Every block as it was at one moment, and what follows from them."""

    blocks: tuple[Block, ...] = ()
    alerts: tuple[Alert, ...] = ()
    glance: tuple[Figure, ...] = ()


class Boards:
    """Belongs to the engine's loop. `version` grows with everything that is found."""

    def __init__(self, vips: tuple[str, ...] = ()) -> None:
        """`vips`: the platform's shared addresses, where somebody has named them."""
        self.version = 0
        self._vips = vips
        self._queues: tuple[QueueState, ...] = ()
        self.store = Store(MOST, FINE, COARSE)
        """The series of what is only shown here: coarser than what moves with each mail, an eighth of the memory."""
        self._trends = Trends()
        self._there: dict[tuple[str, str], dict[Labels, float]] = {}
        self._blocks: dict[tuple[str, str], Block] = {}
        self._boards = {probe.name: probe.board for probe in probes() if probe.board is not None}
        self._boards |= {listener.name: listener.board for listener in listeners()}
        self._boards |= {one.name: Board(one.screen, one.title, one.metrics, one.order) for one in derived()}
        self._judged: dict[str, tuple[Health, float]] = {}
        """Of what is derived: how it is, and since when."""
        self._glanced = {
            name: shown
            for name, board in self._boards.items()
            if (shown := [metric for metric in board.metrics if metric.glance])
        }
        """Of each probe, the metrics that Overview shows."""
        self._looked = 0.0
        self._told: tuple[float, tuple[object, ...], Told] = 0.0, (), Told()
        self._ordered: dict[str, tuple[tuple[tuple[str, str], ...], Sequence[tuple[str, str]]]] = {}
        self.heard: dict[tuple[str, str], ProbeState] = {}
        """Of what logs tell, by target and listener: how it is."""

    def declare(self, name: str, board: Board) -> None:
        """Show what another than a probe or a log's listener finds."""
        self._boards[name] = board

    def take(self, target: str, probe: str, found: Sequence[object], at: float) -> Sequence[object]:
        """Receive what a probe found; return it, with when what it tells of will be full, where that can be told."""
        board = self._boards.get(probe)
        if board is None:
            return found
        found = (*found, *self._missed(target, probe, board.misses, found, at))
        found = (*found, *self._trends.take(target, board.trends, found, at))
        self.store.put(target, (one for one in found if isinstance(one, Sample)), at)
        rates = {
            one.key: rate[0] if (rate := self.store.rate(key_of(target, one.key))) is not None else None
            for one in found
            if isinstance(one, Sample) and one.kind is Kind.TOTAL
        }
        self._blocks[target, probe] = block(target, probe, board.title, board.metrics, found, rates.get, at)
        self.version += 1
        return found

    def _missed(self, target: str, probe: str, name: str, found: Sequence[object], at: float) -> Iterator[Sample]:
        """Yield 0 for all that was there at a time of the last day, and is not now."""
        if not name:
            return
        there = {one.labels for one in found if isinstance(one, Sample) and one.name == name}
        known = self._there.setdefault((target, probe), {})
        known |= dict.fromkeys(there, at)
        for labels in [labels for labels, seen in known.items() if at - seen > MISSED_FOR]:
            del known[labels]
        for labels in known.keys() - there:
            yield Sample(name, 0, labels)

    def now(self, watches: Mapping[str, Watch], now: float, queues: tuple[QueueState, ...] | None = None) -> Told:
        """Every block, as it is now: those of the platform as a whole, then in the order of hosts, targets and boards;
        of a probe that has never told anything, an empty one that says why. While nobody looks at them, `now` is some
        seconds ago. `queues`: where they are known anew."""
        self._queues = queues if queues is not None else self._queues
        there = (len(self._blocks), *(watch.link.up for watch in watches.values()))
        at, were, told = self._told
        if there == were and 0.0 <= now - at < (0.0 if 0.0 <= now - self._looked < LOOKED else UNSEEN):
            return told
        hosts = tuple(name for name, watch in watches.items() if not watch.same)
        blocks = self.over_all(Seen(hosts, self._all(watches, now), self._vips, self._queues), now)
        metrics = {name: board.metrics for name, board in self._boards.items()}
        alerts = tuple(block_alerts(blocks, self.screen, metrics))
        told = Told(blocks, alerts, glances(blocks, self._glanced))
        self._told = now, there, told
        return told

    def _all(self, watches: Mapping[str, Watch], now: float) -> tuple[Block, ...]:
        blocks: list[Block] = []
        for host, watch in watches.items():
            lost = "" if watch.link.up else watch.link.state.note or "not connected"
            states = {key: one.state for key, one in watch.collectors.items() if key[1] in self._boards}
            states |= {key: state for key, state in self.heard.items() if key[0] in watch.targets}
            for key in self._in_order(host, tuple(states)):
                found = self._blocks.get(key) or Block(*key, self._boards[key[1]].title, Health.UNKNOWN)
                blocks.append(as_of(found, states[key], now, lost or watch.rests(key[0])))
        if len(self._blocks) > 2 * len(blocks) + SPARE:  # containers come and go under ever new names
            kept = {(one.target, one.probe) for one in blocks}
            self._blocks = {key: found for key, found in self._blocks.items() if key in kept}
            self._there = {key: there for key, there in self._there.items() if key in kept}
        return tuple(blocks)

    def over_all(self, seen: Seen, now: float) -> tuple[Block, ...]:
        """What only several targets together tell, before what each tells."""
        found: list[Block] = []
        for one in derived():
            told = tuple(one.find(replace(seen, blocks=(*found, *seen.blocks))))
            if told:
                made = block(TARGET, one.name, one.title, one.metrics, told, lambda key: None, now)  # noqa: ARG005
                found.append(self._settled(one, made, seen, now))
        return (*found, *seen.blocks)

    def _settled(self, one: Derived, made: Block, seen: Seen, now: float) -> Block:
        """A change is judged when all that it rests on was asked anew: one target may be seen before it, one after."""
        health, since = self._judged.get(one.name, (Health.OK, 0.0))
        if health is not made.health:
            health, since = self._judged[one.name] = made.health, now
        asked = [old.at for old in seen.blocks if old.probe in one.of and not old.stale]
        if health is not Health.CRIT or all(at > since for at in asked):
            return made
        return doubted(made, Health.UNKNOWN, "has just changed: waits until all were asked again")

    def page(self, ask: PageAsk, watches: Mapping[str, Watch], now: float) -> Page:
        """Those of one screen (`ask.where`), of one target where it names one."""
        self._looked = now
        blocks = self.now(watches, now).blocks
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
