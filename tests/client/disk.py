"""A disk with a log on it, a daemon that writes to it and a logrotate that moves it about: all in memory."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime

from mailtop.client.log_file import CHUNK
from mailtop.model.errors import Missing
from mailtop.parse.log_file import Look, Sibling

PATH = "/var/log/mail.log"
BEGIN = 1795500000.0


@dataclass
class Node:
    """What an inode holds."""

    number: int
    mtime: float
    octets: bytes = b""
    packing: str = ""


@dataclass
class Disk:
    """`keep`: so many rotated files. `written`: every line that the daemon wrote; one a second, unless `at` is set."""

    keep: int = 99
    at: float = BEGIN
    written: list[bytes] = field(default_factory=list)
    nodes: dict[str, Node] = field(default_factory=dict)
    looks: int = 0
    half: bytes = b""
    inodes: int = 100

    def __post_init__(self) -> None:
        self.daemon = self.nodes[PATH] = self.node()

    def node(self, octets: bytes = b"", packing: str = "", mtime: float | None = None) -> Node:
        self.inodes += 1
        return Node(self.inodes, self.at if mtime is None else mtime, octets, packing)

    # what happens there

    def write(self, lines: int = 1, words: bytes = b"postfix/qmgr[1]: 4TqX2m6bYzz3F: removed") -> None:
        """The daemon says so many lines."""
        for _ in range(lines):
            if not self.half:
                self.begin(words)
            self.daemon.octets += self.half
            self.daemon.mtime = self.at
            self.half = b""

    def begin(self, words: bytes = b"postfix/qmgr[1]: 4TqX2m6bYzz3F: removed") -> None:
        """The daemon says half a line."""
        if self.half:
            return
        self.at += 1.0
        stamp = datetime.fromtimestamp(self.at, UTC).isoformat().encode()
        line = b"%s mail3 %s %d\n" % (stamp, words, len(self.written))
        self.written.append(line)
        self.daemon.octets += line[:30]
        self.daemon.mtime = self.at
        self.half = line[30:]

    def fill(self, lines: int) -> None:
        """The log is long from the start."""
        for number in range(lines):
            self.at += 1.0
            stamp = datetime.fromtimestamp(self.at, UTC).isoformat().encode()
            self.written.append(b"%s mail3 postfix/qmgr[1]: 4TqX2m6bYzz3F: removed %d\n" % (stamp, number))
        self.daemon.octets, self.daemon.mtime = b"".join(self.written), self.at

    def rename(self, create: bool = True) -> None:
        """logrotate by rename; the daemon goes on writing to what it has open."""
        self._shift()
        if PATH in self.nodes:
            self.nodes[f"{PATH}.1"] = self.nodes.pop(PATH)
        if create:
            self.nodes[PATH] = self.node()

    def reopen(self) -> None:
        """The daemon is told, and opens the log by its name."""
        self.write(bool(self.half))
        self.daemon = self.nodes.setdefault(PATH, self.node())

    def copytruncate(self) -> None:
        """logrotate by copy and truncation."""
        if PATH in self.nodes:
            self._shift()
            self.nodes[f"{PATH}.1"] = self.node(self.nodes[PATH].octets)
            self.truncate()

    def truncate(self) -> None:
        """Somebody empties the log."""
        if PATH in self.nodes:
            self.nodes[PATH].octets = b""

    def pack(self) -> None:
        """logrotate packs what nobody writes to any more."""
        for path, node in list(self.nodes.items()):
            if path != PATH and not node.packing and node is not self.daemon:
                del self.nodes[path]
                self.nodes[f"{path}.gz"] = self.node(node.octets, "gz", node.mtime)

    def _shift(self) -> None:
        for age in range(self.keep, 0, -1):
            for end in ("", ".gz"):
                node = self.nodes.pop(f"{PATH}.{age}{end}", None)
                if node is not None and age < self.keep:
                    self.nodes[f"{PATH}.{age + 1}{end}"] = node

    # what is seen of it

    def look(self, path: str, start: int = 0, known: int = -1, packing: str = "") -> Look:
        """See `Files.look`."""
        self.looks += 1
        node = self.nodes.get(path)
        if node is None:
            raise Missing(path, "no such file")
        assert packing == node.packing
        octets = b"" if len(node.octets) == known else node.octets[start : start + CHUNK + 1000]
        return Look(f"1:{node.number}", len(node.octets), node.mtime, start, octets)

    def family(self, path: str) -> tuple[Sibling, ...]:
        """See `Files.family`."""

        def order(name: str) -> tuple[bool, float, int]:
            return name == PATH, self.nodes[name].mtime // 1, -int(name.removesuffix(".gz").rpartition(".")[2])

        names = sorted((name for name in self.nodes if name != PATH), key=order) + [PATH] * (PATH in self.nodes)
        found = ((name, self.nodes[name]) for name in names)
        return tuple(
            Sibling(name, f"1:{node.number}", 40 if node.packing else len(node.octets), node.mtime // 1, node.packing)
            for name, node in found
        )
