"""What processes cost, from /proc: CPU seconds and memory, of one or of a whole family."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

_TICK = os.sysconf("SC_CLK_TCK")


def family(pid: int) -> list[int]:
    """A process and all its descendants."""
    found = [pid]
    for one in found:
        try:
            for task in Path(f"/proc/{one}/task").iterdir():
                found += map(int, (task / "children").read_text().split())
        except OSError:
            continue
    return found


def cpu(pids: Iterable[int], *, children: bool = False) -> float:
    """CPU seconds until now; `children`: of those that have ended, too."""
    ticks = 0
    for pid in pids:
        try:
            fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        except OSError:
            continue
        ticks += sum(map(int, fields[11 : 15 if children else 13]))
    return ticks / _TICK


def pss(pids: Iterable[int]) -> float:
    """MiB, with what is shared counted in parts."""
    return sum(_field(f"/proc/{pid}/smaps_rollup", "Pss:") for pid in pids) / 1024


def rss(pid: int) -> float:
    """MiB now."""
    return _field(f"/proc/{pid}/status", "VmRSS:") / 1024


def peak(pid: int) -> float:
    """MiB that it ever had."""
    return _field(f"/proc/{pid}/status", "VmHWM:") / 1024


def named(*names: str) -> list[int]:
    """All processes whose program has one of these names (of a longer one, its beginning)."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                name = (entry / "comm").read_text().strip()
            except OSError:
                continue
            if name.startswith(names):
                found.append(int(entry.name))
    return found


def _field(path: str, name: str) -> int:
    try:
        return int(Path(path).read_text().partition(name)[2].split()[0])
    except (OSError, IndexError):
        return 0
