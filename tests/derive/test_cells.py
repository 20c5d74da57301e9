"""A host's own figures: the fullest disk first, and a probe that fails never shows old figures as new."""

from __future__ import annotations

from mailtop.derive.cells import host_cells
from mailtop.model.sample import Sample
from mailtop.model.snapshot import Health, ProbeState

NOW = 1000.0
LOAD = (Sample("host_load", 0.7, (("minutes", "1"),)), Sample("host_load", 0.5, (("minutes", "5"),)))
DISKS = tuple(
    Sample("filesystem_used_bytes_ratio", value, (("mount", mount),))
    for mount, value in (("/", 0.40), ("/var", 0.91), ("/srv", 0.81), ("/boot", 0.10))
)


def well(probe: str, health: Health = Health.OK, note: str = "", last_ok: float = NOW - 5) -> ProbeState:
    return ProbeState("mail1", probe, health, last_ok, every=60.0, note=note)


def test_all_that_are_too_full_are_shown_and_the_fullest_first() -> None:
    cells = host_cells(
        {"host_disk": DISKS, "host_load": LOAD}, {"host_disk": well("host_disk"), "host_load": well("host_load")}, NOW
    )

    assert [(cell.name, cell.reading.health) for cell in cells] == [
        ("/var", Health.CRIT),
        ("/srv", Health.WARN),
        ("load", Health.OK),
    ]


def test_a_disk_that_will_be_full_is_shown_with_its_days_though_others_are_fuller() -> None:
    days = {"/": 60, "/boot": 9, "/srv": 1.5}
    soon = tuple(Sample("filesystem_bytes_full_seconds", 86_400 * of, (("mount", at),)) for at, of in days.items())
    cells = host_cells(
        {"host_disk": (*DISKS, *soon), "host_load": LOAD},
        {"host_disk": well("host_disk"), "host_load": well("host_load")},
        NOW,
    )

    assert [(cell.name, cell.reading.note, cell.reading.health) for cell in cells[:3]] == [
        ("/var", "", Health.CRIT),
        ("/srv", "36 h", Health.CRIT),
        ("/boot", "9 d", Health.WARN),
    ]


def test_a_hung_df_makes_the_disks_unknown_and_nothing_else() -> None:
    hung = well("host_disk", Health.UNKNOWN, "df: no answer within 5 s")
    disks, load = host_cells(
        {"host_disk": DISKS, "host_load": LOAD}, {"host_disk": hung, "host_load": well("host_load")}, NOW
    )

    assert (disks.name, disks.reading.value, disks.reading.note) == ("disks", None, "df: no answer within 5 s")
    assert (load.name, load.reading.value) == ("load", 0.7)


def test_figures_that_are_late_are_not_those_of_now() -> None:
    late = well("host_load", last_ok=NOW - 500)
    cells = host_cells({"host_load": LOAD}, {"host_load": late}, NOW)

    assert [(cell.name, cell.reading.value) for cell in cells] == [("disks", None), ("load", None)]
