"""The first lines of /proc/stat: what CPUs did since the boot. Source: proc(5), proc_stat(5)."""

from __future__ import annotations

from msgspec import Struct

from mailtop.model.errors import ParseError
from mailtop.model.text import Foreign, shown

_TICKS = 100  # a second, of USER_HZ: the same on all of Linux's architectures that are alive
_IDLE = (3, 4)  # idle, iowait
_STEAL = 7
_MODES = 8  # user nice system idle iowait irq softirq steal; guest and guest_nice are in user and nice already


class Spent(Struct, frozen=True):
    """Seconds of all CPUs together. `busy`: neither idle nor waiting; `steal`, of it: kept by the hypervisor.

    `blocked`: processes that wait for a disk, None where the kernel does not say.
    """

    busy: float
    steal: float
    cpus: int
    blocked: int | None = None


def read(octets: bytes) -> Spent:
    """Read the lines that begin with `cpu` and `procs_blocked`; raises ParseError.

    >>> read(b"cpu  100 0 50 9000 40 0 10 3 0 0\\ncpu0 100 0 50 9000 40 0 10 3 0 0\\nprocs_blocked 2\\n")
    Spent(busy=1.63, steal=0.03, cpus=1, blocked=2)
    """
    rows = {fields[0]: fields[1:] for line in octets.splitlines() if (fields := line.split())}
    cpus = sum(name.startswith(b"cpu") and name != b"cpu" for name in rows)
    try:
        modes = [int(field) for field in rows[b"cpu"][:_MODES]]
        blocked = int(rows[b"procs_blocked"][0]) if b"procs_blocked" in rows else None
    except (KeyError, IndexError, ValueError) as error:
        raise _not_so(octets) from error
    if len(modes) < _MODES or not cpus:
        raise _not_so(octets)
    idle = sum(modes[mode] for mode in _IDLE)
    return Spent((sum(modes) - idle) / _TICKS, modes[_STEAL] / _TICKS, cpus, blocked)


def _not_so(octets: bytes) -> ParseError:
    return ParseError("/proc/stat", f"not what it was: {shown(Foreign(octets), 80)!r}")
