"""Which Postfix program wrote a line: the syslog tag `PREFIX/…/PROGRAM[pid]:`, whatever `syslog_name` is.

The tag is the one part of a line that no stranger writes, so all dispatch rests on it.
"""

from __future__ import annotations

import re
from collections.abc import Callable

_TAG = re.compile(rb"([^\s\[\]:/]+)/(?:([^\s\[\]:]+)/)?([a-z][a-z0-9-]*)(?:\[\d+\])?:")
_KINDS = {
    b"smtpd": "smtpd",
    b"postscreen": "postscreen",
    b"cleanup": "cleanup",
    b"qmgr": "qmgr",
    b"oqmgr": "qmgr",
    b"smtp": "delivery",
    b"lmtp": "delivery",
    b"virtual": "delivery",
    b"local": "delivery",
    b"pipe": "delivery",
    b"error": "delivery",
    b"retry": "delivery",
    b"discard": "delivery",
    b"bounce": "bounce",
    b"pickup": "pickup",
    b"postsuper": "postsuper",
    b"master": "master",
    b"postfix-script": "master",
    b"proxymap": "other",
    b"trivial-rewrite": "other",
    b"dnsblog": "other",
    b"anvil": "other",
    b"tlsproxy": "other",
    b"tlsmgr": "other",
    b"scache": "other",
    b"verify": "other",
    b"flush": "other",
    b"showq": "other",
    b"postlogd": "other",
    b"spawn": "other",
    b"qmqpd": "other",
    b"postqueue": "other",
    b"postdrop": "other",
    b"sendmail": "other",
}
_TAGS = 8192  # a process serves about a hundred mails: tags come and go
_PLACES = 256  # more boxes than any master.cf has services


class Box:
    """The lines of one program in one chunk: stamps and texts, side by side, in order.

    `kind` names the family that reads them alike; `program` is `smtp`, `submission/smtpd`, `smtp-amavis/smtp` …
    """

    __slots__ = ("kind", "program", "stamps", "texts")

    def __init__(self, kind: str, program: bytes) -> None:
        self.kind = kind
        self.program = program
        self.stamps: list[bytes] = []
        self.texts: list[bytes] = []

    def clear(self) -> None:
        """Empty the box for the next chunk."""
        self.stamps.clear()
        self.texts.clear()


class Sorter(dict[bytes, Box | None]):
    """Maps a tag to its box, or to None where it is another program's; what it has not seen it works out once.

    A word that is no tag raises ValueError. `writes`: is a tag's first part (`postfix`) that of the instance whose
    lines are wanted? Several instances may share one log.
    """

    def __init__(self, writes: Callable[[bytes], bool] | None = None) -> None:
        super().__init__()
        self._writes = writes
        self._boxes: dict[bytes, Box] = {}

    def of(self, kind: str) -> list[Box]:
        """Return the boxes of one kind that hold lines."""
        return [box for box in self._boxes.values() if box.kind == kind and box.texts]

    def held(self) -> int:
        """Return how many lines all boxes hold."""
        return sum(len(box.texts) for box in self._boxes.values())

    def clear(self) -> None:
        """Empty all boxes; forget the tags once there are too many."""
        for box in self._boxes.values():
            box.clear()
        if len(self) >= _TAGS or len(self._boxes) >= _PLACES:
            super().clear()
            self._boxes.clear()

    def __missing__(self, tag: bytes) -> Box | None:
        box = self[tag] = self._box(tag)
        return box

    def _box(self, tag: bytes) -> Box | None:
        parts = _TAG.fullmatch(tag)
        if parts is None:
            if tag[-1:] != b":":
                raise ValueError(tag)
            return None
        prefix, service, program = parts.groups()
        if self._writes is not None and not self._writes(prefix):
            return None
        kind = _KINDS.get(program) or ("other" if prefix.startswith(b"postfix") else "")
        if not kind:
            return None
        name = program if service is None else service + b"/" + program
        return self._boxes.setdefault(name, Box(kind, name))
