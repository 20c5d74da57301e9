"""What the screen of hosts says of this machine and of its containers is what they are: at their limits, and back."""

from __future__ import annotations

import asyncio
import ctypes
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from maillab.engine import LAB, Engine
from maillab.lab import Lab

from mailtop.config import HostSettings
from mailtop.config.shape import ProbeSettings
from mailtop.model.board import Block, Figure
from mailtop.model.health import Health
from mailtop.model.snapshot import PageAsk
from mailtop.probe import probes
from tests.truth.watching import Watching, watching

pytestmark = [pytest.mark.faults, pytest.mark.timeout(600)]

OURS = ("host_cpu", "host_memory", "host_pressure", "host_mounts", "containers", "container_usage")
PACES = {probe.name: ProbeSettings(every=1.0, enabled=probe.name in OURS) for probe in probes()}
PACES["container_usage"] = ProbeSettings()  # old Engines take a second a container: at a pace of 1 s it is always late
HERE = {"here": HostSettings(probes=PACES)}
PRESSURE = Path("/proc/pressure/cpu").exists()
NAME = "box8"
HEALTH = ("--health-cmd", "test ! -e /tmp/sick", "--health-interval", "1s", "--health-retries", "1")
LIMITS = ("--memory", "40m", "--memory-swap", "40m", "--cpus", "0.2")


class Box:
    """One container that nothing knows: with limits and a health check, or made for a test of its own."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self._image = engine.run("inspect", "--format", "{{.Config.Image}}", "postfix").strip()

    def start(self, *options: str, program: tuple[str, ...] = ("sleep", "infinity")) -> None:
        self.remove()
        aside = ("--detach", "--init", "--name", NAME, "--label", f"{LAB}=aside", "--network", "none")
        self.engine.run("run", *aside, *options, self._image, *program)

    def shell(self, script: str) -> None:
        self.engine.run("exec", NAME, "sh", "-c", script)

    def remove(self) -> None:
        self.engine.try_run("rm", "--force", NAME)


@pytest.fixture
def box(lab: Lab) -> Iterator[Box]:
    made = Box(lab.engine)
    yield made
    made.remove()


@contextmanager
def hanging(path: Path) -> Iterator[None]:
    """A FUSE mount whose program says nothing: whoever looks at it waits. Closing its end makes it fail instead."""
    libc = ctypes.CDLL(None, use_errno=True)
    fuse = os.open("/dev/fuse", os.O_RDWR)
    try:
        options = f"fd={fuse},rootmode=40000,user_id=0,group_id=0".encode()
        assert libc.mount(b"nas:/vmail", os.fsencode(path), b"fuse.hanging", 0, options) == 0, os.strerror(
            ctypes.get_errno()
        )
        yield
    finally:
        os.close(fuse)
        libc.umount2(os.fsencode(path), 2)  # MNT_DETACH


async def until(
    watched: Watching, probe: str, what: str, condition: Callable[[Block], object], within: float = 60.0
) -> Block:
    """The first block of a probe for which a condition holds."""
    last = None
    try:
        async with asyncio.timeout(within):
            async for _ in watched.engine.snapshots():
                await watched.engine.refresh("here")
                page = await watched.engine.page(PageAsk("board", where="hosts"))
                last = next((block for block in page.blocks if block.probe == probe), None)
                if last is not None and not last.stale and condition(last):
                    return last
    except TimeoutError:
        raise AssertionError(f"not within {within:g} s: {what}\n{last}") from None
    raise AssertionError("the engine ended")


def figure(block: Block, metric: str, of: str = NAME) -> Figure:
    return next((one for one in block.figures if (one.metric, one.of) == (metric, of)), Figure(metric, ""))


def health(metric: str, *healths: Health, of: str = NAME) -> Callable[[Block], bool]:
    def is_so(block: Block) -> bool:
        reading = figure(block, metric, of).reading
        return reading.value is not None and reading.health in healths

    return is_so


def shows(health: Health, state: str) -> Callable[[Block], bool]:
    return lambda block: row(block) == (health, state)


def row(block: Block) -> tuple[Health, str]:
    """The health of the box's row, and its state; unknown and empty where it has none."""
    lines = [line for table in block.tables for line in table.lines if line.cells[0] == NAME.encode()]
    return (lines[0].health, lines[0].cells[1].decode()) if lines else (Health.UNKNOWN, "")


def mounts(block: Block) -> dict[bytes, tuple[bytes, ...]]:
    return {line.cells[0]: line.cells[1:] for table in block.tables for line in table.lines}


@pytest.mark.proves("container_unhealthy")
async def test_a_container_that_is_not_healthy_is_critical_until_it_is(box: Box, tmp_path: Path) -> None:
    box.start(*HEALTH)

    async with watching(HERE, tmp_path) as watched:
        await until(watched, "containers", "healthy", shows(Health.OK, "running"))
        box.shell("touch /tmp/sick")
        sick = await until(watched, "containers", "unhealthy", health("container_unhealthy", Health.CRIT))
        assert sick.health is Health.CRIT
        assert row(sick) == (Health.CRIT, "running")
        box.shell("rm /tmp/sick")
        well = await until(watched, "containers", "healthy again", shows(Health.OK, "running"))
        assert figure(well, "container_unhealthy").reading.value is None


@pytest.mark.proves("container_memory_limit_ratio", "container_cpu_limit_seconds_total")
@pytest.mark.soak
@pytest.mark.timeout(400)  # old Engines take a second for each container
async def test_memory_and_cpu_are_judged_against_a_containers_limits(box: Box, tmp_path: Path) -> None:
    def is_so(*healths: Health) -> Callable[[Block], bool]:
        memory, cpu = (
            health(f"container_{what}", *healths) for what in ("memory_limit_ratio", "cpu_limit_seconds_total")
        )
        return lambda block: memory(block) and cpu(block)

    box.start(*LIMITS)
    async with watching(HERE, tmp_path) as watched:
        await until(watched, "container_usage", "calm", is_so(Health.OK), 120)
        box.engine.run("exec", "--detach", NAME, "sh", "-c", "touch /tmp/busy; while [ -e /tmp/busy ]; do :; done")
        box.shell("head -c 34M /dev/urandom >/dev/shm/much")
        full = await until(watched, "container_usage", "at its limits", is_so(Health.WARN, Health.CRIT), 120)
        assert row(full)[0] in (Health.WARN, Health.CRIT)
        assert 80 <= (figure(full, "container_memory_limit_ratio").reading.value or 0) <= 100
        assert 15 < (figure(full, "container_cpu_seconds_total").reading.value or 0) < 25
        box.shell("rm /dev/shm/much /tmp/busy")
        await until(watched, "container_usage", "calm again", is_so(Health.OK), 120)


@pytest.mark.proves("container_restarting", "container_recent_restarts", "container_failed")
async def test_a_container_that_is_started_again_and_again_is_critical_until_it_ends(box: Box, tmp_path: Path) -> None:
    box.start("--restart", "always", program=("false",))

    async with watching(HERE, tmp_path) as watched:
        loop = await until(watched, "containers", "restarting", health("container_restarting", Health.CRIT))
        assert row(loop) == (Health.CRIT, "restarting 1")
        await until(watched, "containers", "4 restarts", health("container_recent_restarts", Health.WARN))
        box.engine.run("stop", NAME)
        ended = await until(watched, "containers", "ended", shows(Health.WARN, "exited 1"))
        assert figure(ended, "container_restarting").reading.value is None
        box.remove()
        await until(watched, "containers", "gone", shows(Health.UNKNOWN, ""))


@pytest.mark.proves("container_oom_killed", "container_oom_restarted", "host_oom_kills_total")
async def test_a_container_that_was_killed_for_want_of_memory_is_critical_until_it_runs_again(
    box: Box, tmp_path: Path
) -> None:
    script = "test -e /tmp/was || { touch /tmp/was; head -c 60M /dev/urandom >/dev/shm/x; }; exec sleep infinity"

    async with watching(HERE, tmp_path) as watched:
        await until(watched, "host_memory", "none killed", health("host_oom_kills_total", Health.OK, of=""))
        box.start("--memory", "20m", "--memory-swap", "20m", program=("sh", "-c", script))
        await until(watched, "host_memory", "one more killed", health("host_oom_kills_total", Health.WARN, of=""))
        killed = await until(watched, "containers", "killed", health("container_oom_killed", Health.CRIT))
        assert row(killed)[0] is Health.CRIT
        box.engine.run("start", NAME)
        await until(watched, "containers", "back", shows(Health.WARN, "running, was out of memory"))
        await until(watched, "host_memory", "no more killed", health("host_oom_kills_total", Health.OK, of=""))


async def test_a_host_tells_its_cpus_its_memory_and_its_pressure(lab: Lab, tmp_path: Path) -> None:
    async with watching(HERE, tmp_path) as watched:
        cpu = await until(
            watched,
            "host_cpu",
            "two readings",
            lambda block: figure(block, "host_cpu_share_seconds_total", "busy").reading.value is not None,
        )
        assert 0 <= (figure(cpu, "host_cpu_share_seconds_total", "busy").reading.value or 0) <= 105
        assert figure(cpu, "host_cpus", "").reading.value == os.cpu_count()

        memory = await until(watched, "host_memory", "memory", lambda block: block.figures)
        size = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
        assert figure(memory, "host_memory_bytes", "").reading.value == pytest.approx(size, rel=0.01)
        assert 0 < (figure(memory, "host_memory_used_ratio", "").reading.value or 0) < 100

        if PRESSURE:
            pressure = await until(watched, "host_pressure", "pressure", lambda block: block.figures)
            assert figure(pressure, "host_pressure_waiting_ratio", "cpu 60 s").reading.value is not None


@pytest.mark.proves("mount_answers")
@pytest.mark.skipif(os.geteuid() != 0 or not Path("/dev/fuse").exists(), reason="only root may mount, and with FUSE")
async def test_a_shared_mount_that_hangs_is_critical_until_it_is_gone(lab: Lab, tmp_path: Path) -> None:
    place = tmp_path / "of all"
    place.mkdir()

    async with watching(HERE, tmp_path) as watched:
        with hanging(place):
            hung = await until(watched, "host_mounts", "hangs", health("mount_answers", Health.CRIT, of=str(place)))
            assert mounts(hung)[bytes(place)] == (b"fuse.hanging", b"nas:/vmail", b"not within 2 s")
        await until(watched, "host_mounts", "gone", lambda block: bytes(place) not in mounts(block))
