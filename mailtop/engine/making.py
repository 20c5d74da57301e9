"""An engine made from a `Setup`: on live hosts, or on a recording."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from mailtop import __version__
from mailtop.config import HostSettings, PlatformSettings, Settings
from mailtop.engine.audit import AuditLog, NoAudit
from mailtop.engine.clock import SystemClock
from mailtop.engine.engine import Engine
from mailtop.engine.playing import Playing
from mailtop.engine.process import Setup
from mailtop.engine.questions import Questions
from mailtop.engine.sources import live, recorded
from mailtop.model.ask import Source
from mailtop.transport.recording import SCHEMA, Header, Tape
from mailtop.transport.replay import Replay


def engine_of(setup: Setup) -> Engine:
    """The engine that a `Setup` describes; raises from the tree for a recording that is none."""
    return _of_recording(setup) if setup.recording else _of_hosts(setup)


def _of_hosts(setup: Setup) -> Engine:
    settings, clock, tape = setup.settings, SystemClock(), None
    questions = Questions(clock.now)
    sources = {name: live(name, host, questions.asker(name)) for name, host in settings.hosts.items()}
    if setup.record_to:
        platform = settings.platform.name or ", ".join(settings.hosts)
        tape = Tape(Path(setup.record_to), Header(SCHEMA, __version__, clock.now(), platform, tuple(settings.hosts)))
        sources = {name: recorded(name, make, tape.write, clock.now) for name, make in sources.items()}
    return Engine(
        settings,
        sources,
        clock,
        operator=setup.operator,
        audit=AuditLog(Path(setup.audit)),
        read_only="mailtop was started with --read-only" if setup.read_only else "",
        tape=tape,
        questions=questions,
    )


def _of_recording(setup: Setup) -> Engine:
    playing = Playing(Path(setup.recording), setup.speed)
    header = playing.player.recording.header

    def source(name: str) -> Callable[[], Source]:
        return lambda: Replay(playing.player, name)

    settings = Settings(
        platform=PlatformSettings(header.platform),
        hosts={name: HostSettings() for name in header.hosts},
        flow=setup.settings.flow,
        interval=setup.settings.interval,
    )
    return Engine(
        settings,
        {name: source(name) for name in header.hosts},
        playing.clock,
        operator=setup.operator,
        audit=NoAudit(),
        read_only="this is a recording",
        playing=playing,
    )
