"""What the host's containers use of CPU and memory, and of what they may use, as its Docker Engine tells.

Engines of 20.10 read usage once a second, for whoever waits: up to a second of waiting for each container that runs,
one after the other, though it costs the host next to nothing. Hence the pace, and a bound on how many.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from mailtop.model.ask import Asking, Engine
from mailtop.model.board import Line, Table
from mailtop.model.errors import CommandFailed, Missing, TimedOut
from mailtop.model.health import Health
from mailtop.model.sample import Kind, Labels, Sample
from mailtop.model.text import Foreign, shown
from mailtop.model.topology import Target
from mailtop.parse import docker_stats
from mailtop.parse.docker_stats import Run, Usage
from mailtop.probe import Board, Found, Metric, Needs, Probe

_MOST = 25  # at a second each they are read before what was read first is old
_COLUMNS = ("name", ">memory", ">limit", ">used", ">cores allowed")
_RATIO = "container_memory_limit_ratio"


def run(target: Target) -> Asking[Iterable[Found]]:  # noqa: ARG001 — the same questions to all
    """Ask what runs, then of each its limits and its usage; one that ends meanwhile has none.

    An Engine that does not answer in time is not waited for once more: what it told holds.
    """
    listed = docker_stats.listed((yield Engine("/containers/json", keep=docker_stats.LIST)).stdout)
    samples: list[Sample] = []
    lines: list[Line] = []
    for one in listed[:_MOST]:
        stats = f"/containers/{one.id}/stats?stream=false&one-shot=true"
        try:
            limits = docker_stats.run((yield Engine(f"/containers/{one.id}/json", keep=docker_stats.INSPECT)).stdout)
            usage = docker_stats.usage((yield Engine(stats, keep=docker_stats.STATS, timeout=4.0)).stdout)
        except (Missing, CommandFailed):
            continue
        except TimedOut:
            if not lines:
                raise
            break
        samples += _samples(limits, usage, (("container", shown(Foreign(one.name.encode()), 60)),))
        lines.append(_line(one.name, limits, usage))
    return (*samples, Table("usage", _COLUMNS, tuple(lines), len(listed)))


def _samples(limits: Run, usage: Usage, labels: Labels) -> Iterator[Sample]:
    """Yield memory in bytes, and seconds of CPU: their growth a second is how many cores it keeps busy."""
    if usage.memory is not None:
        yield Sample("container_memory_bytes", usage.memory, labels)
        if limits.memory_limit:
            yield Sample(_RATIO, round(usage.memory / limits.memory_limit, 4), labels)
    if usage.cpu is not None:
        yield Sample("container_cpu_seconds_total", round(usage.cpu, 3), labels, Kind.TOTAL)
        if limits.cores_limit:
            share = round(usage.cpu / limits.cores_limit, 3)
            yield Sample("container_cpu_limit_seconds_total", share, labels, Kind.TOTAL)


def _line(name: str, limits: Run, usage: Usage) -> Line:
    used, limit, health, part = usage.memory, limits.memory_limit, Health.OK, ""
    if used is not None and limit:
        health, part = _OF_MEMORY.health(used / limit), f"{100 * used / limit:.0f} %"
    cells = (
        name,
        "" if used is None else _size(used),
        _size(limit) if limit else "",
        part,
        f"{limits.cores_limit:g}" if limits.cores_limit else "",
    )
    return Line(tuple(Foreign(cell.encode()) for cell in cells), health)


def _size(octets: int) -> str:
    """Return whole megabytes, as columns are compared.

    >>> _size(20_889_600)
    '21 MB'
    """
    return f"{octets / 1e6:.0f} MB"


_OF_MEMORY = Metric(_RATIO, "of its memory", "%", 0.80, 0.90, means="of its limit, where it has one")
BOARD = Board(
    "hosts",
    "usage",
    (
        Metric("container_cpu_seconds_total", "CPU", "%", means="of one core; two busy cores are 200 %"),
        Metric("container_cpu_limit_seconds_total", "of its CPU", "%", 0.85, 0.95, means="of the cores it may use"),
        _OF_MEMORY,
    ),
    order=32,
)

PROBE = Probe("container_usage", None, run, every=60.0, needs=Needs(engine=True), board=BOARD)
