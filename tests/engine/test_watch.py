"""One host under watch: what was seen is no state of now, what is gone is left alone, and no task dies unheard."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from mailtop.config import HostSettings, ServiceSettings, Settings
from mailtop.engine.audit import AuditLog
from mailtop.engine.clock import SystemClock
from mailtop.engine.engine import Engine
from mailtop.engine.watch import FORGET_AFTER, Watch
from mailtop.model.ask import Source
from mailtop.model.errors import Unreachable
from mailtop.model.snapshot import Health, Link, Snapshot, TargetState
from mailtop.model.topology import Role, Target
from mailtop.probe import probes
from tests.engine.mail_host import MailHost, Message

POSTFIX = "mail1/postfix"


class Later(SystemClock):
    """The machine's time, and so many seconds more."""

    def __init__(self) -> None:
        self.more = 0.0

    def now(self) -> float:
        return super().now() + self.more


@pytest.fixture
def host() -> MailHost:
    return MailHost({f"4jYVfP5TPXzDGr{n}": Message() for n in "BCD"})


@pytest.fixture
def clock() -> Later:
    return Later()


@pytest.fixture
async def engine(host: MailHost, clock: Later, tmp_path: Path) -> AsyncIterator[Engine]:
    settings = Settings(hosts={"mail1": HostSettings()}, interval=0.05)
    engine = Engine(settings, {"mail1": lambda: host}, clock, operator="ann", audit=AuditLog(tmp_path / "audit.jsonl"))
    await engine.start()
    yield engine
    await engine.close()


async def until(engine: Engine, condition: Callable[[Snapshot], bool]) -> Snapshot:
    """The first snapshot for which a condition holds, within 10 s."""
    async with asyncio.timeout(10):
        async for snapshot in engine.snapshots():
            if condition(snapshot):
                return snapshot
    raise AssertionError("the engine ended")


def watch_of(engine: Engine) -> Watch:
    return engine._watching.watches["mail1"]


def postfix(snapshot: Snapshot) -> TargetState | None:
    return next((state for state in snapshot.targets if state.name == POSTFIX), None)


def running(engine: Engine) -> list[str]:
    return sorted(task.get_name() for task, of in watch_of(engine)._tasks.items() if of == POSTFIX)


async def test_targets_of_a_lost_host_are_unknown_and_say_what_they_were(engine: Engine, host: MailHost) -> None:
    await until(engine, lambda s: (state := postfix(s)) is not None and state.health is Health.OK)
    host.faults["connect"] = Unreachable("mail1", "connection refused")
    host.close()

    snapshot = await until(engine, lambda s: s.hosts[0].link is Link.DOWN)
    state = postfix(snapshot)
    assert state is not None
    assert (state.health, state.state) == (Health.UNKNOWN, "")
    assert state.note.startswith("running when last seen: ")
    assert snapshot.targets[0].health is Health.UNKNOWN  # the host itself


async def test_a_container_that_is_gone_is_left_alone_forgotten_in_time_and_its_book_stays(
    engine: Engine, host: MailHost, clock: Later
) -> None:
    host.say("2026-11-24T05:00:00.000000Z mail1 postfix/qmgr[1]: 4jYVfP5TPXzDGrX: removed", stamp=clock.now())
    await until(engine, lambda s: bool(s.logs and s.logs[0].lines))
    assert running(engine)
    book = engine._watching.books.mtas[POSTFIX]

    host.name = "other"
    await engine.refresh()
    snapshot = await until(engine, lambda s: (state := postfix(s)) is not None and state.state == "gone")
    assert {log.note for log in snapshot.logs} == {"the container is gone"}
    async with asyncio.timeout(5):
        while running(engine):
            await asyncio.sleep(0.01)

    clock.more = FORGET_AFTER + 1
    await engine.refresh()
    snapshot = await until(engine, lambda s: postfix(s) is None)
    assert {probe.target for probe in snapshot.probes} == {"mail1"}
    assert (snapshot.queues, snapshot.logs) == ((), ())

    host.name = "postfix"
    await engine.refresh()
    snapshot = await until(engine, lambda s: bool(s.queues and s.logs and s.logs[0].health is Health.OK))
    assert engine._watching.books.mtas[POSTFIX] is book
    assert running(engine)


async def test_a_container_that_comes_back_soon_is_asked_and_followed_again(engine: Engine, host: MailHost) -> None:
    await until(engine, lambda s: bool(s.logs and s.logs[0].health is Health.OK))
    host.name = "other"
    await engine.refresh()
    await until(engine, lambda s: (state := postfix(s)) is not None and state.state == "gone")

    host.name = "postfix"
    await engine.refresh()
    await until(engine, lambda s: bool(s.logs and s.logs[0].health is Health.OK))
    asked = (probe.name for probe in probes() if probe.is_for(Target("mail1", "postfix", (Role.MTA,))))
    assert running(engine) == sorted(f"keep {POSTFIX} {name}" for name in ("log", *asked))


async def test_a_bug_under_the_connection_leaves_a_note(engine: Engine, host: MailHost) -> None:
    await until(engine, lambda s: s.hosts[0].link is Link.UP)
    host.faults["connect"] = ZeroDivisionError()
    host.close()

    snapshot = await until(engine, lambda s: "own fault" in s.hosts[0].note)
    assert snapshot.hosts[0].note == "mailtop's own fault: ZeroDivisionError(); please report it"
    assert snapshot.hosts[0].link is Link.DOWN


async def test_a_bug_under_discovery_leaves_a_note(engine: Engine, host: MailHost) -> None:
    await until(engine, lambda s: postfix(s) is not None)
    host.faults["/containers/json?all=1"] = ZeroDivisionError()
    await engine.refresh()

    snapshot = await until(engine, lambda s: any("own fault" in p.note for p in s.probes if p.probe == "discovery"))
    state = postfix(snapshot)
    assert state is not None
    assert state.health is Health.UNKNOWN
    assert "own fault" in state.note


async def test_a_host_that_was_never_reached_is_missing_in_every_sum(host: MailHost, tmp_path: Path) -> None:
    dead = MailHost(faults={"connect": Unreachable("mail2", "connection refused")})
    settings = Settings(hosts={"mail1": HostSettings(), "mail2": HostSettings()}, interval=0.05)
    sources: dict[str, Callable[[], Source]] = {"mail1": lambda: host, "mail2": lambda: dead}
    engine = Engine(settings, sources, SystemClock(), operator="ann", audit=AuditLog(tmp_path / "audit.jsonl"))
    await engine.start()
    snapshot = await until(
        engine, lambda s: bool(s.queues) and s.hosts[1].link is Link.DOWN and bool(s.queues[0].listed)
    )

    deferred = snapshot.hops[3].deferred
    assert (deferred.value, deferred.health) == (3, Health.UNKNOWN)
    assert deferred.note == "without mail2: connection refused"
    assert dict(snapshot.hops[3].hosts)["mail2"] is Health.UNKNOWN
    await engine.close()


async def test_a_configured_postfix_that_is_not_there_is_missing_in_every_sum(host: MailHost, tmp_path: Path) -> None:
    host.name = "other"
    services = {"mta": ServiceSettings(target=POSTFIX, role=Role.MTA)}
    settings = Settings(hosts={"mail1": HostSettings()}, services=services, interval=0.05)
    engine = Engine(
        settings, {"mail1": lambda: host}, SystemClock(), operator="ann", audit=AuditLog(tmp_path / "audit.jsonl")
    )
    await engine.start()

    snapshot = await until(engine, lambda s: s.hops[0].note == f"{POSTFIX}: there is no such container")
    assert snapshot.hops[0].rate.health is Health.UNKNOWN
    await engine.close()


async def test_a_clock_that_is_a_minute_ahead_is_told_and_shows_true_ages(engine: Engine, host: MailHost) -> None:
    host.now = lambda: SystemClock().now() + 60
    await engine.refresh()

    snapshot = await until(engine, lambda s: any(alert.rule == "ClockSkew" for alert in s.alerts))
    (alert,) = (alert for alert in snapshot.alerts if alert.rule == "ClockSkew")
    assert alert.health is Health.CRIT
    assert alert.summary in (
        "mail1's clock is 60 s ahead",
        "mail1's clock is 61 s ahead",
        "mail1's clock is 59 s ahead",
    )


async def test_what_runs_is_shown_at_once_and_nothing_else_is_asked_while_the_face_draws(
    host: MailHost, tmp_path: Path
) -> None:
    settings = Settings(hosts={"mail1": HostSettings()}, interval=0.05)
    audit = AuditLog(tmp_path / "audit.jsonl")
    engine = Engine(settings, {"mail1": lambda: host}, SystemClock(), operator="ann", audit=audit)
    await engine.start(head_start=3600.0)

    snapshot = await until(engine, lambda seen: (state := postfix(seen)) is not None and state.health is Health.OK)

    assert {probe.tried for probe in snapshot.probes} == {0.0}
    begun = watch_of(engine)._begun
    assert begun is not None
    begun.set()
    await until(engine, lambda seen: any(probe.tried for probe in seen.probes if probe.target == POSTFIX))
    await engine.close()
