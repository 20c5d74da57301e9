"""Space and inodes of the host's filesystems.

A dead network mount makes `df` wait for ever. It is asked with a deadline of its own and off the kept shell
(`large`), so that only these cells go unknown.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from mailtop.model.ask import Answer, Asking, Command
from mailtop.model.errors import ParseError
from mailtop.model.sample import Labels, Sample
from mailtop.model.text import Foreign, shown
from mailtop.model.topology import Target
from mailtop.probe import Board, Found, Metric, Needs, Probe, Trend

_NO_DISK = frozenset({b"tmpfs", b"devtmpfs", b"shm", b"udev", b"none", b"proc", b"sysfs", b"cgroup", b"squashfs"})
_NOT_OURS = (b"/proc", b"/sys", b"/dev", b"/run", b"/snap", b"/var/lib/docker/overlay2", b"/var/lib/docker/containers")


def run(target: Target) -> Asking[Iterable[Found]]:  # noqa: ARG001 — the same question to all
    """Ask for blocks, then for inodes."""
    blocks = yield Command(("df", "-P", "-k"), timeout=5.0, large=True)
    inodes = yield Command(("df", "-P", "-i"), timeout=5.0, large=True)
    return (*_read(blocks, "bytes", 1024), *_read(inodes, "inodes", 1))


def _read(answer: Answer, unit: str, factor: int) -> Iterator[Sample]:
    """Yield size and what is available to root's programs; df that could not look at one mount still tells the rest."""
    lines = answer.stdout.splitlines()
    if not lines or b"Mounted on" not in lines[0]:
        answer.ok("df")
        raise ParseError("df", f"no table: {shown(Foreign(answer.stdout), 80)!r}")
    for fields in _one_a_device(line.split(None, 5) for line in lines[1:]):
        if len(fields) < 6 or fields[0] in _NO_DISK or fields[5].startswith(_NOT_OURS) or not fields[1].isdigit():
            continue
        size, used, available = int(fields[1]), int(fields[2]), int(fields[3])
        if not size:
            continue  # btrfs counts no inodes
        mount: Labels = (("mount", shown(Foreign(fields[5]), 80)),)
        yield Sample(f"filesystem_size_{unit}", size * factor, mount)
        yield Sample(f"filesystem_available_{unit}", available * factor, mount)
        if used + available:
            yield Sample(f"filesystem_used_{unit}_ratio", round(used / (used + available), 4), mount)


def _one_a_device(rows: Iterable[list[bytes]]) -> list[list[bytes]]:
    """Drop what a bind mount shows again: of mounts with the very same figures, the shortest path stands for all."""
    found: dict[tuple[bytes, ...], list[bytes]] = {}
    for row in rows:
        figures = tuple(row[1:4])
        if len(row) > 5 and (figures not in found or len(row[5]) < len(found[figures][5])):
            found[figures] = row
    return list(found.values())


BOARD = Board(
    "hosts",
    "filesystems",
    (
        Metric("filesystem_used_bytes_ratio", "used", "%", 0.80, 0.90, means="space in use, of what is not reserved"),
        Metric("filesystem_used_inodes_ratio", "inodes", "%", 0.80, 0.90, means="inodes in use"),
        Metric(
            "filesystem_bytes_full_seconds",
            "full in",
            "s",
            14 * 86_400.0,
            3 * 86_400.0,
            falls=True,
            means="until nothing is left, where a trend is known: from hours of readings on, of evenly rising use",
        ),
        Metric(
            "filesystem_inodes_full_seconds",
            "inodes full in",
            "s",
            14 * 86_400.0,
            3 * 86_400.0,
            falls=True,
            means="until no inode is left, where a trend is known",
        ),
    ),
    order=20,
    aside=False,
    trends=(
        Trend("filesystem_available_bytes", "filesystem_bytes_full_seconds"),
        Trend("filesystem_available_inodes", "filesystem_inodes_full_seconds", "inodes"),
    ),
)

PROBE = Probe("host_disk", None, run, every=60.0, needs=Needs(binary=("df",)), board=BOARD)
