"""All that is under watch: every host, the books of every Postfix, the series; and how they look at one moment."""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import Callable, Container, Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from msgspec.structs import replace

from mailtop.alert.book import AlertBook
from mailtop.alert.doubt import Known
from mailtop.config import Settings
from mailtop.derive.cells import host_cells
from mailtop.derive.firing import firing
from mailtop.derive.hops import Flow as HopsFlow
from mailtop.derive.hops import hop_states
from mailtop.derive.platform import HOLDER
from mailtop.derive.search import search_hop
from mailtop.engine.attention import Attention
from mailtop.engine.boards import Boards
from mailtop.engine.books import Books
from mailtop.engine.budget import affordable
from mailtop.engine.clock import Clock
from mailtop.engine.flowing import Flowing
from mailtop.engine.follow import Follower
from mailtop.engine.hearing import Hearing
from mailtop.engine.link import Link
from mailtop.engine.logs import Logs
from mailtop.engine.mta import READING_BACK, Mta
from mailtop.engine.probing import chosen
from mailtop.engine.watch import Watch
from mailtop.ledger.counts import counts
from mailtop.metrics.store import Store
from mailtop.model.ask import Source
from mailtop.model.board import Block
from mailtop.model.errors import Refused
from mailtop.model.flow import Flow
from mailtop.model.sample import Sample
from mailtop.model.snapshot import NO_DATA, Health, HostState, LogState, ProbeState, QueueState, Series, Snapshot
from mailtop.model.topology import Hop, Role, Target
from mailtop.probe import Found, Probe
from mailtop.probe.postfix_listing import COST
from mailtop.probe.postfix_listing import PROBE as LISTING

MEASURED = 10.0  # seconds between two entries of figures that rest
MOVED = 2.0  # the same of figures that move: growth is spread over the steps that it took, so none is lost

Probes = Mapping[str, ProbeState]

_log = logging.getLogger(__name__)


class _Seen(NamedTuple):
    """One Postfix's part of a picture. `causes`: with what they rest on, and why some are missing."""

    flow: HopsFlow
    queue: QueueState
    causes: tuple[object, ...]


class Watching:
    """Belongs to the engine's loop: nobody else writes here."""

    def __init__(
        self,
        settings: Settings,
        sources: Mapping[str, Callable[[], Source]],
        clock: Clock,
        *,
        driven: bool,
        asked: Container[str] | None = None,
        waits: Callable[[str], str] = lambda host: "",  # noqa: ARG005
    ) -> None:
        """`sources` makes the source of each host. `driven`: a recording says when which probe runs, and
        `asked` names those that it has answers to: a probe younger than the recording is none of its unknowns.

        `waits`: what a host waits to be told by a person, empty for nothing.
        """
        self.platform = settings.platform.name or ", ".join(settings.hosts)
        self.watches: dict[str, Watch] = {}
        self.store = Store()
        self.boards = Boards(settings.platform.vip)
        self.alerts = AlertBook()
        self.attention = Attention()
        self._hearing = Hearing(self.boards)
        self._flowing = Flowing(self.boards, self._lost_or_rests)
        self._logs_seen: Mapping[str, LogState] = {}
        self.logs = Logs(clock, settings.history, self._ahead, self._hearing.take, driven=driven)
        self.books = Books(settings, clock, self.logs.keep, driven=driven)
        self._settings = settings
        self._sources = sources
        self._clock = clock
        self._driven = driven
        self._asked = asked
        self._waits = waits
        self._host_samples: dict[str, dict[str, tuple[Sample, ...]]] = {}
        self._measured: dict[str, tuple[int, float]] = {}
        self._causes: tuple[object, ...] = ()
        self._faults: dict[str, str] = {}
        self._causes_version = 0
        self._identities: dict[tuple[str, str], str] = {}  # (machine or engine, host) → its identity

    def open(self, head_start: float = 0.0) -> None:
        """Begin with every host; returns at once. `head_start`: seconds in which nothing but what runs is found out."""
        begun = asyncio.Event()
        asyncio.get_running_loop().call_later(head_start, begun.set) if head_start else begun.set()
        roles = {service.target: service.role for service in self._settings.services.values()}
        for name, host in self._settings.hosts.items():
            watch = Watch(
                Link(name, self._sources[name], self._clock, waits=self._waits),
                self._clock,
                chosen(self._settings, name, self._asked),
                roles,
                docker=host.docker,
                shell=host.shell,
                deliver=self._deliver,
                follower=self._follower,
                gate=self._gate,
                calm=lambda probe: self.attention.calm(probe, self._clock.now()),
                twin=self._twin,
                sudo=host.sudo,
                begun=begun,
                socket=host.docker_socket if host.ssh or "DOCKER_HOST" not in os.environ else "",
            )
            self.watches[name] = watch
            watch.start(driven=self._driven)

    async def close(self) -> None:
        """End every host's tasks and connection."""
        await asyncio.gather(*(watch.close() for watch in self.watches.values()))

    @property
    def mtas(self) -> list[Mta]:
        """The books of every Postfix, in the platform's order; not of those that are long gone."""
        order, mtas = list(self.watches), self.books.mtas.values()
        there = [mta for mta in mtas if mta.target.name in self.watches[mta.target.host].targets]
        return sorted(there, key=lambda mta: (order.index(mta.target.host), mta.target.name))

    @property
    def versions(self) -> dict[str, int]:
        """Of each kind of page, a number that grows when its content has changed."""
        queues = sum(mta.version for mta in self.books.mtas.values())
        return {"causes": self._causes_version, "shape": queues, "messages": queues, "logs": self.logs.version} | {
            "board": self.boards.version,
            "alerts": self.alerts.version,
            "flow": self._flowing.version,
        }

    def flow(self, mtas: Sequence[Mta], now: float) -> Flow:
        """The mail of some Postfixes together, in the last hour."""
        return self._flowing.flow(mtas, self._logs_seen, now)

    # what comes in

    def _deliver(self, target: Target, probe: str, found: Iterable[Found], at: float) -> None:
        found = tuple(found)
        samples = tuple(one for one in found if isinstance(one, Sample))
        if not self.boards.alone(probe):
            self.store.put(target.name, samples, at)
        told = self.boards.take(target.name, probe, found, at)
        if not target.container:
            here = tuple(one for one in told if isinstance(one, Sample))
            self._host_samples.setdefault(target.host, {})[probe] = here
        mta = self.books.mtas.get(target.name)
        if mta is not None:
            mta.take(found, at, self._clock.now())

    def _twin(self, host: str, what: str, identity: str) -> str:
        """The host before this one, in the platform's order and connected, that is the same; empty for none."""
        news = self._identities.get((what, host)) != identity
        self._identities[what, host] = identity
        if not identity:
            return ""
        same = [name for name in self.watches if self._identities.get((what, name)) == identity]
        first = next((name for name in same if self.watches[name].link.up), host)
        for later in same[same.index(first) + 1 :] if news and first == host else ():
            self.watches[later].find()  # which may have taken itself for the first
        return "" if first == host else first

    def _gate(self, target: Target, probe: Probe) -> str:
        """May a full listing run by itself? Only where counting has shown that the host can afford it."""
        mta = self.books.mtas.get(target.name)
        if probe.name != LISTING.name or mta is None:
            return ""
        messages = mta.messages
        if messages is None and not self.watches[target.host].tried(target.name, "postfix_deferred"):
            return "waits until the queue has been counted"
        if messages is not None and not affordable(COST * messages):
            return f"{messages:,} messages: listed only when asked for (:list), it would keep {target.host} busy"
        return ""

    def _follower(self, target: Target, link: Link) -> Follower[Any] | None:
        """The follower of a target's log, None where it is not read."""
        self.books.see(target)
        if Role.MTA in target.roles:
            return self.books.follower(target, link, self.watches[target.host].finder.writers(target))
        return self.logs.follower(target, link) if target.roles and target.container else None

    # what goes out

    def series(self, key: str, seconds: float, now: float) -> Series:
        """The last `seconds` of one series: of what moves with the mail, else of what boards alone show."""
        found = self.store.series(key, seconds, now)
        return found if found.values else self.boards.store.series(key, seconds, now)

    def linked(self, name: str) -> tuple[Link, Target]:
        """Find a target for an act; raises Refused for one that is not there."""
        watch = self.watches.get(name.partition("/")[0])
        if watch is None or name not in watch.known:
            raise Refused(name, "is no target that mailtop knows", "see mailtop snapshot for those it found")
        return watch.link, watch.known[name]

    def unknown(self, mta: Mta) -> str:
        """Why a queue's messages are not known, empty where they are."""
        if mta.queue.listing is not None:
            return mta.doubt
        lost = self._lost(mta.target.host)
        collector = self.watches[mta.target.host].collectors.get((mta.target.name, LISTING.name))
        return lost or (collector.state.note if collector is not None else "") or "not listed yet"

    def follow_on(self, now: float) -> dict[str, LogState]:
        """Bring the books up to now where their logs are followed; return how each log is."""
        logs: dict[str, LogState] = {}
        for watch in self.watches.values():
            for name, follower in watch.followers.items():
                mta = self.books.mtas.get(name)
                if mta is None:
                    state = self.logs.state(follower, self._lost(watch.link.host))
                    logs |= {name: state} if state is not None else {}
                    continue
                logs[name] = self._followed(follower.state, mta, watch, now)
        self._hearing.follow_on(logs, now)
        self._flowing.follow_on(self.mtas, logs, now)
        self._logs_seen = logs
        return logs

    def _followed(self, state: LogState, mta: Mta, watch: Watch, now: float) -> LogState:
        try:
            if state.health is Health.OK and watch.link.up:
                mta.follows(now)
                self._measure(mta, now)
            return self._log(state, mta, watch)
        except Exception as error:  # noqa: BLE001  (as in `_seen`)
            return replace(state, health=Health.UNKNOWN, note=self._own_fault(mta.target.name, error))

    def _measure(self, mta: Mta, now: float) -> None:
        """Enter a book's figures into the series when they have moved, and now and then though they have not."""
        version, at = self._measured.get(mta.target.name, (-1, 0.0))
        if not 0.0 <= now - at < (MEASURED if version == mta.version else MOVED):
            self.store.put(mta.target.name, counts(mta.book, mta.theirs(now)), now)
            self._measured[mta.target.name] = mta.version, now

    def _log(self, state: LogState, mta: Mta, watch: Watch) -> LogState:
        unreadable = mta.book.totals["unreadable"] + state.unreadable
        if not watch.link.up:
            state = replace(state, health=Health.UNKNOWN, note=watch.link.state.note)
        elif state.health is Health.OK and mta.reading_back:
            state = replace(state, note=READING_BACK)
        return replace(state, unreadable=unreadable, last_at=mta.ours(state.last_at))

    def picture(self, seq: int, now: float, logs: Mapping[str, LogState]) -> Snapshot:
        """Freeze what is known: the snapshot without what only the engine knows of itself."""
        states = [
            state
            for watch in self.watches.values()
            for state in (watch.discovery, *(collector.state for collector in watch.collectors.values()))
        ]
        probes_of: dict[str, dict[str, ProbeState]] = {}
        for state in states:
            probes_of.setdefault(state.target, {})[state.probe] = state
        mtas = self.mtas
        named = [(mta, mta.target.name) for mta in mtas]
        hosts = tuple(self._host(watch, probes_of.get(name, {}), now) for name, watch in self.watches.items())
        targets = tuple(state for watch in self.watches.values() for state in watch.seen)
        lost = {mta.target.name: self._lost_or_rests(mta.target) for mta in mtas}
        seen = [self._seen(mta, logs.get(name), probes_of.get(name, {}), now, lost[name]) for mta, name in named]
        way = hop_states([*(one.flow for one in seen), *self._unread()], now, tuple(self.watches))
        queues = tuple(one.queue for one in seen)
        boards = self.boards.now(self.watches, now, queues)
        search = search_hop(boards.blocks, now)
        hops = tuple(search if hop.hop is Hop.SEARCH else hop for hop in way)
        self._weigh(tuple(one.causes for one in seen))
        changed = tuple(one for mta in mtas for one in mta.standings)
        followed = tuple(logs.values())
        alerts = firing(hosts, targets, followed, hops, self.alerts.since(now), now, changed, boards.alerts)
        self.alerts.take(alerts, now, Known(hosts, targets, followed, hops, boards.blocks).doubt)
        return Snapshot(
            seq,
            now,
            self.platform,
            self._settings.platform.colour,
            hosts=hosts,
            targets=targets,
            probes=tuple(states),
            logs=followed,
            hops=hops,
            queues=queues,
            alerts=alerts,
            destinations=changed,
            glance=boards.glance,
            versions=self.versions,
            **_holders(boards.blocks),
        )

    def _seen(self, mta: Mta, log: LogState | None, asked: Probes, now: float, lost: str) -> _Seen:
        """One Postfix as it looks now. A bug that its books meet costs its own cells, and says so there."""
        try:
            queue = mta.state(asked, now, self._listing(mta, now), lost)
            causes = (mta.causes(now), mta.known()[0], self.unknown(mta))
            return _Seen(mta.flow(log, asked, now, lost), queue, causes)
        except Exception as error:  # noqa: BLE001  (one host's nonsense must not take the picture of all others)
            why = self._own_fault(mta.target.name, error)
            flow = HopsFlow(mta.target.host, log_note=why, queue_note=why)
            return _Seen(flow, QueueState(mta.target.name, (), NO_DATA, note=why), ((), "", why))

    def _own_fault(self, target: str, error: Exception) -> str:
        """Log a bug once, and say it in a line."""
        why = f"mailtop's own fault: {error!r}; please report it"
        if self._faults.get(target) != why:
            self._faults[target] = why
            _log.error("%s", target, exc_info=error)
        return why

    def _weigh(self, causes: tuple[object, ...]) -> None:
        """Have the causes changed, or what is known of them? Lines of the log, and listings, mostly change neither."""
        if causes != self._causes:
            self._causes = causes
            self._causes_version += 1

    def _unread(self) -> list[HopsFlow]:
        """The flows of hosts of which nobody knows yet whether mail goes through them: sums lack them."""
        lacks = [(name, watch.unread) for name, watch in self.watches.items()]
        return [HopsFlow(name, log_note=why, queue_note=why) for name, why in lacks if why]

    def _host(self, watch: Watch, asked: Probes, now: float) -> HostState:
        """A host's connection, with its own figures while there is one."""
        state = replace(watch.link.state, ahead=self._ahead(watch.link.host))
        if not watch.link.up or not watch.shell or watch.same:
            return replace(state, note=watch.note) if watch.link.up else state
        return replace(state, note=watch.note, cells=host_cells(self._host_samples.get(state.name, {}), asked, now))

    def _ahead(self, host: str) -> float:
        """How far a host's clock is ahead of ours, in seconds; 0.0 as long as nothing proves that it is not."""
        return self.books.ahead(host)

    def _lost(self, host: str) -> str:
        """Why a host is not reached, empty while it is."""
        link = self.watches[host].link
        return "" if link.up else link.state.note or "not connected"

    def _lost_or_rests(self, target: Target) -> str:
        """Why a target is not reached: its host is not, or its container does not run; empty while it is."""
        return self._lost(target.host) or self.watches[target.host].rests(target.name)

    def _listing(self, mta: Mta, now: float) -> float | None:
        """How far a full listing is that runs now, 0.0 … 0.99, by what such a length usually takes."""
        collector = self.watches[mta.target.host].collectors.get((mta.target.name, LISTING.name))
        if collector is None or not collector.running_since:
            return None
        return min(0.99, (now - collector.running_since) / (1.0 + COST * (mta.messages or 0)))


def _holders(blocks: Iterable[Block]) -> dict[str, Any]:
    """What the top line says of the VIP and of the database; `?` where there is one and nobody knows where."""
    shown: dict[str, Any] = {}
    for one in blocks:
        for name, probe in (("vip", "vip_holder"), ("writes", "writes")):
            if one.probe == probe:
                shown |= {name: dict(one.words).get(HOLDER, "") or "—", f"{name}_health": one.health}
    return shown
