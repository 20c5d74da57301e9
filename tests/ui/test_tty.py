"""mailtop ends when its terminal does."""

from __future__ import annotations

import os
import pty
import select
import signal
import sys
import threading
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
DASHBOARD = """
import signal, sys
if "nohup" in sys.argv:
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
from mailtop.ui.app import MailtopApp
from tests.ui.sites import broken
from tests.ui.still import ACTS, StillConsole
sys.exit(MailtopApp(StillConsole(broken()), actions=ACTS).run())
"""
LIMIT = 2.0  # seconds from the hangup to the end


class Terminal:
    """A dashboard on a terminal of its own."""

    def __init__(self, *arguments: str) -> None:
        self.pid, self.fd = pty.fork()
        if not self.pid:
            os.chdir(ROOT)
            os.environ.update(TERM="xterm-256color", COLUMNS="80", LINES="24")
            os.execv(sys.executable, [sys.executable, "-c", DASHBOARD, *arguments])  # noqa: S606

    def read(self, until: bytes) -> None:
        """Read until some bytes came."""
        seen = b""
        while until not in seen:
            assert select.select([self.fd], [], [], 20)[0], seen[-500:]
            seen += os.read(self.fd, 65536)

    def ends(self, within: float) -> bool:
        """Did it end in time? Ends it in any case."""
        waiter = threading.Thread(target=os.waitpid, args=(self.pid, 0))
        waiter.start()
        waiter.join(within)
        in_time = not waiter.is_alive()
        if not in_time:
            os.kill(self.pid, signal.SIGKILL)
            waiter.join()
        return in_time

    def drain(self) -> None:
        """Keep the terminal read, so that nothing waits for it."""

        def read() -> None:
            try:
                while os.read(self.fd, 65536):
                    pass
            except OSError:
                return

        threading.Thread(target=read, daemon=True).start()


@pytest.fixture(params=["", "nohup"], ids=["plain", "SIGHUP ignored"])
def terminal(request: pytest.FixtureRequest) -> Terminal:
    return Terminal(request.param)


def test_a_terminal_that_is_gone_ends_it(terminal: Terminal) -> None:
    terminal.read(b"deferred")
    os.close(terminal.fd)

    assert terminal.ends(within=LIMIT)


def test_a_hangup_signal_with_the_terminal_there_reads_anew() -> None:
    terminal = Terminal()
    terminal.read(b"deferred")
    os.kill(terminal.pid, signal.SIGHUP)
    terminal.read(b"read anew")
    terminal.drain()
    os.write(terminal.fd, b"q")

    assert terminal.ends(within=10)
    os.close(terminal.fd)


def test_being_terminated_leaves_the_terminal_as_it_was() -> None:
    terminal = Terminal()
    terminal.read(b"deferred")
    os.kill(terminal.pid, signal.SIGTERM)
    terminal.read(b"\x1b[?1049l")
    terminal.drain()

    assert terminal.ends(within=10)
    os.close(terminal.fd)


def test_a_terminal_that_goes_while_it_starts_ends_it_too() -> None:
    """Before the screen is drawn nobody looks at the terminal yet, and a dead one is no terminal any more."""
    terminal = Terminal("nohup")
    terminal.read(b"\x1b[?1049h")
    os.close(terminal.fd)

    assert terminal.ends(within=20)
