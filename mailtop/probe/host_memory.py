"""The host's memory and swap, and how often the kernel had to kill for want of it."""

from __future__ import annotations

from collections.abc import Iterator

from mailtop.model.ask import Answer, Command
from mailtop.model.sample import Kind, Sample
from mailtop.parse import proc_meminfo
from mailtop.probe import Board, Metric, Needs, Poll


def read(answer: Answer) -> Iterator[Sample]:
    """Yield bytes, and shares in use. Kernels before 3.14 do not say what is available, those before 4.13 no kills."""
    found = proc_meminfo.read(answer.ok("grep") if not answer.stdout else answer.stdout)
    total, available = found[b"MemTotal"], found.get(b"MemAvailable")
    yield Sample("host_memory_bytes", total)
    if available is not None:
        yield Sample("host_memory_available_bytes", available)
        yield Sample("host_memory_used_ratio", round(1 - available / total, 4))
    swap, free = found.get(b"SwapTotal"), found.get(b"SwapFree")
    if swap and free is not None:
        yield Sample("host_swap_bytes", swap)
        yield Sample("host_swap_used_ratio", round(1 - free / swap, 4))
    if b"oom_kill" in found:
        yield Sample("host_oom_kills_total", found[b"oom_kill"], kind=Kind.TOTAL)


BOARD = Board(
    "hosts",
    "memory",
    (
        Metric(
            "host_memory_used_ratio",
            "used",
            "%",
            0.90,
            0.95,
            means="of memory: what no program could be given",
            glance="memory",
        ),
        Metric("host_memory_available_bytes", "available", "B", means="to programs, without swapping"),
        Metric("host_memory_bytes", "of", "B", means="all the memory there is"),
        Metric("host_swap_used_ratio", "swap", "%", 0.80, means="of swap space, where there is any"),
        Metric("host_oom_kills_total", "OOM kills", warn=1e-6, means="programs that the kernel killed for memory"),
    ),
    order=14,
)

_WANTED = "^(Mem(Total|Available)|Swap(Total|Free)):|^oom_kill "

PROBE = Poll(
    "host_memory",
    None,
    Command(("grep", "-hE", _WANTED, "/proc/meminfo", "/proc/vmstat")),
    read,
    every=10.0,
    needs=Needs(binary=("grep",)),
    board=BOARD,
)
