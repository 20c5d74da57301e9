"""A program on a terminal of its own (a pty), and when its bytes came."""

from __future__ import annotations

import contextlib
import fcntl
import os
import pty
import re
import select
import signal
import struct
import termios
import time
from collections.abc import Mapping, Sequence
from types import TracebackType

_ESCAPE = re.compile(rb"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)|P[^\x1b]*\x1b\\|[@-Z\\-_=>])")


class Never(Exception):  # noqa: N818 — as the product's errors are called
    """What was waited for did not come."""


class Terminal:
    """Starts a program at once. `started` and all times are of `perf_counter`."""

    def __init__(
        self, argv: Sequence[str], cells: int = 80, rows: int = 24, environment: Mapping[str, str] | None = None
    ) -> None:
        self._ours, theirs = pty.openpty()
        fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", rows, cells, 0, 0))
        words = {
            **os.environ,
            "TERM": "xterm-256color",
            "COLUMNS": str(cells),
            "LINES": str(rows),
            **(environment or {}),
        }
        self.written = 0
        self._pieces: list[tuple[float, bytes]] = []
        self.started = time.perf_counter()
        self.pid = os.posix_spawn(
            argv[0],
            list(argv),
            words,
            file_actions=[(os.POSIX_SPAWN_DUP2, theirs, number) for number in (0, 1, 2)]
            + [(os.POSIX_SPAWN_CLOSE, theirs), (os.POSIX_SPAWN_CLOSE, self._ours)],
            setsid=True,
        )
        os.close(theirs)

    def __enter__(self) -> Terminal:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.kill(self.pid, signal.SIGTERM)
            self._end(3.0)
        os.close(self._ours)

    def _end(self, seconds: float) -> None:
        until = time.perf_counter() + seconds
        while time.perf_counter() < until:
            with contextlib.suppress(Never):
                self._take(0.02)
            if os.waitpid(self.pid, os.WNOHANG)[0]:
                return
        os.kill(self.pid, signal.SIGKILL)
        os.waitpid(self.pid, 0)

    def forget(self) -> None:
        """What came until now counts no more."""
        self.read(0.0)
        self._pieces.clear()

    def press(self, key: str) -> float:
        """Press a key; when it was."""
        now = time.perf_counter()
        os.write(self._ours, key.encode())
        return now

    def read(self, seconds: float) -> None:
        """Take what comes for so long."""
        until = time.perf_counter() + seconds
        while self._take(max(0.0, until - time.perf_counter())) or time.perf_counter() < until:
            pass

    def wait(self, wanted: str | re.Pattern[str], seconds: float = 20.0) -> float:
        """When the words that are wanted had come, all bytes of the last `forget` on; raises Never."""
        pattern = re.compile(re.escape(wanted)) if isinstance(wanted, str) else wanted
        until, seen = time.perf_counter() + seconds, 0
        while True:
            if len(self._pieces) > seen:
                seen = len(self._pieces)
                if pattern.search(self.words()):
                    return self._pieces[-1][0]
            left = until - time.perf_counter()
            if left <= 0:
                raise Never(f"{pattern.pattern!r} did not come within {seconds:g} s; last:\n{self.words()[-2000:]}")
            self._take(left)

    def words(self) -> str:
        """What came, without its escapes."""
        return _ESCAPE.sub(b"", b"".join(octets for _, octets in self._pieces)).decode("utf-8", "replace")

    def _take(self, seconds: float) -> bool:
        if not select.select([self._ours], [], [], seconds)[0]:
            return False
        try:
            octets = os.read(self._ours, 1 << 16)
        except OSError as error:
            raise Never(f"the program ended; last:\n{self.words()[-2000:]}") from error
        self._pieces.append((time.perf_counter(), octets))
        self.written += len(octets)
        return True
