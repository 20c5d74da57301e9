"""What is asked of one container at one moment goes there by one thread; nobody waits for what hangs."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from mailtop.engine.together import Together
from mailtop.model.ask import Answer, Command
from mailtop.model.errors import TimedOut


@pytest.fixture
def pool() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(4) as made:
        yield made


class Container:
    """Answers with the program's name; `hangs` until it is let go, `fails` with an error of its own."""

    def __init__(self) -> None:
        self.free = threading.Event()
        self.threads: dict[str, int] = {}

    def ask(self, container: str, command: Command, by: str) -> Answer:
        program = command.argv[0]
        self.threads[program] = threading.get_ident()
        if program == "hangs":
            self.free.wait()
        if program == "fails":
            raise TimedOut(program, "no answer")
        return Answer(f"{container} {program} {by}".encode())


def _asked(together: Together, container: Container, *programs: str) -> list[asyncio.Future[Answer]]:
    return [together.ask(container.ask, "box", Command((program,)), "probe") for program in programs]


async def test_asks_of_one_moment_share_a_thread_and_each_has_its_own_answer(pool: ThreadPoolExecutor) -> None:
    container = Container()
    answers = await asyncio.gather(*_asked(Together(pool), container, "a", "b", "c"))
    assert [answer.stdout for answer in answers] == [b"box a probe", b"box b probe", b"box c probe"]
    assert len(set(container.threads.values())) == 1


async def test_an_error_is_that_of_one_ask(pool: ThreadPoolExecutor) -> None:
    failed, other = _asked(Together(pool), Container(), "fails", "b")
    with pytest.raises(TimedOut):
        await failed
    assert (await other).stdout == b"box b probe"


async def test_neither_those_before_nor_those_behind_wait_for_one_that_hangs(pool: ThreadPoolExecutor) -> None:
    container = Container()
    before, hung, behind, last = _asked(Together(pool), container, "a", "hangs", "c", "d")
    try:
        async with asyncio.timeout(5):
            assert (await before).stdout == b"box a probe"
            assert (await behind).stdout == b"box c probe"
            assert (await last).stdout == b"box d probe"
        assert not hung.done()
    finally:
        container.free.set()
    assert (await hung).stdout == b"box hangs probe"


async def test_what_nobody_waits_for_any_more_is_not_asked(pool: ThreadPoolExecutor) -> None:
    container = Container()
    given_up, other = _asked(Together(pool), container, "a", "b")
    given_up.cancel()
    assert (await other).stdout == b"box b probe"
    assert "a" not in container.threads


async def test_different_containers_are_asked_side_by_side(pool: ThreadPoolExecutor) -> None:
    container, together = Container(), Together(pool)
    hung = together.ask(container.ask, "one", Command(("hangs",)), "probe")
    other = together.ask(container.ask, "other", Command(("b",)), "probe")
    try:
        assert (await other).stdout == b"other b probe"
    finally:
        container.free.set()
    await hung
