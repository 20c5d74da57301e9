"""Each container stopped, paused and killed in turn: what is told of it is old or wrong, and all else goes on."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from functools import partial
from pathlib import Path

import pytest
from maillab.containers import PLATFORM
from maillab.errors import LabError
from maillab.lab import Lab
from maillab.waiting import wait_until

from mailtop.config import HostSettings
from mailtop.config.shape import ProbeSettings
from mailtop.derive.blocks import LATE
from mailtop.model.board import Block
from mailtop.model.health import Health, Reading
from mailtop.model.snapshot import HopState, Link, Page, PageAsk, Snapshot
from mailtop.model.topology import Hop
from mailtop.probe import listeners, probes
from tests.truth.watching import Watching, count, log, state_of, watching

pytestmark = [pytest.mark.lab, pytest.mark.soak, pytest.mark.timeout(240)]

EVERY = 2.0  # seconds between two runs of any probe
WITHIN = 2 * EVERY + LATE  # … and until what it found is old
APART = (
    "container_usage",
    "host_mounts",
    "dns",
    "resolver",
    "ports",
    "proxy_pages",
    "mariadb_sizes",
    "amavis_quarantine",
)
"""Slow, or asked of several containers at once: each has its own test."""

SLOW = ("_certificates", "_fingerprints")
LARGE = ("postfix_listing", "dovecot_storage")
"""Each run is an exec of its own, which a busy Engine may take seconds for."""

PACES = {
    probe.name: ProbeSettings(
        2 * EVERY if probe.name in LARGE else EVERY, enabled=probe.name not in APART and not probe.name.endswith(SLOW)
    )
    for probe in probes()
}
HERE = {"here": HostSettings(probes=PACES)}
BOARDS = {one.name: one.board for one in probes() if one.board} | {one.name: one.board for one in listeners()}
SCREENS = sorted({board.screen for board in BOARDS.values()})
NAMES = (
    *("postfix", "dovecot", "dovecot24", "maildb", "maildb-replica", "amavis", "spamassassin", "clamav"),
    *("piler", "manticore", "wwwapp"),
)
OURS = frozenset(("here", *(f"here/{one.name}" for one in PLATFORM)))
"""The host and the lab's containers: others may come and go."""


def frozen(lab: Lab, name: str) -> None:
    """Pause a container: Docker fails to freeze one that starts a program just then, and says so."""

    def tried() -> bool:
        with suppress(LabError):
            lab.pause(name)
            return True
        return False

    wait_until(tried, 20, f"{name} is paused")


BLIND = (Health.UNKNOWN, Health.DENIED)
BREAKS: dict[str, tuple[str, Callable[[Lab, str], object], Callable[[Lab, str], object]]] = {
    "stop": ("exited", lambda lab, name: lab.engine.run("stop", "--time", "1", name), Lab.start),
    "pause": ("paused", frozen, Lab.unpause),
    "kill": ("exited", Lab.kill, Lab.start),
}


@pytest.fixture
def whole(lab: Lab) -> Iterator[Lab]:
    """The lab, of which everything runs when a test has ended."""
    yield lab
    lab.engine.wake()


class Sight:
    """All that a face could show, looked at again and again."""

    def __init__(self, watched: Watching) -> None:
        self.blocks: tuple[Block, ...] = ()
        self.now: Snapshot
        self.flow: Page
        self._watched = watched
        self._found = 0.0

    async def until(self, what: str, lacks: Callable[[], Iterable[str]], within: float) -> list[str]:
        """Look until nothing is lacking; what still is when the time is up.

        Docker is asked as often as the probes ask: its pace is no setting.
        """
        missing = ["nothing was looked at"]
        with suppress(TimeoutError):
            async with asyncio.timeout(within):
                async for snapshot in self._watched.engine.snapshots():
                    self.now = snapshot
                    if snapshot.at - self._found > EVERY:
                        self._found = snapshot.at
                        self._watched.engine._watching.watches["here"].find()
                    pages = [await self._watched.engine.page(PageAsk("board", where=screen)) for screen in SCREENS]
                    self.blocks = tuple(block for page in pages for block in page.blocks)
                    self.flow = await self._watched.engine.page(PageAsk("flow"))
                    missing = list(lacks())
                    if not missing:
                        return []
        return [f"{what}, not within {within:g} s: {word}" for word in missing]

    def troubles(self, besides: str = "") -> Iterator[str]:
        """What is late, unknown or not read, of the host and the lab's containers besides one."""
        others, now = OURS - {f"here/{besides}"}, self.now.at
        for state in self.now.probes:
            if state.target in others and state.health is not Health.OK:
                yield f"{state.target} {state.probe}: {state.health} {state.note}"
            elif state.target in others and now - state.last_ok > 2 * state.every + LATE:
                yield f"{state.target} {state.probe}: late"
        for block in self.blocks:
            if block.target in others and block.stale:
                yield f"{block.target} {block.probe}: old: {block.note}"
        for target in self.now.targets:
            if target.name in others and target.health is not Health.OK:
                yield f"{target.name}: {target.state}"
        for one in self.now.logs:
            if one.target in others and one.health is not Health.OK:
                yield f"{one.target} log: {one.note}"
        for host in self.now.hosts:
            if host.link is not Link.UP:
                yield f"{host.name}: {host.note}"

    def not_asked(self, name: str, since: float) -> Iterator[str]:
        """What is not well, or not asked of a container since it was mended, and lately: its first answers are slow."""
        yield from self.troubles()
        for state in self.now.probes:
            asked = max(since, self.now.at - 2 * state.every)
            if state.target == f"here/{name}" and state.last_ok < asked:
                yield f"{state.probe}: not asked since"

    def green(self, name: str, state: str) -> Iterator[str]:
        """What still tells of a container that does not run as of one that does."""
        target = f"here/{name}"
        seen = state_of(self.now, target)
        if (seen.health, seen.state) != (Health.CRIT, state):
            yield f"{target}: {seen.health} {seen.state}"
        mine = [block for block in self.blocks if block.target == target]
        if not mine:
            yield f"{target}: no block"
        for block in mine:
            if not block.stale or block.health not in BLIND or not block.note:
                yield f"{block.probe}: {block.health} {block.note} {'' if block.stale else 'of now'}"
            yield from (f"{block.probe} {one.label}: {one.reading}" for one in block.figures if not old(one.reading))
        asked = {block.probe for block in mine if any(one.reading.value is not None for one in block.figures)}
        sums = {metric.name for asker in asked & BOARDS.keys() for metric in BOARDS[asker].metrics if metric.glance}
        yield from (
            f"Overview: {one.label} {one.reading}"
            for one in self.now.glance
            if one.metric in sums and one.reading.health is Health.OK
        )
        if name == "postfix":
            yield from self._mail_green(target)
        if name in ("piler", "manticore"):
            yield from self._search_green(name)

    def _mail_green(self, target: str) -> Iterator[str]:
        if log(self.now, target).health is Health.OK and state_of(self.now, target).state == "exited":
            yield "its log is read"
        for queue in ("incoming", "active", "deferred", "hold"):
            reading = count(self.now, target, queue)
            if reading.health not in BLIND or not reading.note:
                yield f"queue {queue}: {reading}"
        if target not in self.flow.unknown:
            yield f"flow: {self.flow.unknown or 'of now'}"
        yield from (word for hop in self.now.hops if hop.hop is not Hop.SEARCH for word in hop_green(hop))

    def _search_green(self, name: str) -> Iterator[str]:
        hop = next(one for one in self.now.hops if one.hop is Hop.SEARCH)
        cells = {"manticore": (hop.p95,), "piler": (hop.deferred, hop.last_success)}[name]
        yield from (f"search: {cell}" for cell in cells if cell.health is Health.OK)
        yield from (f"search on {host}: {health}" for host, health in hop.hosts if health is Health.OK)


def old(reading: Reading) -> bool:
    return reading.health is not Health.OK and (reading.stale or reading.value is None)


def hop_green(hop: HopState) -> Iterator[str]:
    """The cells of a hop that a Postfix which does not run leaves green, or without a word."""
    cells = {"rate": hop.rate, "p95": hop.p95, "active": hop.active, "deferred": hop.deferred, "growth": hop.growth}
    for name, reading in {**cells, "oldest": hop.oldest, "last success": hop.last_success}.items():
        if reading.health is Health.OK or (reading.value == 0 and not reading.note):
            yield f"{hop.hop} {name}: {reading}"
    yield from (f"{hop.hop} on {host}: {health}" for host, health in hop.hosts if health is Health.OK)


@pytest.mark.parametrize("kind", BREAKS)
async def test_each_container_in_turn_is_told_and_all_others_go_on(whole: Lab, tmp_path: Path, kind: str) -> None:
    state, broken, mended = BREAKS[kind]
    wrong: list[str] = []
    async with watching(HERE, tmp_path, remember=1) as watched:
        sight = Sight(watched)
        assert not await sight.until("all is well", sight.troubles, 60)
        for name in NAMES:
            meanwhile: dict[str, None] = {}

            def lacks(name: str = name, meanwhile: dict[str, None] = meanwhile) -> Iterator[str]:
                meanwhile.update(dict.fromkeys(sight.troubles(name)))
                yield from sight.green(name, state)

            await asyncio.to_thread(broken, whole, name)
            wrong += await sight.until(f"{kind} {name} is told", lacks, WITHIN)
            wrong += [f"{kind} {name}, meanwhile: {word}" for word in meanwhile]
            await asyncio.to_thread(mended, whole, name)
            again = partial(sight.not_asked, name, sight.now.at)
            wrong += await sight.until(f"{name} is well again after {kind}", again, 40)
    assert not wrong, "\n".join(wrong)
