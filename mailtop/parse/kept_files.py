"""Queue files that mailtop keeps of deleted mail: where, and what `stat -c '%Z %s %h %n'` says of them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

from mailtop.model.ask import Asking, Command
from mailtop.model.errors import ParseError
from mailtop.model.mail import QueueId
from mailtop.parse.postfix_instance import instance_words

FOLDER = "mailtop-kept"
"""In Postfix's queue_directory, which does not mind it: a link must lead to a file of the same filesystem."""

OLD = 7 * 86_400.0  # seconds; what is kept longer is for the purge
RECEIPT = re.compile(r"r[0-9a-f]+-\d+")  # a folder in it

_PLAIN = re.compile(r"/[A-Za-z0-9._/-]+")
_FORMAT = "%Z %s %h %n"
_LINE = re.compile(rb"(\d+) (\d+) (\d+) .*/(r[0-9a-f]+-\d+)/([0-9A-Za-z]{6,32})")


class KeptFile(NamedTuple):
    """One kept file. `at`: when its last name or link changed, seconds since the epoch. `links` 2: it is queued too."""

    receipt: str
    id: QueueId
    at: float
    size: int
    links: int


def kept_files(stdout: bytes) -> Iterator[KeptFile]:
    """Read a line a file; what is not ours is left out.

    >>> list(kept_files(b"1795508498 545 1 /var/spool/postfix/mailtop-kept/r19a-1/4jYbPZ67MTzF1q0"))
    [KeptFile(receipt='r19a-1', id='4jYbPZ67MTzF1q0', at=1795508498.0, size=545, links=1)]
    """
    for line in stdout.splitlines():
        if found := _LINE.fullmatch(line):
            at, size, links, receipt, id_ = (field.decode("ascii") for field in found.groups())
            yield KeptFile(receipt, QueueId(id_), float(at), int(size), int(links))


class Spool(NamedTuple):
    """An instance's queue_directory, and why no file of it can be kept, empty where it can."""

    path: str
    why_not: str

    @property
    def kept(self) -> str:
        return f"{self.path}/{FOLDER}"


def spool(instance: str) -> Asking[Spool]:
    """Ask an instance for its queue_directory, and whether files of its hold queue can be kept there."""
    names = ("queue_directory", "hash_queue_names")
    answer = yield Command(("postconf", *instance_words(instance), "-h", *names))
    lines = answer.ok("postconf").splitlines()
    path = lines[0].decode("utf-8", "replace").strip() if lines else ""
    if not path.startswith("/"):
        raise ParseError("postconf", f"queue_directory is no path: {path[:60]!r}")
    hashed = lines[1].replace(b",", b" ").split() if len(lines) > 1 else []
    who = (yield Command(("id", "-u"))).stdout.strip()
    devices = (yield Command(("stat", "-c", "%d", path, f"{path}/hold"))).stdout.split()
    why = (
        (not _PLAIN.fullmatch(path), "the queue's path is no plain one"),
        (who != b"0", "only root can keep the files"),
        (b"hold" in hashed, "hold is in hash_queue_names here, so its files cannot be put back"),
        (len(devices) != 2 or devices[0] != devices[1], "hold is not on the queue's own filesystem"),
    )
    return Spool(path, next((words for fails, words in why if fails), ""))


def files(folder: str) -> Asking[tuple[KeptFile, ...]]:
    """Ask what is kept in a folder, or below it; a folder that is not there holds nothing."""
    stat = ("stat", "-c", _FORMAT, "{}", "+")
    answer = yield Command(("find", folder, "-type", "f", "-exec", *stat), timeout=60.0, large=True, limit=64 << 20)
    if answer.exit and b"No such file" not in answer.stderr:
        answer.ok(folder, "only root may read what mailtop keeps there")
    if answer.cut:
        raise ParseError(folder, "holds more than can be read", "purge it")
    return tuple(kept_files(answer.stdout))
