"""The host's containers, as its Docker Engine tells: how each runs, what it uses, and what it may use.

Engines of 20.10 read a container's usage once a second, for whoever waits: up to a second of waiting for each that
runs, one after the other, though it costs the host next to nothing. Hence the pace, and a bound on how many.
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
from mailtop.probe import Board, Found, Metric, Probe

_LINES = 50
_USAGES = 30  # at a second each they are read before what was read first is old
_COLUMNS = ("name", "state", "health", ">memory", ">limit", ">cores", ">restarts", "started (UTC)")
_RECENT = 3600.0  # seconds: who runs for longer has not been restarted lately
_STOPPED = frozenset({0, 130, 137, 143})  # exits of one that ended, or was ended, in order
_ORDER = (Health.CRIT, Health.WARN, Health.OK)


def run(target: Target) -> Asking[Iterable[Found]]:  # noqa: ARG001 — the same questions to all
    """Ask what there is, then each container how it runs, and each that runs what it uses; one that is gone is none."""
    listed = docker_stats.listed((yield Engine("/containers/json?all=1", keep=docker_stats.LIST)).stdout)
    samples: list[Found] = []
    lines: list[Line] = []
    usages = _USAGES
    for name, container, state in listed[:_LINES]:
        try:
            answer = yield Engine(f"/containers/{container}/json", keep=docker_stats.INSPECT)
        except (Missing, CommandFailed):
            continue
        how, usage = docker_stats.run(answer.stdout), None
        if state == "running" and usages:
            path = f"/containers/{container}/stats?stream=false&one-shot=true"
            try:
                usage = docker_stats.usage((yield Engine(path, keep=docker_stats.STATS, timeout=4.0)).stdout)
                usages -= 1
            except TimedOut:
                usages = 0  # an Engine in trouble is not waited for again and again
            except (Missing, CommandFailed):
                pass
        found = tuple(_samples(how, usage, (("container", shown(Foreign(name.encode()), 60)),)))
        samples += found
        lines.append(_line(name, how, usage, found))
    return (*samples, Table("containers", _COLUMNS, tuple(lines), len(listed)))


def _samples(how: Run, usage: Usage | None, labels: Labels) -> Iterator[Sample]:
    """Yield flags as 0 and 1, memory in bytes, CPU in seconds: as a share of one core, and of what it may use."""
    if how.health in ("healthy", "unhealthy"):
        yield Sample("container_healthy", float(how.health == "healthy"), labels)
    yield Sample("container_oom_killed", float(how.oom_killed), labels)
    yield Sample("container_restarting", float(how.state == "restarting"), labels)
    yield Sample("container_restarts_total", how.restarts, labels, Kind.TOTAL)
    since = docker_stats.seconds_between(how.started, usage.at) if usage is not None else None
    if how.state == "restarting" or since is not None:
        recent = how.restarts if since is None or since < _RECENT else 0
        yield Sample("container_recent_restarts", recent, labels)
    if usage is None:
        return
    if usage.memory is not None:
        yield Sample("container_memory_bytes", usage.memory, labels)
        if how.memory_limit:
            yield Sample("container_memory_limit_ratio", round(usage.memory / how.memory_limit, 4), labels)
    if usage.cpu is not None:
        yield Sample("container_cpu_seconds_total", usage.cpu, labels, Kind.TOTAL)
        if how.cores_limit:
            yield Sample("container_cpu_limit_seconds_total", usage.cpu / how.cores_limit, labels, Kind.TOTAL)


def _line(name: str, how: Run, usage: Usage | None, found: Iterable[Sample]) -> Line:
    """A table's row. Its health is the worst of its samples', and of how it ended."""
    metrics = {metric.name: metric for metric in BOARD.metrics}
    judged = [metrics[one.name].health(one.value) for one in found if one.kind is Kind.GAUGE and one.name in metrics]
    if how.state in ("paused", "removing") or (how.state == "exited" and how.exit not in _STOPPED):
        judged.append(Health.WARN)
    elif how.state == "dead":
        judged.append(Health.CRIT)
    words = f"{how.state} {how.exit}" if how.state in ("exited", "restarting") else how.state
    cells = (
        name,
        f"{words}, out of memory" if how.oom_killed else words,
        how.health,
        _size(usage.memory) if usage is not None and usage.memory is not None else "",
        _size(how.memory_limit) if how.memory_limit else "",
        f"{how.cores_limit:g}" if how.cores_limit else "",
        str(how.restarts),
        how.started[:16].replace("T", " "),
    )
    return Line(tuple(Foreign(cell.encode()) for cell in cells), min(judged, key=_ORDER.index, default=Health.OK))


def _size(octets: int) -> str:
    """Return whole megabytes, as columns are compared.

    >>> _size(20_889_600)
    '21 MB'
    """
    return f"{octets / 1e6:.0f} MB"


BOARD = Board(
    "hosts",
    "containers",
    (
        Metric("container_cpu_seconds_total", "CPU", "%", means="of one core; two busy cores are 200 %"),
        Metric("container_cpu_limit_seconds_total", "of its CPU", "%", 0.85, 0.95, means="of the cores it may use"),
        Metric(
            "container_memory_limit_ratio", "of its memory", "%", 0.80, 0.90, means="of its limit, where it has one"
        ),
        Metric("container_healthy", "healthy", crit=0.0, falls=True, quiet=True, means="0: its health check fails"),
        Metric("container_oom_killed", "out of memory", crit=1.0, quiet=True, means="1: killed for want of memory"),
        Metric("container_restarting", "restarting", crit=1.0, quiet=True, means="1: it ends and is started again"),
        Metric(
            "container_recent_restarts", "restarts", warn=4.0, quiet=True, means="of one that runs for under an hour"
        ),
    ),
    order=30,
)

PROBE = Probe("containers", None, run, every=30.0, board=BOARD)
