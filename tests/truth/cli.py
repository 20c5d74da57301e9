"""mailtop as a user runs it: the installed program, a configuration, a home of its own."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

from maillab.reach import HOSTS, SSH_CONFIG

MAILTOP = Path(sys.executable).with_name("mailtop")
HERE = socket.gethostname().partition(".")[0]
WITHIN = 60.0


class Home:
    """A configuration of both of the lab's hosts, and a state folder, in one place."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.config = folder / "config" / "mailtop" / "config.toml"
        self.audit = folder / "state" / "mailtop" / "audit.jsonl"
        self.config.parent.mkdir(parents=True)
        self.configure(*(f'[hosts.{host}]\nssh = "{host}"\nssh_config = "{SSH_CONFIG}"\n' for host in HOSTS))

    def configure(self, *tables: str) -> None:
        """Write the configuration."""
        self.config.write_text("".join(tables))

    @property
    def environment(self) -> dict[str, str]:
        """Where mailtop looks."""
        return os.environ | {
            "XDG_CONFIG_HOME": str(self.folder / "config"),
            "XDG_STATE_HOME": str(self.folder / "state"),
        }

    def mailtop(self, *words: str) -> subprocess.CompletedProcess[str]:
        """Run it to its end."""
        return subprocess.run(
            (MAILTOP, *words), capture_output=True, text=True, env=self.environment, timeout=WITHIN, check=False
        )

    def document(self, *words: str) -> dict[str, Any]:
        """Run it, and read the JSON that it prints."""
        done = self.mailtop(*words, "--json")
        assert done.returncode == 0, done.stderr
        answer: dict[str, Any] = json.loads(done.stdout)
        return answer

    def facts(self) -> list[dict[str, Any]]:
        """What the audit file says, oldest first."""
        return [json.loads(line) for line in self.audit.read_text().splitlines()] if self.audit.exists() else []


def error_of(done: subprocess.CompletedProcess[str]) -> str:
    """The one line that an error is."""
    (line,) = done.stderr.splitlines()
    assert line.startswith("mailtop: ")
    assert done.stdout == ""
    return line
