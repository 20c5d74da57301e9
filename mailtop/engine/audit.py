"""What was done, by whom, with what result: one line of JSON a fact, on disk before anything is sent."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from pathlib import Path

from mailtop.model.errors import Refused

Fact = Mapping[str, object]


class AuditLog:
    """An append-only file, 0600 in a 0700 folder. A line that cannot be written stops the act it speaks of."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def write(self, fact: Fact) -> None:
        """Append one line and wait until the disk has it; raises Refused where that fails."""
        line = json.dumps(fact, ensure_ascii=True, separators=(",", ":")).encode() + b"\n"
        try:
            self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            file = os.open(self.path, os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
            try:
                if _is_torn(file):
                    line = b"\n" + line  # what a crash has cut off must not swallow this fact
                if os.write(file, line) != len(line):
                    raise OSError("the disk took only part of the line")
                os.fsync(file)
            finally:
                os.close(file)
        except OSError as error:
            raise Refused(
                f"audit {self.path}", error.strerror or str(error), "nothing was sent; make the file writable"
            ) from error

    def read(self) -> Iterator[dict[str, object]]:
        """Yield what was written, oldest first; a line cut off by a crash is skipped. Raises Refused."""
        if not self.path.exists():
            return
        try:
            with self.path.open("rb") as lines:
                for line in lines:
                    try:
                        fact = json.loads(line)
                    except ValueError:
                        continue
                    if isinstance(fact, dict):
                        yield fact
        except OSError as error:
            raise Refused(
                f"audit {self.path}", error.strerror or str(error), "make it a file that you may read"
            ) from error


class NoAudit(AuditLog):
    """For a recording: nothing can be done in it, so nothing is read or written."""

    def __init__(self) -> None:
        super().__init__(Path(os.devnull))

    def write(self, fact: Fact) -> None:
        """Refuse: what is not written down is not done."""
        raise Refused(str(fact.get("action", "act")), "this is a recording", "act on the hosts themselves")

    def read(self) -> Iterator[dict[str, object]]:
        """Nothing."""
        return iter(())


def _is_torn(file: int) -> bool:
    """Does the file end in the middle of a line?"""
    size = os.fstat(file).st_size
    return size > 0 and os.pread(file, 1, size - 1) != b"\n"
