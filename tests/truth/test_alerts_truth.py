"""The book of alerts is what really happened to a container: it rests, it goes on, it rests again, it is gone."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from maillab.engine import LAB, Engine
from maillab.lab import Lab

from mailtop.model.alerts import Noted, Phase
from mailtop.model.snapshot import Health, PageAsk
from tests.truth.watching import HERE, Watching, watching

pytestmark = [pytest.mark.faults, pytest.mark.lab, pytest.mark.timeout(300)]

NAME = "vip-of-a-test"  # its name is all that tells its role
RULE = ("ContainerNotRunning", f"here/{NAME}")


@pytest.fixture
def box(lab: Lab) -> Iterator[Engine]:
    engine = lab.engine
    engine.try_run("rm", "--force", NAME)
    image = engine.run("inspect", "--format", "{{.Config.Image}}", "dns").strip()
    aside = ("--detach", "--init", "--name", NAME, "--label", f"{LAB}=aside", "--network", "none")
    engine.run("run", *aside, "--entrypoint", "sleep", image, "infinity")
    yield engine
    engine.try_run("rm", "--force", NAME)


async def until(watched: Watching, what: str, condition: Callable[[Noted], object]) -> Noted:
    """The alert of the box, as soon as it is so."""
    last = None
    try:
        async with asyncio.timeout(60):
            async for _ in watched.engine.snapshots():
                page = await watched.engine.page(PageAsk("alerts", limit=1000))
                last = next((one for one in page.alerts if one.alert.key == RULE), None)
                if last is not None and condition(last):
                    return last
    except TimeoutError:
        raise AssertionError(f"not within a minute: {what}\n{last}") from None
    raise AssertionError("the engine ended")


async def test_an_alert_fires_and_ends_and_is_the_same_where_it_comes_back(box: Engine, tmp_path: Path) -> None:
    async with watching({"here": HERE}, tmp_path) as watched:
        await watched.until(
            "it is seen to run",
            lambda snapshot: any(
                one.name == RULE[1] and one.roles and one.state == "running" for one in snapshot.targets
            ),
        )
        before = watched.now.at
        box.run("pause", NAME)
        first = await until(watched, "it rests", lambda one: one.phase is Phase.FIRING)
        assert (first.worst, first.alert.see, first.times) == (Health.CRIT, "hosts", 1)
        assert before <= first.since <= watched.now.at
        assert any(alert.key == RULE and alert.since == first.since for alert in watched.now.alerts)

        box.run("unpause", NAME)
        over = await until(watched, "it goes on", lambda one: one.phase is Phase.ENDED)
        assert first.since < over.ended <= watched.now.at

        box.run("pause", NAME)
        again = await until(watched, "it rests again", lambda one: one.phase is Phase.FIRING)
        assert (again.since, again.times, again.ended) == (first.since, 2, 0.0)

        box.run("rm", "--force", NAME)
        gone = await until(watched, "it is gone", lambda one: "is gone" in one.alert.summary)
        assert (gone.phase, gone.since, gone.times) == (Phase.FIRING, first.since, 2)
