"""An engine's process, begun before its face has imported anything: each imports what it needs while the other does."""

from __future__ import annotations

import os
import socket
import subprocess
import sys

_PROGRAM = "from mailtop.engine.process import main; main()"

FRUGAL = {"MALLOC_ARENA_MAX": "2"}
"""Hundreds of threads, one that waits for each log, and glibc would keep memory apart for every few of them: 20 MiB."""


class Begun:
    """A process that waits for its `Setup` at the other side of `end`; without one it ends as soon as `end` is closed.

    `process`: to be waited for.
    """

    def __init__(self, log_file: str = "") -> None:
        """Begin one; its complaints go to `log_file`, or nowhere. Raises OSError where that cannot be written."""
        log = os.open(log_file, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o666) if log_file else subprocess.DEVNULL
        self.end, theirs = socket.socketpair()
        try:
            self.process = subprocess.Popen(
                # -P: what lies in the current folder is no module of ours, though it may be named like one.
                [sys.executable, "-P", "-c", _PROGRAM, str(theirs.fileno())],
                pass_fds=(theirs.fileno(),),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=log,
                env={**os.environ, **FRUGAL},
                start_new_session=True,  # ctrl-c and a hang-up are the face's to handle; ours is the end of the socket
            )
        finally:
            theirs.close()
            if log_file:
                os.close(log)

    def forget(self) -> None:
        """No engine is wanted after all: it ends by itself."""
        self.end.close()
        self.process.returncode = 0  # nobody waits for it, and nobody is warned of that
