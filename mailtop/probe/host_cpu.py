"""How busy the host's CPUs are, from one look at counters that only rise: the share is their growth since the last.

Time that CPUs were idle while somebody waited for a disk is left out: it may go backwards, and on several CPUs means
little (proc(5)). What waits for disks is told by the pressure on them, and by the processes that are blocked.
"""

from __future__ import annotations

from collections.abc import Iterator

from mailtop.model.ask import Answer, Command
from mailtop.model.sample import Kind, Sample
from mailtop.parse import proc_stat
from mailtop.probe import Board, Metric, Needs, Poll


def read(answer: Answer) -> Iterator[Sample]:
    """Yield seconds of work a CPU, so that their growth a second is a share: 1 when all CPUs work all the time."""
    found = proc_stat.read(answer.ok("grep"))
    for mode, seconds in (("busy", found.busy), ("steal", found.steal)):
        yield Sample("host_cpu_share_seconds_total", round(seconds / found.cpus, 4), (("mode", mode),), Kind.TOTAL)
    yield Sample("host_cpus", found.cpus)
    if found.blocked is not None:
        yield Sample("host_processes_blocked", found.blocked)


BOARD = Board(
    "hosts",
    "CPU",
    (
        Metric("host_cpu_share_seconds_total", "CPU", "%", 0.85, 0.95, means="at work; steal: kept by the hypervisor"),
        Metric("host_cpus", "CPUs", means="that are switched on"),
        Metric("host_processes_blocked", "blocked", means="processes that wait for a disk now"),
    ),
    order=12,
)

PROBE = Poll(
    "host_cpu",
    None,
    Command(("grep", "-E", "^(cpu|procs_blocked)", "/proc/stat")),
    read,
    every=10.0,
    needs=Needs(binary=("grep",)),
    board=BOARD,
)
