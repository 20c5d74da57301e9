"""ProxyCommand: a local program whose stdin and stdout are the way to the host."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import threading

from mailtop.model.text import Foreign

_WORDS = 1000  # bytes of what it said last


class ProxyCommand:
    """One running program; `near` is our end of its socket. It, and what it started, ends with `close`."""

    def __init__(self, command: str) -> None:
        self.near, far = socket.socketpair()
        try:
            self._process = subprocess.Popen(
                (os.environ.get("SHELL") or "/bin/sh", "-c", f"exec {command}"),
                stdin=far.fileno(),
                stdout=far.fileno(),
                stderr=subprocess.PIPE,
                start_new_session=True,  # ctrl-c is not for it, and all of it is ended at once
            )
        except OSError:
            self.near.close()
            raise
        finally:
            far.close()
        self._said = b""
        self._hearing = threading.Thread(target=self._hear, name="proxy-command", daemon=True)
        self._hearing.start()

    @property
    def said(self) -> Foreign:
        """The last line that it wrote on stderr; where it is ending, all of it is waited for."""
        self._hearing.join(0.5)
        return Foreign(self._said.strip().rpartition(b"\n")[2].strip())

    def close(self) -> None:
        """End it."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()
        self._hearing.join(1.0)

    def _hear(self) -> None:
        """Read all, keep the last: a program that talks must not wait for us."""
        assert self._process.stderr is not None  # noqa: S101  (told to mypy: it is a pipe)
        with self._process.stderr as pipe:
            while piece := os.read(pipe.fileno(), 4096):
                self._said = (self._said + piece)[-_WORDS:]
