"""docs/metrics.md is what the probes declare, and which test of the lab proves each limit: `METRICS=write` writes it.

A test proves a metric by `@pytest.mark.proves("clamd_up", "clamd_queue")`: it drives the real service past the limits
of that metric and back. It is read from the source of tests/truth; nothing there is imported.
"""

from __future__ import annotations

import ast
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from mailtop.derive.platform import derived
from mailtop.engine import flowing
from mailtop.model.board import Metric
from mailtop.model.topology import Role
from mailtop.probe import Board, Listener, Probe, listeners, probes

FILE = Path(__file__).parents[2] / "docs" / "metrics.md"
TRUTH = Path(__file__).parents[1] / "truth"
HEAD = """# What mailtop measures

Generated from what the probes declare. `warn` and `crit`: from there on (`≤`: at and below); `—`: shown, not judged.
Shares are 0 … 1. A counter (`_total`) is shown as its growth a second. While
nobody looks at a screen, what stands on it alone is asked once a minute at most, and at
a third of its pace. `proven by`: the test that drives the real service past these limits and back.
"""
ITS_LOG = "its window of minutes has to pass before it is well again: played from lines of logs"
OF_THE_MACHINE = "it would have to be taken from the machine, under everything else that runs there"
NOT_WRITTEN = "no test of it is written yet"
NO_SYSTEMD = "no host of the lab has systemd"
DAYS = "it would have to grow for an hour at least: tests/metrics play it"
UNPROVEN = {
    "amavis_scan_seconds": ITS_LOG,
    "amavis_scanners_failed": ITS_LOG,
    "amavis_unchecked": ITS_LOG,
    "bayes_learned": NOT_WRITTEN,
    "clock_offset_seconds": OF_THE_MACHINE,
    "clock_synchronised": OF_THE_MACHINE,
    "container_dead": "only a fault of Docker's own makes one",
    "dns_seconds": NOT_WRITTEN,
    "dovecot_deliveries_failed": ITS_LOG,
    "dovecot_errors": ITS_LOG,
    "dovecot_failed_logins": ITS_LOG,
    "dovecot_failed_of_one": ITS_LOG,
    "dovecot_limits_reached": ITS_LOG,
    "dovecot_lock_errors": ITS_LOG,
    "dovecot_service_throttle_seconds": NOT_WRITTEN,
    "dovecot_sieve_failures": ITS_LOG,
    "dovecot_user_limit_refusals": ITS_LOG,
    "filesystem_bytes_full_seconds": DAYS,
    "filesystem_inodes_full_seconds": DAYS,
    "filesystem_used_inodes_ratio": NOT_WRITTEN,
    "galera_connected": NOT_WRITTEN,
    "galera_flow_control_paused_seconds_total": NOT_WRITTEN,
    "galera_histories": NOT_WRITTEN,
    "galera_receive_queue_average": NOT_WRITTEN,
    "galera_synced": NOT_WRITTEN,
    "host_cpu_share_seconds_total": OF_THE_MACHINE,
    "host_memory_used_ratio": OF_THE_MACHINE,
    "host_swap_used_ratio": OF_THE_MACHINE,
    "host_units_failed": NO_SYSTEMD,
    "keepalived_up": NOT_WRITTEN,
    "page_answer_seconds": NOT_WRITTEN,
    "page_answers": NOT_WRITTEN,
    "piler_store_full_seconds": DAYS,
    "port_answer_seconds": NOT_WRITTEN,
    "postfix_active_ratio": NOT_WRITTEN,
    "postfix_clear_submissions": ITS_LOG,
    "postfix_corrupt_messages": NOT_WRITTEN,
    "postfix_failing_ratio": ITS_LOG,
    "postfix_first_attempt_seconds": ITS_LOG,
    "postfix_loops": ITS_LOG,
    "postfix_process_limit": ITS_LOG,
    "postfix_tempfail_minutes": ITS_LOG,
    "postfix_throttled": ITS_LOG,
    "proxy_failed_ratio": ITS_LOG,
    "proxy_request_seconds": ITS_LOG,
    "resolver_seconds": NOT_WRITTEN,
    "spamd_full": ITS_LOG,
    "spamd_scan_seconds": ITS_LOG,
}
"""What is judged and what no test of the lab drives, and why not."""
FLOW = Probe(flowing.NAME, Role.MTA, lambda target: iter(()), flowing.EVERY, board=flowing.BOARD)  # type: ignore[arg-type, return-value]
"""As if it were a probe: the book of each Postfix tells it."""
WITH_BOARDS: tuple[Probe | Listener, ...] = (*probes(), *listeners(), FLOW)
BOARDS = [(one.board, one) for one in WITH_BOARDS if one.board is not None]
METRICS = [
    *(one for board, _ in BOARDS for one in board.metrics),
    *(one for whole in derived() for one in whole.metrics),
]
JUDGED = {one.name for one in METRICS if any(limit is not None for limit in (one.warn, one.crit, one.exactly))}


def limit(metric: Metric, at: float | None) -> str:
    return "—" if at is None else f"{'≤ ' if metric.falls else ''}{at:g}"


def lines() -> Iterator[str]:
    yield HEAD
    for screen in sorted({board.screen for board, _ in BOARDS}):
        yield f"## {screen.capitalize()}\n"
        yield "| metric | shown as | warn | crit | what it tells | probe | every | proven by |"
        yield "|---|---|---|---|---|---|---|---|"
        for board, one in BOARDS:
            if board.screen == screen:
                every = f"{one.every:g} s" if isinstance(one, Probe) else "its log"
                yield from (row(one.name, every, metric) for metric in board.metrics)
        for whole in derived():
            if whole.screen == screen:
                yield from (row(", ".join(whole.of), "each time", metric) for metric in whole.metrics)
        yield ""


def row(of: str, every: str, metric: Metric) -> str:
    crit = limit(metric, metric.crit) if metric.exactly is None else f"≠ {metric.exactly:g}"
    limits = f"{limit(metric, metric.warn)} | {crit}"
    return f"| `{metric.name}` | {metric.label} | {limits} | {metric.means} | {of} | {every} | {proof(metric)} |"


def proof(metric: Metric) -> str:
    if metric.name not in JUDGED:
        return ""
    tests = PROOFS.get(metric.name, [])
    links = [f"[{test.replace('_', ' ')}](../tests/truth/{file})" for file, test in tests]
    return ", ".join(links) or f"not: {UNPROVEN.get(metric.name, '')}"


def proofs() -> dict[str, list[tuple[str, str]]]:
    """Return the tests that prove each metric: files of tests/truth, and names without `test_`."""
    found: dict[str, list[tuple[str, str]]] = {}
    for path in sorted(TRUTH.glob("test_*.py")):
        for test in ast.parse(path.read_text("utf-8")).body:
            if isinstance(test, ast.FunctionDef | ast.AsyncFunctionDef) and test.name.startswith("test_"):
                for metric in proven(test):
                    found.setdefault(metric, []).append((path.name, test.name.removeprefix("test_")))
    return found


def proven(test: ast.FunctionDef | ast.AsyncFunctionDef) -> Iterator[str]:
    """Yield the metrics of a test's `@pytest.mark.proves(…)`, which must stand there word for word."""
    for mark in test.decorator_list:
        if isinstance(mark, ast.Call) and ast.unparse(mark.func) == "pytest.mark.proves":
            yield from (str(ast.literal_eval(one)) for one in mark.args)


PROOFS = proofs()


def test_every_limit_is_proven_on_the_real_service_or_it_is_said_why_not() -> None:
    told = PROOFS.keys() | UNPROVEN.keys()
    assert not JUDGED - told, "have limits, and no test in tests/truth is marked pytest.mark.proves(…) for them"
    assert not told - JUDGED, "are told to be proven, and have no limits"
    assert not PROOFS.keys() & UNPROVEN.keys(), "are proven: strike them from UNPROVEN"


def test_the_documentation_is_what_is_declared() -> None:
    text = "\n".join(lines())
    if os.environ.get("METRICS") == "write":
        FILE.write_text(text, "utf-8")
    assert FILE.read_text("utf-8") == text


@pytest.mark.parametrize("board", [board for board, _ in BOARDS], ids=[one.name for _, one in BOARDS])
def test_a_metric_says_what_it_tells_and_its_limits_are_in_order(board: Board) -> None:
    for metric in board.metrics:
        assert metric.means, metric.name
        assert len(metric.label) <= 16, metric.label
        if metric.warn is not None and metric.crit is not None:
            assert metric.warn >= metric.crit if metric.falls else metric.warn <= metric.crit, metric.name
