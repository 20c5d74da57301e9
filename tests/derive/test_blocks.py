"""What a probe found, judged: each figure by its metric, and never as of now when it is not."""

from __future__ import annotations

import pytest

from mailtop.derive.blocks import as_of, block, block_alerts, figure_words, glances
from mailtop.model.board import Block, Figure, Line, Metric, Table
from mailtop.model.sample import Kind, Sample
from mailtop.model.snapshot import Health, ProbeState, Reading
from mailtop.model.text import Foreign

USED = Metric("disk_used_ratio", "used", "%", warn=0.8, crit=0.9)
UP = Metric("clamd_up", "up", crit=0.0, falls=True)
READ = Metric("bytes_read_total", "read", "B")
OK = ProbeState("mail1/clamav", "clamd", Health.OK, last_ok=100.0, every=10.0)


def figures(*samples: Sample, rate: float | None = None) -> list[tuple[str, float | None, str, str]]:
    made = block("mail1", "disk", "disk", (USED, UP, READ), samples, lambda key: rate, 100.0)
    return [(one.of, one.reading.value, one.unit, one.reading.health.value) for one in made.figures]


def test_each_sample_is_judged_by_its_metric_and_others_are_not_shown() -> None:
    mounts = [Sample("disk_used_ratio", value, (("mount", mount),)) for mount, value in (("/", 0.5), ("/var", 0.93))]

    assert figures(*mounts, Sample("clamd_up", 0.0), Sample("something_else", 3.0)) == [
        ("/", 50.0, "%", "ok"),
        ("/var", 93.0, "%", "crit"),
        ("", 0.0, "", "crit"),
    ]


def test_a_total_is_a_rate_and_not_known_before_its_second_reading() -> None:
    total = Sample("bytes_read_total", 4e6, kind=Kind.TOTAL)

    assert figures(total) == [("", None, "B/s", "unknown")]
    assert figures(total, rate=250.0) == [("", 250.0, "B/s", "ok")]


def test_a_block_is_as_bad_as_its_worst_figure_or_row_and_a_rate_to_come_is_no_trouble() -> None:
    row = Table("replicas", ("name",), (Line((Foreign(b"db2"),), Health.WARN),))
    made = [
        block("t", "p", "", (USED,), [Sample("disk_used_ratio", 0.1)], lambda key: None, 1.0),
        block("t", "p", "", (READ,), [Sample("bytes_read_total", 1, kind=Kind.TOTAL)], lambda key: None, 1.0),
        block("t", "p", "", (USED,), [Sample("disk_used_ratio", 0.1), row], lambda key: None, 1.0),
    ]

    assert [one.health for one in made] == [Health.OK, Health.OK, Health.WARN]


@pytest.mark.parametrize(
    ("state", "now", "lost", "expected"),
    [
        (OK, 110.0, "", (Health.CRIT, False, "")),
        (OK, 126.0, "", (Health.UNKNOWN, True, "late")),
        (OK, 110.0, "mail1: no connection", (Health.UNKNOWN, True, "mail1: no connection")),
        (ProbeState("t", "p", Health.DENIED, 100.0, every=10.0, note="no right"), 101.0, "",
         (Health.DENIED, True, "no right")),
        (ProbeState("t", "p", Health.UNKNOWN, 100.0, every=10.0, note="it hangs"), 101.0, "",
         (Health.UNKNOWN, True, "it hangs")),
    ],
)  # fmt: skip
def test_what_is_late_lost_denied_or_failing_is_no_health_of_now(
    state: ProbeState, now: float, lost: str, expected: tuple[Health, bool, str]
) -> None:
    made = block("t", "p", "", (UP,), [Sample("clamd_up", 0.0)], lambda key: None, 100.0)
    then = as_of(made, state, now, lost)

    assert (then.health, then.stale, then.note) == expected
    assert [figure.reading.value for figure in then.figures] == [0.0]
    assert all(figure.reading.stale is expected[1] for figure in then.figures)


def test_what_was_ok_is_unknown_once_it_is_old() -> None:
    made = block("t", "p", "", (USED,), [Sample("disk_used_ratio", 0.1)], lambda key: None, 100.0)

    assert as_of(made, OK, 500.0).figures[0].reading.health is Health.UNKNOWN


def test_an_alert_for_each_figure_of_now_that_is_wrong_and_none_for_an_old_one() -> None:
    mounts = [Sample("disk_used_ratio", value, (("mount", mount),)) for mount, value in (("/", 0.5), ("/var", 0.93))]
    made = block("mail1", "host_disk", "", (USED,), mounts, lambda key: None, 100.0)
    (alert,) = block_alerts([made], lambda probe: "hosts")

    assert (alert.rule, alert.target, alert.health, alert.see) == (
        "disk_used_ratio", "mail1 /var", Health.CRIT, "hosts",
    )  # fmt: skip
    assert alert.summary == "mail1 /var: used 93 %"
    assert not list(block_alerts([as_of(made, OK, 500.0)], lambda probe: "hosts"))


def test_at_a_glance_the_worst_of_all_targets_or_their_sum() -> None:
    fill = Metric("disk_used_ratio", "used", "%", warn=0.8, glance="disks")
    left = Metric("left_ratio", "left", "%", warn=0.2, falls=True, glance="left")
    failed = Metric("failed", "failed", warn=9, glance="failed", adds=True)
    metrics = {"p": (fill, left, failed)}

    def one(target: str, *values: float) -> Block:
        names = zip(("disk_used_ratio", "left_ratio", "failed"), values, strict=True)
        samples = [Sample(name, value) for name, value in names]
        return block(target, "p", "", metrics["p"], samples, lambda key: None, 1.0)

    found = glances([one("a", 0.5, 0.5, 3), one("b", 0.85, 0.4, 4)], metrics)

    assert [(figure.label, figure.of, figure.reading.value, figure.reading.health.value) for figure in found] == [
        ("disks", "b", 85.0, "warn"),
        ("left", "b", 40.0, "ok"),
        ("failed", "", 7.0, "ok"),
    ]
    assert not glances([], metrics)
    blind = Block("c", "p", "", Health.DENIED, stale=True, note="no right")
    lacking = glances([one("a", 0.85, 0.5, 3), blind], metrics)
    assert [(figure.of, figure.reading.value, figure.reading.health.value) for figure in lacking] == [
        ("a", 85.0, "warn"),
        ("c", None, "denied"),
        ("", 3.0, "denied"),
    ]


@pytest.mark.parametrize(
    ("value", "unit", "words"),
    [(0.0, "", "0"), (1.25, "", "1.25"), (93.0, "%", "93 %"), (1.2e9, "B", "1.2 GB"), (660.0, "s", "11 min"),
     (0.25, "/s", "0.25 /s"), (None, "%", "not known")],
)  # fmt: skip
def test_a_figure_in_words(value: float | None, unit: str, words: str) -> None:
    assert figure_words(Figure("m", "l", unit=unit, reading=Reading(value, Health.OK))) == words
