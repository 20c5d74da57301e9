"""How the host's containers run, as its Docker Engine tells; what they use is slower to tell: `container_usage`."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator

from mailtop.model.ask import Asking, Engine
from mailtop.model.board import Line, Table
from mailtop.model.errors import CommandFailed, Missing
from mailtop.model.health import Health
from mailtop.model.sample import Labels, Sample
from mailtop.model.text import Foreign, shown
from mailtop.model.topology import Target
from mailtop.parse import docker_stats
from mailtop.parse.docker_stats import Listed, Run
from mailtop.probe import Board, Found, Metric, Needs, Probe

_LINES = 50
_COLUMNS = ("name", "state", "health", ">restarts", "since (UTC)")
_IN_ORDER = frozenset({0, 130, 137, 143})  # exits of one that ended, or was ended
_ORDER = (Health.CRIT, Health.WARN, Health.OK)


def run(target: Target) -> Asking[Iterable[Found]]:  # noqa: ARG001 — the same questions to all
    """Ask what there is, then how those run of which the list does not tell all; one that is gone meanwhile is none."""
    listed = docker_stats.listed((yield Engine("/containers/json?all=1", keep=docker_stats.LIST)).stdout)
    states = Counter(one.state for one in listed)
    samples = [Sample("containers", count, (("state", state),)) for state, count in sorted(states.items())]
    lines: list[Line] = []
    for one in listed[:_LINES]:
        health = one.at_rest
        if health is not None:
            cells = (one.name, one.state, health, "", one.status.partition(" (")[0].lower())
            lines.append(Line(tuple(Foreign(cell.encode()) for cell in cells)))
            continue
        try:
            answer = yield Engine(f"/containers/{one.id}/json", keep=docker_stats.INSPECT)
        except (Missing, CommandFailed):
            continue
        how = docker_stats.run(answer.stdout)
        found = tuple(_troubles(one, how, (("container", shown(Foreign(one.name.encode()), 60)),)))
        samples += found
        lines.append(_line(one.name, how, found))
    return (*samples, Table("containers", _COLUMNS, tuple(lines), len(listed)))


def _troubles(listed: Listed, how: Run, labels: Labels) -> Iterator[Sample]:
    """Yield 1 for each that is the matter with a container, and how often one was restarted where that is no old story.

    Docker counts restarts from when somebody started the container. Engines of 20.10 go on saying of one that runs
    again that it was killed for want of memory.
    """
    if how.health == "unhealthy":
        yield Sample("container_unhealthy", 1, labels)
    if how.oom_killed and how.state != "running":
        yield Sample("container_oom_killed", 1, labels)
    if how.oom_killed and how.state == "running" and listed.recent:
        yield Sample("container_oom_restarted", 1, labels)
    if how.state == "restarting":
        yield Sample("container_restarting", 1, labels)
    if how.state == "dead":
        yield Sample("container_dead", 1, labels)
    if how.state == "exited" and how.exit not in _IN_ORDER:
        yield Sample("container_failed", 1, labels)
    if how.restarts and listed.recent:
        yield Sample("container_recent_restarts", how.restarts, labels)


def _line(name: str, how: Run, found: Iterable[Sample]) -> Line:
    """A table's row, its health the worst of what is the matter."""
    judged = [_METRICS[one.name].health(one.value) for one in found]
    if how.state == "paused":
        judged.append(Health.WARN)
    state = f"{how.state} {how.exit}" if how.state in ("exited", "restarting") else how.state
    if any(one.name.startswith("container_oom") for one in found):
        state = f"{state}, {'was ' if how.state == 'running' else ''}out of memory"
    cells = (name, state, how.health, str(how.restarts), how.started[:16].replace("T", " "))
    return Line(tuple(Foreign(cell.encode()) for cell in cells), min(judged, key=_ORDER.index, default=Health.OK))


BOARD = Board(
    "hosts",
    "containers",
    (
        Metric("containers", "containers", means="in each of Docker's states"),
        Metric("container_unhealthy", "unhealthy", crit=1.0, means="1: its health check fails; else left out"),
        Metric("container_oom_killed", "out of memory", crit=1.0, means="1: killed for want of memory; else left out"),
        Metric(
            "container_oom_restarted", "was out of mem", warn=1.0, means="1: it runs again, since less than an hour"
        ),
        Metric("container_restarting", "restarting", crit=1.0, means="1: it ends and is started again; else left out"),
        Metric("container_dead", "dead", crit=1.0, means="1: Docker could not remove it; else left out"),
        Metric("container_failed", "failed", warn=1.0, means="1: it ended with a status of failure; else left out"),
        Metric("container_recent_restarts", "restarts", warn=4.0, means="of one that was started within the hour"),
    ),
    order=30,
)
_METRICS = {metric.name: metric for metric in BOARD.metrics}

PROBE = Probe("containers", None, run, every=15.0, needs=Needs(engine=True), board=BOARD)
