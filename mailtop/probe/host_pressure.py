"""How much work waits for CPU, memory and disks: the kernel's pressure stall information, since Linux 4.20."""

from __future__ import annotations

from collections.abc import Iterable

from mailtop.model.ask import Answer, Command
from mailtop.model.sample import Fact, Sample
from mailtop.parse import proc_pressure
from mailtop.probe import Board, Found, Metric, Needs, Poll

_NAMES = {b"some": "host_pressure_waiting_ratio", b"full": "host_pressure_stalled_ratio"}
_NOT_TOLD = (b"No such file or directory", b"not supported")  # an old kernel, or one that was told not to keep it


def read(answer: Answer) -> Iterable[Found]:
    """Return shares of the last 10 and 60 s in which some, or all, that would run waited for a resource."""
    said = answer.stderr.splitlines()
    if not answer.stdout and said and all(line.endswith(_NOT_TOLD) for line in said):
        return (Fact("pressure", "this kernel does not tell"),)
    found = proc_pressure.read(answer.stdout or answer.ok("/proc/pressure"))
    return [
        Sample(_NAMES[one.who], one.share, (("resource", one.resource), ("window", f"{one.seconds} s")))
        for one in found
        if (one.who, one.resource) != (b"full", "cpu")  # of a whole system this is not defined, and 0
    ]


BOARD = Board(
    "hosts",
    "pressure",
    (
        Metric("host_pressure_waiting_ratio", "waits", "%", means="of the time in which something waited for it"),
        Metric("host_pressure_stalled_ratio", "stalls", "%", means="of the time in which everything waited for it"),
    ),
    order=16,
)

PROBE = Poll(
    "host_pressure",
    None,
    Command(("grep", "-H", ".", "/proc/pressure/cpu", "/proc/pressure/memory", "/proc/pressure/io")),
    read,
    every=15.0,
    needs=Needs(binary=("grep",)),
    board=BOARD,
)
