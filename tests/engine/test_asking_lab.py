"""A host that wants a password and a code, from the engine's side: asked at the start, and again when it comes back."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest
from maillab import strange_hosts
from maillab.lab import Lab
from maillab.strange_hosts import TOTP, ssh_config

from mailtop.config import HostSettings, PlatformSettings, Settings
from mailtop.engine.engine import Engine
from mailtop.engine.making import engine_of
from mailtop.engine.process import Setup
from mailtop.model.question import Kind, Question
from mailtop.model.snapshot import Link, Snapshot
from tests.transport.asking import code

pytestmark = pytest.mark.lab


@pytest.fixture
async def engine(lab: Lab, tmp_path: Path) -> AsyncIterator[Engine]:
    strange_hosts.up(lab.engine)
    file = ssh_config(tmp_path, "Host odd1\n  Port 2206", user="ann")
    hosts = {"odd1": HostSettings(ssh="odd1", ssh_config=file, docker=False)}
    settings = Settings(platform=PlatformSettings("strange"), hosts=hosts)
    engine = engine_of(Setup(settings, operator="ann", audit=str(tmp_path / "audit.jsonl")))
    await engine.start()
    yield engine
    await engine.close()


async def seen(engine: Engine, condition: Callable[[Snapshot], bool]) -> Snapshot:
    """Wait for a snapshot of which it is true."""
    async with asyncio.timeout(40):
        async for snapshot in engine.snapshots():
            if condition(snapshot):
                return snapshot
    raise AssertionError("the engine has ended")


async def asked(engine: Engine, kind: Kind) -> Question:
    """Wait until it is asked, and the host is not called down for that."""

    def waits(one: Snapshot) -> bool:
        return [question.kind for question in one.questions] == [kind] and one.hosts[0].link is Link.CONNECTING

    return (await seen(engine, waits)).questions[0]


async def test_a_password_is_remembered_and_a_code_is_asked_for_again(engine: Engine, lab: Lab) -> None:
    await engine.answer((await asked(engine, Kind.PASSWORD)).id, "swordfish")
    await engine.answer((await asked(engine, Kind.CODE)).id, code(TOTP))
    await seen(engine, lambda one: one.hosts[0].link is Link.UP)

    async with asyncio.timeout(40):
        while lab.engine.try_run("exec", "odd1", "pkill", "-9", "-f", "ann@notty").returncode:
            await asyncio.sleep(0.1)  # its title comes a little after the login
    question = await asked(engine, Kind.CODE)
    waits = await seen(engine, lambda one: bool(one.hosts[0].note))
    assert waits.hosts[0].note == "odd1: waits for an answer: ann@odd1: Verification code"
    assert not waits.alerts
    await engine.answer(question.id, code(TOTP))
    await seen(engine, lambda one: one.hosts[0].link is Link.UP)


async def test_who_refuses_is_not_asked_again_until_somebody_wants_it(engine: Engine) -> None:
    await engine.answer((await asked(engine, Kind.PASSWORD)).id, None)
    down = await seen(engine, lambda one: one.hosts[0].link is Link.DOWN)
    assert down.hosts[0].note == "odd1: asked for ann@odd1: Password: not answered; r asks again"
    await engine.refresh()
    await asked(engine, Kind.PASSWORD)
