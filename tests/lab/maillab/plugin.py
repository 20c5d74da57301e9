"""pytest's side of the lab: the option, the rule for machines without Docker, and the fixtures.

Load it with ``pytest_plugins = ["maillab.plugin"]`` in the root conftest, with ``tests/lab`` on pytest's pythonpath.

``--lab=auto`` (or the variable MAILTOP_LAB) runs tests marked ``lab`` or ``faults`` where a Docker Engine answers and
skips them elsewhere; ``require`` lets them fail there; ``skip`` skips them always. ``running`` takes a running lab
as it stands, without a turn or a reset: for tests by hand on containers of their own, beside others that do so.
"""

import fcntl
import os
from collections.abc import Iterator
from dataclasses import dataclass
from typing import IO

import pytest

from maillab.bringup import Clock
from maillab.containers import STATE
from maillab.errors import LabError
from maillab.lab import Lab
from maillab.waiting import wait_until

MODES = ("auto", "require", "skip", "running")
MARKERS = ("lab", "faults")
NO_ENGINE = "no Docker Engine answers on this machine: install docker.io and start dockerd to run the lab"
TURN_WITHIN = 1800  # seconds to wait for another test session that uses the lab


@dataclass(frozen=True)
class Outcome:
    """What became of bringing the lab up, before the first test."""

    lab: Lab | None = None
    skip: str = ""
    failure: str = ""


OUTCOME = pytest.StashKey[Outcome]()
TURN = pytest.StashKey[IO[str]]()


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.getgroup("mailtop").addoption(
        "--lab",
        choices=MODES,
        default=os.environ.get("MAILTOP_LAB", "auto"),
        help="tests that need the lab: auto (skip without Docker), require (fail then), skip, running (as it stands)",
    )


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "lab: needs the lab (Docker); skipped without one, failed under --lab=require")


def pytest_collection_finish(session: pytest.Session) -> None:
    """Bring the lab up before the first test, so that no test's time limit has to hold the building of images."""
    if not session.config.option.collectonly and any(map(_needs_lab, session.items)):
        session.config.stash[OUTCOME] = _bring_up(session.config)


def pytest_runtest_setup(item: pytest.Item) -> None:
    if _needs_lab(item):
        outcome = item.config.stash[OUTCOME]
        if outcome.skip:
            pytest.skip(outcome.skip)
        if outcome.failure:
            pytest.fail(outcome.failure, pytrace=False)


@pytest.fixture(scope="session")
def lab(request: pytest.FixtureRequest) -> Lab:
    """The running lab."""
    running = request.config.stash[OUTCOME].lab
    if running is None:
        pytest.fail("a test that uses the lab must be marked lab or faults", pytrace=False)
    return running


@pytest.fixture
def fresh_lab(lab: Lab) -> Iterator[Lab]:
    """The running lab with every fault made good and empty queues, before the test and after it."""
    lab.reset()
    yield lab
    lab.reset()


def _needs_lab(item: pytest.Item) -> bool:
    return any(item.get_closest_marker(marker) for marker in MARKERS)


def _bring_up(config: pytest.Config) -> Outcome:
    mode = config.getoption("--lab")
    if mode == "skip":
        return Outcome(skip="the lab is off: --lab=skip")
    lab = Lab()
    if not lab.answers():
        return Outcome(failure=NO_ENGINE) if mode == "require" else Outcome(skip=NO_ENGINE)
    if mode == "running":
        return Outcome(lab)
    clock = Clock()
    try:
        if not hasattr(config, "workerinput"):  # workers of one session share its turn
            config.stash[TURN] = _take_turn(clock)
        lab.up(clock.say)
        lab.reset()
    except LabError as error:
        return Outcome(failure=f"the lab did not come up: {error}")
    return Outcome(lab)


def _take_turn(clock: Clock) -> IO[str]:
    """Two test sessions would break each other's lab; the lock goes with the process that holds it."""
    STATE.mkdir(exist_ok=True)
    turn = (STATE / "tests.lock").open("w")
    if not _locked(turn):
        clock.say("another test session uses the lab; waiting for it to end")
        wait_until(lambda: _locked(turn), TURN_WITHIN, "another test session leaves the lab", every=1)
    return turn


def _locked(turn: IO[str]) -> bool:
    try:
        fcntl.flock(turn, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def pytest_unconfigure(config: pytest.Config) -> None:
    if (turn := config.stash.get(TURN, None)) is not None:
        turn.close()
