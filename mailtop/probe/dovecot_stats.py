"""What a Dovecot is, how long it runs, and what it counts: version, master.pid, `doveadm stats dump`."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from mailtop.model.ask import Answer, Asking, Command
from mailtop.model.sample import Fact, Kind, Sample
from mailtop.model.text import Foreign, shown
from mailtop.model.topology import Role, Target
from mailtop.parse import dovecot
from mailtop.probe import Board, Found, Metric, Needs, Probe

METRICS = 30  # a series each: an administrator may have hundreds
AUTHS = {  # what the documentation's own examples are called; a metric's filter is not told
    b"auth_success": "ok",
    b"auth_successes": "ok",
    b"auth_failure": "failed",
    b"auth_failures": "failed",
    b"auth_failed": "failed",
}

_VERSION = Command(("dovecot", "--version"), lasts=600.0)
_STATS = Command(("doveadm", "-f", "tab", "stats", "dump"))
_STARTED = Command(("stat", "-c", "%Y", "/run/dovecot/master.pid"))  # the master writes it once, at its start
_NOW = Command(("date", "+%s"))


def run(target: Target) -> Asking[Iterable[Found]]:  # noqa: ARG001 — the same question to all
    """Ask for the version, the counters, and for two times."""
    version = (yield _VERSION).ok("dovecot").strip()
    rows = dovecot.table("doveadm stats dump", (yield _STATS), b"metric_name", b"field", b"count", b"sum")
    started = yield _STARTED
    now = yield _NOW
    return Fact("dovecot_version", shown(Foreign(version), 60)), *_uptime(started, now), *_counts(rows)


def _uptime(started: Answer, now: Answer) -> Iterator[Sample]:
    """Yield seconds since the master's start; nothing where `base_dir` is another."""
    if started.exit == 0:
        seconds = (dovecot.number("clock", answer.ok("clock").strip()) for answer in (now, started))
        yield Sample("dovecot_uptime_seconds", max(0, next(seconds) - next(seconds)))


def _counts(rows: list[tuple[bytes, ...]]) -> Iterator[Found]:
    """Yield how often each event happened since the start, and the seconds that it took in all."""
    thing = "doveadm stats dump"
    if not rows:
        yield Fact("dovecot_metrics", "none configured: Dovecot counts only what a metric in its settings names")
    for name, count, micros in _whole(rows)[:METRICS]:
        labels = (("metric", shown(Foreign(name), 60)),)
        counted = dovecot.number(thing, count)
        if name in AUTHS:
            yield Sample("dovecot_auths_total", counted, (("result", AUTHS[name]),), Kind.TOTAL)
        else:
            yield Sample("dovecot_events_total", counted, labels, Kind.TOTAL)
        yield Sample("dovecot_events_seconds_total", dovecot.number(thing, micros) / 1e6, labels, Kind.TOTAL)


def _whole(rows: list[tuple[bytes, ...]]) -> list[tuple[bytes, bytes, bytes]]:
    """Return the metrics without the parts that `group_by` makes of them, `NAME_VALUE`, which follow their whole.

    There is no end to those: one may be a user's name.
    """
    whole: list[tuple[bytes, bytes, bytes]] = []
    for name, field, count, micros in rows:
        part = whole and name.startswith(whole[-1][0] + b"_") and name not in AUTHS
        if field == b"duration" and not part:
            whole.append((name, count, micros))
    return whole


BOARD = Board(
    "sessions",
    "dovecot",
    (
        Metric("dovecot_uptime_seconds", "up", "s", means="since the master process started"),
        Metric(
            "dovecot_auths_total",
            "auths",
            means="answers to logins, SMTP's too, where metrics auth_success and auth_failures are configured",
        ),
        Metric("dovecot_events_total", "events", means="what a configured metric counts"),
    ),
    order=30,
)

PROBE = Probe(
    "dovecot_stats",
    Role.IMAP,
    run,
    every=30.0,
    needs=Needs(binary=("dovecot", "doveadm"), root=True, sudo="doveadm"),
    board=BOARD,
)
