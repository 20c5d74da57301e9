"""docs/metrics.md is what the probes declare: `METRICS=write` writes it anew."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from mailtop.engine import flowing
from mailtop.model.board import Metric
from mailtop.model.topology import Role
from mailtop.probe import Probe, probes

FILE = Path(__file__).parents[2] / "docs" / "metrics.md"
HEAD = """# What mailtop measures

Generated from what the probes declare. `warn` and `crit`: from there on (`≤`: at and below); `—`: shown, not judged.
Shares are 0 … 1. A counter (`_total`) is shown as its growth a second. While
nobody looks at a screen, what stands on it alone is asked a third as often.
"""
FLOW = Probe(flowing.NAME, Role.MTA, lambda target: iter(()), flowing.EVERY, board=flowing.BOARD)  # type: ignore[arg-type, return-value]
"""As if it were a probe: the book of each Postfix tells it."""
BOARDS = [*(probe for probe in probes() if probe.board is not None), FLOW]


def limit(metric: Metric, at: float | None) -> str:
    return "—" if at is None else f"{'≤ ' if metric.falls else ''}{at:g}"


def lines() -> Iterator[str]:
    yield HEAD
    for screen in sorted({probe.board.screen for probe in BOARDS if probe.board}):
        yield f"## {screen.capitalize()}\n"
        yield "| metric | shown as | warn | crit | what it tells | probe | every |"
        yield "|---|---|---|---|---|---|---|"
        for probe in BOARDS:
            if probe.board and probe.board.screen == screen:
                yield from (row(probe, metric) for metric in probe.board.metrics)
        yield ""


def row(probe: Probe, metric: Metric) -> str:
    limits = f"{limit(metric, metric.warn)} | {limit(metric, metric.crit)}"
    return f"| `{metric.name}` | {metric.label} | {limits} | {metric.means} | {probe.name} | {probe.every:g} s |"


def test_the_documentation_is_what_is_declared() -> None:
    text = "\n".join(lines())
    if os.environ.get("METRICS") == "write":
        FILE.write_text(text, "utf-8")
    assert FILE.read_text("utf-8") == text


@pytest.mark.parametrize("probe", BOARDS, ids=lambda probe: probe.name)
def test_a_metric_says_what_it_tells_and_its_limits_are_in_order(probe: Probe) -> None:
    assert probe.board is not None
    for metric in probe.board.metrics:
        assert metric.means, metric.name
        assert len(metric.label) <= 16, metric.label
        if metric.warn is not None and metric.crit is not None:
            assert metric.warn >= metric.crit if metric.falls else metric.warn <= metric.crit, metric.name
