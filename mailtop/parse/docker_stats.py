"""What the Docker Engine says of its containers: how each runs and what it uses.

Source: Docker Engine API: "List containers", "Inspect a container", "Get container stats based on resource usage". What
memory is used is reckoned as `docker stats` does: without pages of files that were not touched lately, which cgroup v1
and v2 name differently.
"""

from __future__ import annotations

import re
from typing import TypeVar

import msgspec
from msgspec import Struct

from mailtop.model.errors import ParseError

LIST = ("Id", "Names", "State", "Status")
INSPECT = (
    "State.Status",
    "State.OOMKilled",
    "State.ExitCode",
    "State.StartedAt",
    "State.Health.Status",
    "RestartCount",
    "HostConfig.Memory",
    "HostConfig.NanoCpus",
    "HostConfig.CpuQuota",
    "HostConfig.CpuPeriod",
)
STATS = (
    "read",
    "cpu_stats.cpu_usage.total_usage",
    "memory_stats.usage",
    "memory_stats.stats.total_inactive_file",
    "memory_stats.stats.inactive_file",
)

_NEVER = "0001-01-01"  # how Go writes no time
_UNDER_AN_HOUR = re.compile("Up .*(second|minute)")
_PERIOD = 100_000  # microseconds: the kernel's, where none is set
_Shape = TypeVar("_Shape")


_AT_REST = re.compile(r"Up (?:About an|\d+) (?:hours?|days?|weeks?|months?|years?)(?: \((healthy)\))?")


class Listed(Struct, frozen=True, order=True):
    """One container of the list. `state`: Docker's word; `status`: its words for people."""

    name: str
    id: str
    state: str
    status: str

    @property
    def recent(self) -> bool:
        """Was it started within the last hour? The list tells it in words only, and asking for more costs more.

        >>> [Listed("", "", "running", text).recent for text in ("Up 59 minutes (healthy)", "Up About an hour")]
        [True, False]
        """
        return self.state == "restarting" or (self.state == "running" and _UNDER_AN_HOUR.match(self.status) is not None)

    @property
    def at_rest(self) -> str | None:
        """Of one that has run well for an hour or longer, its health. None: the list does not tell all there is.

        >>> [Listed("", "", "running", text).at_rest for text in ("Up 2 hours (healthy)", "Up 3 days", "Up 2 minutes")]
        ['healthy', '', None]
        >>> Listed("", "", "running", "Up 2 hours (unhealthy)").at_rest is None
        True
        """
        told = _AT_REST.fullmatch(self.status) if self.state == "running" else None
        return None if told is None or self.recent else told[1] or ""


class Run(Struct, frozen=True):
    """`state`: Docker's word. `health`: `healthy`, `unhealthy`, `starting`, empty where nothing checks it.

    `started`: RFC 3339, empty: never. `memory_limit`: bytes, 0: none. `cores_limit`: 0.0: none.
    """

    state: str
    health: str
    exit: int
    oom_killed: bool
    restarts: int
    started: str
    memory_limit: int
    cores_limit: float


class Usage(Struct, frozen=True):
    """`cpu`: seconds of CPU since the start; `memory`: bytes. None: not told."""

    cpu: float | None
    memory: int | None


class _Listed(Struct, rename="pascal"):
    id: str
    names: list[str] = []
    state: str = ""
    status: str = ""


class _Health(Struct, rename="pascal"):
    status: str = ""


class _State(Struct, rename="pascal"):
    status: str
    started_at: str = ""
    exit_code: int = 0
    oom_killed: bool = msgspec.field(default=False, name="OOMKilled")
    health: _Health | None = None


class _Limits(Struct, rename="pascal"):
    memory: int = 0
    nano_cpus: int = 0
    cpu_quota: int = 0
    cpu_period: int = 0


class _Inspected(Struct, rename="pascal"):
    state: _State
    restart_count: int = 0
    host_config: _Limits = msgspec.field(default_factory=_Limits)


class _CpuUsage(Struct):
    total_usage: int | None = None


class _Cpu(Struct):
    cpu_usage: _CpuUsage = msgspec.field(default_factory=_CpuUsage)


class _Pages(Struct):
    total_inactive_file: int | None = None
    inactive_file: int = 0


class _Memory(Struct):
    usage: int | None = None
    stats: _Pages = msgspec.field(default_factory=_Pages)


class _Stats(Struct):
    read: str = ""
    cpu_stats: _Cpu = msgspec.field(default_factory=_Cpu)
    memory_stats: _Memory = msgspec.field(default_factory=_Memory)


_listed = msgspec.json.Decoder(list[_Listed])
_inspected, _stats = msgspec.json.Decoder(_Inspected), msgspec.json.Decoder(_Stats)


def listed(octets: bytes) -> list[Listed]:
    """Read `GET /containers/json`, in the order of names; raises ParseError."""
    found = _decoded(_listed, octets, "list")
    return sorted(
        Listed(min((name.lstrip("/") for name in one.names), key=len, default=""), one.id, one.state, one.status)
        for one in found
    )


def run(octets: bytes) -> Run:
    """Read `GET /containers/ID/json`; raises ParseError."""
    read = _decoded(_inspected, octets, "run")
    state, limits = read.state, read.host_config
    health = state.health.status if state.health is not None else ""
    cores = limits.nano_cpus / 1e9
    if not cores and limits.cpu_quota > 0:
        cores = limits.cpu_quota / (limits.cpu_period or _PERIOD)
    return Run(
        state.status,
        "" if health == "none" else health,
        state.exit_code,
        state.oom_killed,
        read.restart_count,
        "" if state.started_at.startswith(_NEVER) else state.started_at,
        limits.memory,
        cores,
    )


def usage(octets: bytes) -> Usage:
    """Read `GET /containers/ID/stats`; raises ParseError. Of one that just ended the Engine sends zeros: no usage."""
    read = _decoded(_stats, octets, "usage")
    if read.read.startswith(_NEVER):
        return Usage(None, None)
    total, memory = read.cpu_stats.cpu_usage.total_usage, read.memory_stats
    used = memory.usage
    if used is not None:
        pages = memory.stats
        idle = pages.inactive_file if pages.total_inactive_file is None else pages.total_inactive_file
        used -= idle if idle < used else 0
    return Usage(None if total is None else total / 1e9, used)


def _decoded(decoder: msgspec.json.Decoder[_Shape], octets: bytes, what: str) -> _Shape:
    try:
        return decoder.decode(octets)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise ParseError("docker", f"{what}: not what the Engine sends: {error}") from error
