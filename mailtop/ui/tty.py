"""Ending when the terminal does: Textual's driver reads end-of-file for ever, and a dead writer would stop the loop."""

from __future__ import annotations

import os
import select
import signal
import sys
import threading
from collections.abc import Callable

LOOK = 0.5  # seconds between two looks at the terminal
MERCY = 1.0  # seconds a clean end may take once the terminal is gone


def is_gone(fd: int) -> bool:
    """Has the terminal behind `fd` hung up? A pipe or a file never does."""
    if not os.isatty(fd) and not _was_tty(fd):
        return False
    poll = select.poll()
    poll.register(fd, select.POLLHUP)
    return any(event & (select.POLLHUP | select.POLLERR | select.POLLNVAL) for _, event in poll.poll(0))


def watch(end: Callable[[], object], reload: Callable[[], object]) -> Callable[[], None]:
    """Call `end` (from a thread) once the terminal is gone, and end the process hard if that does not help.

    SIGHUP with the terminal still there is an operator's `kill -HUP`: `reload`. Returns what stops the watch.
    """
    stop = threading.Event()
    fd = sys.__stdin__.fileno() if sys.__stdin__ is not None else -1
    if fd < 0 or not (os.isatty(fd) or _was_tty(fd)):  # one that is gone by now is watched all the same
        return stop.set
    hangup = threading.Event()

    def on_hangup(number: int, frame: object) -> None:  # noqa: ARG001 - a signal handler's shape
        hangup.set()

    before = signal.getsignal(signal.SIGHUP)
    if before is not signal.SIG_IGN:
        signal.signal(signal.SIGHUP, on_hangup)

    def look() -> None:
        while not stop.is_set():
            hung = hangup.wait(LOOK)
            hangup.clear()
            if is_gone(fd):
                end()
                if not stop.wait(MERCY):
                    os._exit(1)  # the loop hangs in a write to the terminal that is no more
            elif hung and not stop.is_set():
                reload()

    threading.Thread(target=look, name="mailtop-tty", daemon=True).start()
    return stop.set


def _was_tty(fd: int) -> bool:
    """After a hangup isatty says no: EIO tells it from a pipe."""
    try:
        os.ttyname(fd)
    except OSError as error:
        return error.errno == 5  # EIO
    return True
