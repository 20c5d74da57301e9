"""The real program in a real terminal: it draws, it listens, and it leaves nothing behind when the terminal goes."""

from __future__ import annotations

import fcntl
import os
import pty
import select
import shutil
import struct
import subprocess
import termios
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from maillab.lab import Lab
from maillab.waiting import wait_until

from tests.truth.cli import HERE, MAILTOP, Home
from tests.truth.processes import living

pytestmark = pytest.mark.lab

SIZE = struct.pack("HHHH", 36, 120, 0, 0)
DRAWN = 15.0  # seconds in which the first screen is there, on a busy machine
GONE = 2.0  # seconds from the terminal's end to the last process's


class Terminal:
    """mailtop in a pseudo-terminal of its own, as the leader of its session."""

    def __init__(self, home: Home, *words: str) -> None:
        self.home = home
        self.drawn = b""
        self.master, slave = pty.openpty()
        fcntl.ioctl(slave, termios.TIOCSWINSZ, SIZE)
        self.face = subprocess.Popen(
            ("setsid", "--ctty", *words),
            stdin=slave,
            stdout=slave,
            stderr=slave,
            env=home.environment | {"TERM": "xterm-256color"},
        )
        os.close(slave)

    def shows(self, text: str) -> bool:
        """Read what was drawn since; was this ever among it?"""
        while select.select((self.master,), (), (), 0.05)[0]:
            self.drawn += os.read(self.master, 65536)
        return text.encode() in self.drawn

    def until_shown(self, text: str) -> None:
        """Wait for a text on the screen."""
        wait_until(lambda: self.shows(text), DRAWN, f"{text!r} is drawn")

    def press(self, key: str) -> None:
        """Press a key."""
        os.write(self.master, key.encode())

    def close(self) -> None:
        """The window is closed."""
        if self.master >= 0:
            os.close(self.master)
            self.master = -1

    def gone(self) -> bool:
        """Has everything ended?"""
        self.face.poll()  # so that it is no zombie
        return not living(self.home.folder)

    def end(self) -> None:
        """For a test that has failed: leave nothing."""
        self.close()
        for number in living(self.home.folder):
            with suppress(ProcessLookupError):
                os.kill(number, 9)
        self.face.wait(5)


@pytest.fixture
def terminal(lab: Lab, home: Home) -> Iterator[Terminal]:
    """The dashboard of this machine's Docker, drawn and with its engine."""
    terminal = Terminal(home, str(MAILTOP), "docker")
    yield terminal
    terminal.end()


def with_engine(terminal: Terminal) -> None:
    """Wait for the first screen, and for figures: they come from the engine's process."""
    terminal.until_shown(HERE)
    terminal.until_shown("mailbox")
    terminal.until_shown("1/1 up")
    assert any("mailtop.engine.process" in words for words in living(terminal.home.folder).values())


def assert_all_gone(terminal: Terminal) -> None:
    """Neither the face nor its engine, nor anything that they have started, lives longer than two seconds."""
    wait_until(terminal.gone, GONE, "nothing is left")


def test_it_draws_the_overview_and_a_key_shows_the_queue(terminal: Terminal) -> None:
    with_engine(terminal)
    assert not terminal.shows("narrow")

    terminal.press("2")

    terminal.until_shown("narrow")  # the Queue's own key
    terminal.until_shown("listed")


def test_q_ends_it_with_the_terminal_as_it_was(terminal: Terminal) -> None:
    with_engine(terminal)

    terminal.press("q")

    assert_all_gone(terminal)
    assert terminal.face.wait(GONE) == 0
    with suppress(OSError):  # nobody holds the other end any more: the end of the file
        terminal.shows("")
    assert b"\x1b[?1049l" in terminal.drawn


def test_a_closed_terminal_leaves_nothing(terminal: Terminal) -> None:
    with_engine(terminal)

    terminal.close()

    assert_all_gone(terminal)


def test_a_killed_face_leaves_nothing(terminal: Terminal) -> None:
    with_engine(terminal)

    terminal.face.kill()

    assert_all_gone(terminal)


def test_a_closed_terminal_leaves_nothing_where_hangups_are_ignored(lab: Lab, home: Home) -> None:
    terminal = Terminal(home, "sh", "-c", f"trap '' HUP; exec '{MAILTOP}' docker")
    try:
        with_engine(terminal)
        terminal.close()
        assert_all_gone(terminal)
    finally:
        terminal.end()


@pytest.mark.skipif(shutil.which("tmux") is None, reason="tmux is not installed")
def test_a_killed_tmux_pane_leaves_nothing(lab: Lab, home: Home) -> None:
    name = f"mailtop-{os.getpid()}"

    def tmux(*words: str) -> str:
        argv = ("tmux", "-L", name, "-f", "/dev/null", *words)
        done = subprocess.run(argv, capture_output=True, text=True, env=home.environment, check=False)
        return done.stdout

    def mailtops() -> list[str]:
        return [words for words in living(home.folder).values() if "tmux" not in words]

    try:
        tmux("new-session", "-d", "-x", "120", "-y", "36", f"exec '{MAILTOP}' docker")
        wait_until(lambda: "1/1 up" in tmux("capture-pane", "-p"), DRAWN, "the overview is drawn")
        assert any("mailtop.engine.process" in words for words in mailtops())
        tmux("kill-pane")
        wait_until(lambda: not mailtops(), GONE, "nothing is left")
    finally:
        tmux("kill-server")
        for number, words in living(Path(home.folder)).items():
            if "tmux" not in words:
                os.kill(number, 9)
