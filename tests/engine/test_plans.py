"""Plans over several hosts, containers made anew under a plan, long receipts, and whom the audit names."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from mailtop.cli import _operator
from mailtop.config import HostSettings, PlatformSettings, Settings
from mailtop.engine.audit import AuditLog
from mailtop.engine.clock import SystemClock
from mailtop.engine.engine import Engine
from mailtop.engine.receipts import TOLD
from mailtop.model.ask import Answer, Look, Put, Source
from mailtop.model.errors import Missing, Refused, TimedOut
from mailtop.model.operation import Approval, Fate, Selection
from mailtop.report.ready import first_reading
from tests.engine.mail_host import MailHost, Message

ALL = Selection(where="sender:news@shop.example")


@asynccontextmanager
async def watching(folder: Path, operator: str = "ann", **hosts: MailHost) -> AsyncIterator[Engine]:
    """An engine that has listed the queues of these hosts, unlocked."""
    settings = Settings(PlatformSettings("example.com"), {name: HostSettings() for name in hosts}, interval=0.05)

    def source(host: MailHost) -> Callable[[], Source]:
        return lambda: host

    sources = {name: source(host) for name, host in hosts.items()}
    engine = Engine(settings, sources, SystemClock(), operator=operator, audit=AuditLog(folder / "audit.jsonl"))
    await engine.start()
    try:
        await first_reading(engine, listing=True)
        await engine.unlock(900)
        yield engine
    finally:
        await engine.close()


def some(*ids: str) -> dict[str, Message]:
    return {number: Message() for number in ids}


# hosts


async def test_a_host_that_does_not_answer_is_left_out_of_the_plans_and_that_is_said(tmp_path: Path) -> None:
    one = MailHost(some("4jYVfP5TPXzDGrB"))
    other = MailHost(some("4jYVfP5TPXzDGrC", "4jYVfP5TPXzDGrD"), engine_id="ENGINE-2")
    async with watching(tmp_path, mail1=one, mail2=other) as engine:
        other.always["/info"] = TimedOut("mail2", "no answer within 10 s")

        (preview,) = await engine.plan("queue.hold", ALL)
        receipt = await engine.approve(Approval(preview.plan, "ann"))

    assert (preview.target, preview.count) == ("mail1/postfix", 1)
    assert preview.warnings == ("Left out: mail2: no answer within 10 s.",)
    assert receipt.ok
    assert (len(one.sent), other.sent) == (1, [])


async def test_where_no_host_answers_there_is_no_plan_but_the_reason(tmp_path: Path) -> None:
    one, other = MailHost(some("4jYVfP5TPXzDGrB")), MailHost(some("4jYVfP5TPXzDGrC"), engine_id="ENGINE-2")
    async with watching(tmp_path, mail1=one, mail2=other) as engine:
        one.always["/info"] = TimedOut("mail1", "no answer within 10 s")
        other.always["/info"] = TimedOut("mail2", "no answer within 10 s")

        with pytest.raises(TimedOut, match="mail1: no answer"):
            await engine.plan("queue.hold", ALL)


# containers


class Remade(MailHost):
    """Its container is made anew under the same name, as soon as the act has looked at its ids again."""

    def ask(self, container: str, ask: Look | Put, by: str = "") -> Answer:
        if container not in ("", self.name, self.container_id):
            raise Missing(f"mail1/{container[:12]}", "No such container")
        answer = super().ask(container, ask, by)
        if by == "re-read":
            self.container_id = "d" * 64
        return answer


async def test_a_container_made_anew_after_the_last_look_gets_nothing_of_the_plan(tmp_path: Path) -> None:
    host = Remade(some("4jYVfP5TPXzDGrB", "4jYVfP5TPXzDGrC"))
    async with watching(tmp_path, mail1=host) as engine:
        (preview,) = await engine.plan("queue.hold", ALL)
        receipt = await engine.approve(Approval(preview.plan, "ann"))

    assert host.container_id == "d" * 64
    assert host.sent == []
    assert not receipt.ok
    assert receipt.count(Fate.DONE) == 0
    assert receipt.error == f"mail1/{'c' * 12}: No such container"


# receipts


async def test_a_long_receipt_is_cut_short_in_a_snapshot_and_its_counts_are_whole(tmp_path: Path) -> None:
    gone, left = TOLD + 30, 5
    host = MailHost(some(*(f"4jYVfP5TPXzD{number:03d}" for number in range(gone + left))))
    async with watching(tmp_path, mail1=host) as engine:
        (preview,) = await engine.plan("queue.hold", ALL)
        for number in list(host.messages)[:gone]:
            del host.messages[number]
        receipt = await engine.approve(Approval(preview.plan, "ann"))
        async for snapshot in engine.snapshots():
            if snapshot.receipts:
                break
        (shown,) = snapshot.receipts

    assert len(receipt.outcomes) == gone + left
    assert [outcome.fate for outcome in shown.outcomes] == [Fate.GONE] * TOLD
    assert (shown.count(Fate.GONE), shown.count(Fate.DONE)) == (gone, left)
    outcome = json.loads((tmp_path / "audit.jsonl").read_text().splitlines()[-1])
    assert len(outcome["outcomes"]) == gone + left


# who


async def test_the_audit_names_who_stands_behind_sudo(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOGNAME", "root")
    monkeypatch.setenv("SUDO_USER", "ann")
    async with watching(tmp_path, _operator(), mail1=MailHost(some("4jYVfP5TPXzDGrB"))) as engine:
        (preview,) = await engine.plan("queue.hold", ALL)
        receipt = await engine.approve(Approval(preview.plan, by="whoever the face says"))

    facts = [json.loads(line) for line in (tmp_path / "audit.jsonl").read_text().splitlines()]
    assert [fact["by"] for fact in facts] == ["root (sudo by ann)"] * 2
    assert receipt.by == "root (sudo by ann)"


def test_without_sudo_the_audit_names_the_login(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOGNAME", "ann")
    monkeypatch.delenv("SUDO_USER", raising=False)

    assert _operator() == "ann"


# parts of an act, and what an act is about


def many(count: int) -> dict[str, Message]:
    return some(*(f"4jYVfP5TPXz{number:04}" for number in range(count)))


async def test_a_retry_goes_in_parts_and_stays_open_until_the_log_tells(tmp_path: Path) -> None:
    host = MailHost(many(60))
    async with watching(tmp_path, mail1=host) as engine:
        (preview,) = await engine.plan("queue.retry", ALL)
        receipt = await engine.approve(Approval(preview.plan, "ann", "60"))

    assert [len(put.stdin.split()) for put in host.sent] == [50, 10]
    assert receipt.ended - receipt.at >= 1.0
    assert (receipt.ok, receipt.open, receipt.count(Fate.UNDER_WAY)) == (True, True, 60)


async def test_a_retry_that_loses_its_host_in_the_middle_says_so_and_sends_no_more(tmp_path: Path) -> None:
    host = MailHost(many(120))
    async with watching(tmp_path, mail1=host) as engine:
        (preview,) = await engine.plan("queue.retry", ALL)
        host.before_put = lambda: host.faults.update(xargs=TimedOut("mail1/postfix", "no answer within 60 s"))
        receipt = await engine.approve(Approval(preview.plan, "ann", "120"))

    assert len(host.sent) == 1
    assert (receipt.ok, receipt.open) == (False, True)
    assert receipt.error == "mail1/postfix: no answer within 60 s"


async def test_a_restore_needs_a_receipt_and_an_act_on_a_whole_queue_no_choice(tmp_path: Path) -> None:
    host = MailHost(some("4jYVfP5TPXzDGrB"))
    async with watching(tmp_path, mail1=host) as engine:
        with pytest.raises(Refused, match="needs its receipt"):
            await engine.plan("queue.restore", ALL)
        (preview,) = await engine.plan("queue.flush", Selection(everything=True))
        assert (preview.count, preview.typed) == (0, "mail1")
        with pytest.raises(Refused, match="was not approved"):
            await engine.approve(Approval(preview.plan, "ann", "0"))
        receipt = await engine.approve(Approval(preview.plan, "ann", "mail1"))

    assert [(put.argv, put.stdin) for put in host.sent] == [(("postqueue", "-f"), b"")]
    assert (receipt.ok, receipt.open, receipt.undo) == (True, False, "")
