"""A host's own figures for one line: load, and the filesystems that matter."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import inf

from mailtop.model.sample import Labels, Sample
from mailtop.model.snapshot import Cell, Health, ProbeState, Reading

FULL_WARN, FULL_CRIT = 0.80, 0.90  # of space or inodes
SHOWN = 2  # filesystems that are shown though they are well
FULL_IN_WARN, FULL_IN_CRIT = 14 * 86_400.0, 3 * 86_400.0  # seconds
_FULL_IN = {
    "filesystem_used_bytes_ratio": "filesystem_bytes_full_seconds",
    "filesystem_used_inodes_ratio": "filesystem_inodes_full_seconds",
}
_UNITS = {"filesystem_used_bytes_ratio": "", "filesystem_used_inodes_ratio": " inodes"}


Left = Mapping[tuple[str, Labels], float]
"""Seconds until what a sample tells of is full, by metric and labels."""


def host_cells(
    samples: Mapping[str, Sequence[Sample]], probes: Mapping[str, ProbeState], now: float
) -> tuple[Cell, ...]:
    """Return the cells of one host, the most telling first.

    `samples` and `probes` by probe name. A probe that fails or is late has one cell that says so: the last figures
    are not passed off as those of now.
    """
    disks = _failed("host_disk", "disks", probes, now) or _disks(samples.get("host_disk", ()), probes["host_disk"])
    load = _failed("host_load", "load", probes, now) or _load(samples.get("host_load", ()), probes["host_load"])
    return (*disks, *load)


def _failed(name: str, label: str, probes: Mapping[str, ProbeState], now: float) -> tuple[Cell, ...]:
    probe = probes.get(name)
    if probe is None:
        return (Cell(label, Reading(note="not asked")),)
    stale = now - probe.last_ok > 2 * probe.every + 5.0
    if probe.health is Health.OK and not stale:
        return ()
    health = Health.DENIED if probe.health is Health.DENIED else Health.UNKNOWN
    return (Cell(label, Reading(None, health, probe.last_ok, stale, probe.note or "late")),)


def _load(samples: Sequence[Sample], probe: ProbeState) -> tuple[Cell, ...]:
    return tuple(
        Cell("load", Reading(sample.value, Health.OK, probe.last_ok))
        for sample in samples
        if sample.key == "host_load{minutes=1}"
    )


def _disks(samples: Sequence[Sample], probe: ProbeState) -> tuple[Cell, ...]:
    """The fullest; all that are or soon will be too full, and one or two that are not; with the days left, if known."""
    left = {(one.name, one.labels): one.value for one in samples if one.name in _FULL_IN.values()}
    full = sorted((one for one in samples if one.name in _UNITS), key=lambda one: one.value, reverse=True)
    space = [one for one in full if _UNITS[one.name] == ""][:SHOWN]
    shown = [one for one in full if one in space or _health(one, left) is not Health.OK]
    return tuple(
        Cell(
            dict(one.labels)["mount"] + _UNITS[one.name],
            Reading(100 * one.value, _health(one, left), probe.last_ok, note=_days(one, left)),
            "%",
        )
        for one in shown
    )


def _left(sample: Sample, left: Left) -> float:
    """Seconds until it is full; endless where nobody can tell."""
    return left.get((_FULL_IN[sample.name], sample.labels), inf)


def _days(sample: Sample, left: Left) -> str:
    """`19 d`, or `7 h` where that is less than two days; nothing where nobody can tell."""
    seconds = _left(sample, left)
    if seconds == inf:
        return ""
    return f"{seconds / 86_400:.0f} d" if seconds >= 2 * 86_400 else f"{seconds / 3600:.0f} h"


def _health(sample: Sample, left: Left) -> Health:
    seconds = _left(sample, left)
    if sample.value >= FULL_CRIT or seconds <= FULL_IN_CRIT:
        return Health.CRIT
    return Health.WARN if sample.value >= FULL_WARN or seconds <= FULL_IN_WARN else Health.OK
