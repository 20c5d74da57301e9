"""What hosts ask, where there is no screen: on the terminal that mailtop was started from, else refused with a line."""

from __future__ import annotations

import asyncio
import os
import termios
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext, suppress
from typing import TextIO

from mailtop.engine.console import Console
from mailtop.model.errors import UsageError
from mailtop.model.question import Kind, Question
from mailtop.model.text import shown

TERMINAL = "/dev/tty"
_LONGEST = 4096  # bytes of one line, which is what a terminal takes


async def answer_questions(console: Console, err: TextIO, terminal: str = TERMINAL) -> None:
    """Put each open question on the terminal, one after the other, until cancelled."""
    settled: set[str] = set()
    asking: asyncio.Task[None] | None = None
    about = ""
    try:
        async for snapshot in console.snapshots():
            waiting = [question for question in snapshot.questions if question.id not in settled]
            if asking is not None and not asking.done() and about not in {one.id for one in snapshot.questions}:
                asking.cancel()  # the host has hung up meanwhile
            if waiting and (asking is None or asking.done()):
                about = waiting[0].id
                settled.add(about)
                asking = asyncio.create_task(_answer(console, waiting[0], err, terminal))
    finally:
        if asking is not None:
            asking.cancel()
            await asyncio.gather(asking, return_exceptions=True)


async def _answer(console: Console, question: Question, err: TextIO, terminal: str) -> None:
    words = shown(question.words, 300)
    try:
        said = await _typed(terminal, f"{question.host} asks: {words}: ", question.secret)
    except (OSError, termios.error):
        said = None
        remedy = "ssh-add the key" if question.kind is Kind.PASSPHRASE else "let a key do"
        reason = f"asks for {words}, and there is no terminal to ask at"
        err.write(f"mailtop: {question.host}: {reason}; {remedy}, or start mailtop on one\n")
    with suppress(UsageError):  # asked no longer
        await console.answer(question.id, said)


async def _typed(terminal: str, prompt: str, secret: bool) -> str | None:
    """One line; None at the end of input. Raises OSError where there is no terminal."""
    descriptor = os.open(terminal, os.O_RDWR | os.O_NOCTTY)
    try:
        with _unseen(descriptor) if secret else nullcontext():
            os.write(descriptor, prompt.encode())
            line = await _line(descriptor)
            if secret:
                os.write(descriptor, b"\n")
            return line
    finally:
        os.close(descriptor)


@contextmanager
def _unseen(descriptor: int) -> Iterator[None]:
    """Echo nothing that is typed; what was typed ahead is let go, for it has been seen.

    So is what was typed of an answer that is wanted no longer: whoever reads the terminal next would take it in.
    """
    before = termios.tcgetattr(descriptor)
    quiet = termios.tcgetattr(descriptor)
    quiet[3] &= ~termios.ECHO
    termios.tcsetattr(descriptor, termios.TCSAFLUSH, quiet)
    try:
        yield
    finally:
        termios.tcsetattr(descriptor, termios.TCSAFLUSH, before)


async def _line(descriptor: int) -> str | None:
    """Wait in the loop, not in a thread, which nothing could end."""
    loop = asyncio.get_running_loop()
    ready = asyncio.Event()
    loop.add_reader(descriptor, ready.set)
    try:
        await ready.wait()
    finally:
        loop.remove_reader(descriptor)
    octets = os.read(descriptor, _LONGEST)
    return octets.decode("utf-8", "surrogateescape").rstrip("\r\n") if octets else None
