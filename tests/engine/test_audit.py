"""The audit file: on disk before anything is sent, readable by its owner only."""

from __future__ import annotations

from pathlib import Path

import pytest

from mailtop.engine.audit import AuditLog
from mailtop.model.errors import Refused


def test_facts_come_back_in_order_and_only_the_owner_reads_them(tmp_path: Path) -> None:
    log = AuditLog(tmp_path / "state" / "audit.jsonl")

    log.write({"fact": "intent", "by": "ann"})
    log.write({"fact": "outcome", "by": "ann", "said": "caf\udce9 \x1b[31m"})

    assert [fact["fact"] for fact in log.read()] == ["intent", "outcome"]
    assert log.path.stat().st_mode & 0o777 == 0o600
    assert log.path.parent.stat().st_mode & 0o777 == 0o700
    assert b"\x1b" not in log.path.read_bytes()


def test_a_line_cut_off_by_a_crash_hides_no_other(tmp_path: Path) -> None:
    log = AuditLog(tmp_path / "audit.jsonl")
    log.write({"fact": "one"})
    log.path.write_bytes(log.path.read_bytes() + b'{"fact": "tw\n')
    log.write({"fact": "three"})

    assert [fact["fact"] for fact in log.read()] == ["one", "three"]


def test_what_cannot_be_written_stops_the_act(tmp_path: Path) -> None:
    blocked = tmp_path / "file"
    blocked.write_text("")

    with pytest.raises(Refused, match="nothing was sent"):
        AuditLog(blocked / "audit.jsonl").write({})


def test_a_half_written_line_swallows_no_later_fact(tmp_path: Path) -> None:
    log = AuditLog(tmp_path / "audit.jsonl")
    log.path.write_bytes(b'{"fact": "one"}\n{"fact": "tw')

    log.write({"fact": "three"})

    assert [fact["fact"] for fact in log.read()] == ["one", "three"]
