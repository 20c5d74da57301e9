"""Questions without a screen: on a real terminal's device, unseen; refused in one line where there is none."""

from __future__ import annotations

import asyncio
import io
import os
import termios
from collections.abc import Iterator
from pathlib import Path

import pytest
from msgspec.structs import replace

from mailtop.model.question import Kind, Question
from mailtop.model.text import Foreign
from mailtop.report.asking import answer_questions
from tests.engine.test_wire import SNAPSHOT
from tests.ui.still import StillConsole

QUESTION = Question("q1", "mail1", Kind.PASSWORD, Foreign(b"ann@mail1's password"))


@pytest.fixture
def terminal() -> Iterator[tuple[int, str]]:
    """The person's side of a terminal, and the device."""
    person, device = os.openpty()
    os.set_blocking(person, False)
    yield person, os.ttyname(device)
    os.close(person)
    os.close(device)


async def heard(person: int, words: bytes) -> bytes:
    """Wait until the terminal has shown `words`."""
    shown = b""
    async with asyncio.timeout(5):
        while words not in shown:
            try:
                shown += os.read(person, 4096)
            except BlockingIOError:
                await asyncio.sleep(0.01)
    return shown


async def test_a_password_is_typed_unseen(terminal: tuple[int, str]) -> None:
    person, device = terminal
    console = StillConsole(replace(SNAPSHOT, questions=(QUESTION,)))
    asking = asyncio.create_task(answer_questions(console, io.StringIO(), device))
    assert await heard(person, b"mail1 asks: ann@mail1's password: ")
    os.write(person, b"swordfish\n")
    async with asyncio.timeout(5):
        while ("answer", "q1", "swordfish") not in console.asked:
            await asyncio.sleep(0.01)
    assert b"swordfish" not in await heard(person, b"\n")
    asking.cancel()
    await asyncio.gather(asking, return_exceptions=True)


async def test_a_question_that_is_gone_leaves_the_terminal_as_it_was(terminal: tuple[int, str]) -> None:
    person, device = terminal
    console = StillConsole(replace(SNAPSHOT, questions=(QUESTION,)))
    asking = asyncio.create_task(answer_questions(console, io.StringIO(), device))
    await heard(person, b"password: ")
    assert not termios.tcgetattr(person)[3] & termios.ECHO
    console.show(questions=())
    async with asyncio.timeout(5):
        while not termios.tcgetattr(person)[3] & termios.ECHO:
            await asyncio.sleep(0.01)
    assert console.asked == []
    asking.cancel()
    await asyncio.gather(asking, return_exceptions=True)


async def test_half_a_password_is_not_left_to_whoever_reads_the_terminal_next(terminal: tuple[int, str]) -> None:
    person, device = terminal
    console = StillConsole(replace(SNAPSHOT, questions=(QUESTION,)))
    asking = asyncio.create_task(answer_questions(console, io.StringIO(), device))
    await heard(person, b"password: ")
    quiet = termios.tcgetattr(person)
    loud = [*quiet[:3], quiet[3] | termios.ECHO, *quiet[4:]]
    termios.tcsetattr(person, termios.TCSANOW, loud)  # so that it tells when it has taken it in
    os.write(person, b"sword")
    await heard(person, b"sword")
    termios.tcsetattr(person, termios.TCSANOW, quiet)
    console.show(questions=())
    async with asyncio.timeout(5):
        while not termios.tcgetattr(person)[3] & termios.ECHO:
            await asyncio.sleep(0.01)
    os.write(person, b"\n")
    shell = os.open(device, os.O_RDONLY | os.O_NOCTTY)
    assert os.read(shell, 100) == b"\n"
    os.close(shell)
    asking.cancel()
    await asyncio.gather(asking, return_exceptions=True)


async def test_without_a_terminal_it_is_refused_with_what_to_do(tmp_path: Path) -> None:
    key = replace(QUESTION, kind=Kind.PASSPHRASE, words=Foreign(b"passphrase of /k"))
    console, err = StillConsole(replace(SNAPSHOT, questions=(key,))), io.StringIO()
    asking = asyncio.create_task(answer_questions(console, err, str(tmp_path / "none")))
    async with asyncio.timeout(5):
        while ("answer", "q1", None) not in console.asked:
            await asyncio.sleep(0.01)
    asking.cancel()
    await asyncio.gather(asking, return_exceptions=True)
    assert err.getvalue() == (
        "mailtop: mail1: asks for passphrase of /k, and there is no terminal to ask at; "
        "ssh-add the key, or start mailtop on one\n"
    )
