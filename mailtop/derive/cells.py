"""A host's own figures for one line: load, and the filesystems that matter."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from mailtop.model.sample import Sample
from mailtop.model.snapshot import Cell, Health, ProbeState, Reading

FULL_WARN, FULL_CRIT = 0.80, 0.90  # of space or inodes
SHOWN = 2  # filesystems that are shown though they are well
_UNITS = {"filesystem_used_bytes_ratio": "", "filesystem_used_inodes_ratio": " inodes"}


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
    """The fullest; all that are too full, and one or two that are not."""
    full = sorted((one for one in samples if one.name in _UNITS), key=lambda one: one.value, reverse=True)
    space = [one for one in full if _UNITS[one.name] == ""][:SHOWN]
    shown = [one for one in full if one.value >= FULL_WARN or one in space]
    return tuple(
        Cell(dict(one.labels)["mount"] + _UNITS[one.name], Reading(100 * one.value, _health(one), probe.last_ok), "%")
        for one in shown
    )


def _health(sample: Sample) -> Health:
    if sample.value < FULL_WARN:
        return Health.OK
    return Health.CRIT if sample.value >= FULL_CRIT else Health.WARN
