"""The whole engine on a mail host that never was: what it shows, and what it does through the only door."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import AsyncIterator, Callable
from functools import partial
from pathlib import Path
from typing import cast

import pytest

from mailtop.config import HostSettings, PlatformSettings, Settings
from mailtop.engine.audit import AuditLog
from mailtop.engine.clock import SystemClock
from mailtop.engine.engine import Engine
from mailtop.model.ask import Source
from mailtop.model.errors import Denied, LinkLost, Refused, TimedOut, Unreachable, UsageError
from mailtop.model.mail import Key, Queue, QueueId
from mailtop.model.operation import Approval, Fate, Preview, Selection
from mailtop.model.snapshot import Health, Link, PageAsk, QueueState, Reading, Snapshot
from mailtop.report.ready import first_reading
from tests.engine.mail_host import ARRIVED, MailHost, Message

POSTFIX = "mail1/postfix"
ALL = Selection(where="sender:news@shop.example")


@pytest.fixture
def host() -> MailHost:
    return MailHost({f"4jYVfP5TPXzDGr{n}": Message() for n in "BCDFG"})


@pytest.fixture
async def engine(host: MailHost, tmp_path: Path) -> AsyncIterator[Engine]:
    engine = watching(host, tmp_path)
    await engine.start()
    await first_reading(engine, listing=True)
    yield engine
    await engine.close()


def watching(host: MailHost, folder: Path, *, read_only: bool = False) -> Engine:
    settings = Settings(PlatformSettings("example.com"), {"mail1": HostSettings()}, interval=0.05)
    audit = AuditLog(folder / "audit.jsonl")
    why = "mailtop was started with --read-only" if read_only else ""
    return Engine(settings, {"mail1": lambda: host}, SystemClock(), operator="ann", audit=audit, read_only=why)


async def until(engine: Engine, condition: Callable[[Snapshot], bool]) -> Snapshot:
    """The first snapshot for which a condition holds, within 10 s."""
    async with asyncio.timeout(10):
        async for snapshot in engine.snapshots():
            if condition(snapshot):
                return snapshot
    raise AssertionError("the engine ended")


def count(queue: QueueState, name: str) -> Reading:
    return dict(queue.counts)[name]


async def held(engine: Engine, selection: Selection = ALL) -> tuple[Preview, list[Fate]]:
    (preview,) = await engine.plan("queue.hold", selection)
    await engine.unlock(900)
    receipt = await engine.approve(Approval(preview.plan, "ann"))
    return preview, [outcome.fate for outcome in receipt.outcomes]


async def test_the_queue_is_counted_listed_and_grouped_by_its_cause(engine: Engine) -> None:
    snapshot = await until(engine, lambda snapshot: bool(snapshot.queues and snapshot.queues[0].listed))

    assert count(snapshot.queues[0], "deferred").value == 5
    assert count(snapshot.queues[0], "hold").value == 0
    (cause,) = (await engine.page(PageAsk("causes"))).causes
    assert (cause.deferred, cause.sender, cause.oldest) == (5, b"news@shop.example", ARRIVED)
    assert cause.reason.endswith(b"rate limited (S775)")
    assert (await engine.page(PageAsk("messages", cause=cause.id))).total == 5
    assert (await engine.page(PageAsk("shape"))).shapes[0].domain == b"outlook.test"


async def test_a_hold_is_sent_once_read_back_and_audited_before(engine: Engine, host: MailHost, tmp_path: Path) -> None:
    facts: list[str] = []
    host.before_put = lambda: facts.append((tmp_path / "audit.jsonl").read_text())

    preview, fates = await held(engine)

    assert preview.count == 5
    assert preview.commands[0].argv == ("postsuper", "-h", "-")
    assert fates == [Fate.DONE] * 5
    assert [put.argv for put in host.sent] == [("postsuper", "-h", "-")]
    assert sorted(host.sent[0].stdin.decode().split()) == sorted(host.messages)
    assert json.loads(facts[0])["fact"] == "intent"  # on disk when it was sent
    story = [json.loads(line)["fact"] for line in (tmp_path / "audit.jsonl").read_text().splitlines()]
    assert story == ["intent", "outcome"]


async def test_observe_refuses_and_a_dry_run_sends_nothing(engine: Engine, host: MailHost) -> None:
    (preview,) = await engine.plan("queue.hold", ALL)

    with pytest.raises(Refused, match="mailtop observes; unlock it with :operate"):
        await engine.approve(Approval(preview.plan, "ann"))
    receipt = await engine.approve(Approval(preview.plan, "ann", dry_run=True))

    assert receipt.ok
    assert receipt.count(Fate.DONE) == 5
    assert host.sent == []


async def test_read_only_cannot_be_unlocked(host: MailHost, tmp_path: Path) -> None:
    engine = watching(host, tmp_path, read_only=True)

    with pytest.raises(Refused, match="--read-only"):
        await engine.unlock(900)
    await engine.close()


@pytest.mark.parametrize(
    ("change", "said"),
    [("engine_id", "another machine answers to its name"), ("container_id", "the container was re-created")],
)
async def test_another_machine_or_container_is_not_acted_on(
    engine: Engine, host: MailHost, change: str, said: str
) -> None:
    (preview,) = await engine.plan("queue.hold", ALL)
    await engine.unlock(900)
    setattr(host, change, "d" * 64)

    with pytest.raises(Refused, match=said):
        await engine.approve(Approval(preview.plan, "ann"))
    assert host.sent == []


async def test_ids_that_left_or_mean_another_message_are_dropped_and_told(engine: Engine, host: MailHost) -> None:
    (preview,) = await engine.plan("queue.hold", ALL)
    gone, reused, *_ = list(host.messages)
    del host.messages[gone]
    host.messages[reused] = Message(sender="other@example.com")
    await engine.unlock(900)

    receipt = await engine.approve(Approval(preview.plan, "ann"))

    fates = {outcome.id: outcome.fate for outcome in receipt.outcomes}
    assert (fates[QueueId(gone)], fates[QueueId(reused)]) == (Fate.GONE, Fate.CHANGED)
    assert receipt.count(Fate.DONE) == 3
    assert not {gone, reused} & set(host.sent[0].stdin.decode().split())


async def test_an_approval_is_good_for_one_act(engine: Engine, host: MailHost) -> None:
    preview, _ = await held(engine)

    with pytest.raises(Refused, match="carried out already"):
        await engine.approve(Approval(preview.plan, "ann"))
    assert len(host.sent) == 1


async def test_what_sends_mail_wants_the_count_typed(engine: Engine, host: MailHost) -> None:
    await held(engine)
    await until(engine, lambda snapshot: count(snapshot.queues[0], "hold").value == 5)
    (preview,) = await engine.plan("queue.release", ALL)

    assert preview.typed == "5"
    with pytest.raises(Refused, match="type 5"):
        await engine.approve(Approval(preview.plan, "ann", typed="4"))
    receipt = await engine.approve(Approval(preview.plan, "ann", typed="5"))
    assert receipt.count(Fate.DONE) == 5
    assert host.count("deferred") == 5


async def test_undo_touches_only_what_the_act_changed(engine: Engine, host: MailHost) -> None:
    first = next(iter(host.messages))
    host.messages[first].queue = "hold"  # by somebody else, before
    await engine.refresh(POSTFIX, "listing")
    await until(engine, lambda snapshot: count(snapshot.queues[0], "hold").value == 1)
    _, fates = await held(engine)
    assert sorted(fates) == [Fate.DONE] * 4 + [Fate.REFUSED]
    snapshot = await until(engine, lambda snapshot: bool(snapshot.receipts))

    (preview,) = await engine.undo(snapshot.receipts[-1].id)
    receipt = await engine.approve(Approval(preview.plan, "ann", typed=preview.typed))

    assert receipt.count(Fate.DONE) == 4
    assert host.messages[first].queue == "hold"
    with pytest.raises(Refused, match="taken back already"):
        await engine.undo(snapshot.receipts[-1].id)


async def test_receipts_outlive_the_engine_in_the_audit_file(host: MailHost, tmp_path: Path) -> None:
    first = watching(host, tmp_path)
    await first.start()
    await first_reading(first, listing=True)
    await held(first)
    await first.close()
    second = watching(host, tmp_path)
    await second.start()
    snapshot = await first_reading(second, listing=True)

    (preview,) = await second.undo(snapshot.receipts[-1].id)

    assert (preview.action, preview.count) == ("queue.release", 5)
    await second.close()


async def test_mail_in_delivery_keeps_the_receipt_open_until_the_log_decides(engine: Engine, host: MailHost) -> None:
    leaving, staying, *_ = list(host.messages)
    host.messages[leaving].queue = host.messages[staying].queue = "active"
    await engine.refresh(POSTFIX, "listing")
    await until(engine, lambda snapshot: count(snapshot.queues[0], "active").value == 2)
    _, fates = await held(engine)
    assert sorted(fates) == [Fate.DONE] * 3 + [Fate.IN_DELIVERY] * 2

    snapshot = await until(engine, lambda snapshot: bool(snapshot.receipts))
    assert snapshot.receipts[-1].open
    at = snapshot.at
    host.messages[leaving].recipients = ()
    told = "to=<anna@outlook.test>, relay=mx.outlook.test[203.0.113.9]:25, delay=9, delays=1/1/1/6, dsn=2.0.0"
    later = "to=<anna@outlook.test>, relay=mx.outlook.test[203.0.113.9]:25, delay=9, delays=1/1/1/6, dsn=4.7.0"
    host.say(
        f"{_stamp(at)} mail1 postfix/smtp[7]: {leaving}: {told}, status=sent (250 ok)",
        f"{_stamp(at)} mail1 postfix/smtp[7]: {staying}: {later}, status=deferred (host said: 451 4.7.0 later)",
        stamp=at,
    )
    await engine.refresh(POSTFIX, "listing")
    snapshot = await until(engine, lambda snapshot: bool(snapshot.receipts) and not snapshot.receipts[-1].open)

    receipt = snapshot.receipts[-1]
    telling = [(outcome.id, outcome.fate) for outcome in receipt.outcomes if outcome.fate is not Fate.DONE]
    assert telling == [(QueueId(leaving), Fate.DELIVERED)]
    assert receipt.count(Fate.DONE) == 4


def _stamp(at: float) -> str:
    from datetime import UTC, datetime

    return datetime.fromtimestamp(at + 1, UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")


async def test_a_connection_lost_under_an_act_never_says_done(engine: Engine, host: MailHost) -> None:
    (preview,) = await engine.plan("queue.hold", ALL)
    await engine.unlock(900)
    host.faults = {"postsuper after": LinkLost("mail1", "connection lost")}
    host.before_put = lambda: host.faults.update(postqueue=TimedOut("mail1", "late"))
    receipt = await engine.approve(Approval(preview.plan, "ann"))

    assert not receipt.ok
    assert receipt.count(Fate.UNKNOWN) == 5
    assert receipt.open
    assert len(host.sent) == 1
    await engine.refresh(POSTFIX, "listing")
    snapshot = await until(engine, lambda snapshot: bool(snapshot.receipts) and not snapshot.receipts[-1].open)
    assert snapshot.receipts[-1].count(Fate.DONE) == 5


async def test_a_lost_host_makes_its_numbers_unknown_never_zero_and_comes_back(engine: Engine, host: MailHost) -> None:
    host.faults["connect"] = Unreachable("mail1", "connection refused")
    host.close()

    snapshot = await until(engine, lambda snapshot: snapshot.hosts[0].link is Link.DOWN)
    deferred = count(snapshot.queues[0], "deferred")
    assert (deferred.value, deferred.health) == (5, Health.UNKNOWN)
    assert deferred.note == snapshot.hosts[0].note
    assert snapshot.queues[0].oldest.health is Health.UNKNOWN
    assert snapshot.logs[0].health is Health.UNKNOWN
    await until(engine, lambda snapshot: snapshot.hosts[0].link is Link.UP)
    await until(engine, lambda snapshot: count(snapshot.queues[0], "deferred").health is Health.OK)


async def test_a_paused_container_fails_its_own_probes_only(engine: Engine, host: MailHost) -> None:
    host.state = "paused"
    await engine.refresh()

    snapshot = await until(engine, lambda snapshot: snapshot.targets[-1].state == "paused")
    by_name = {(probe.target, probe.probe): probe for probe in snapshot.probes}
    assert by_name["mail1", "host_load"].health is Health.OK
    assert by_name["mail1", "discovery"].health is Health.OK
    snapshot = await until(
        engine, lambda snapshot: any("paused" in p.note for p in snapshot.probes if p.target == POSTFIX)
    )
    snapshot = await until(engine, lambda s: count(s.queues[0], "active").health is Health.UNKNOWN)
    assert "paused" in count(snapshot.queues[0], "active").note
    assert count(snapshot.queues[0], "active").value is not None


def _newer(seq: int, snapshot: Snapshot) -> bool:
    return snapshot.seq > seq and not snapshot.paused


async def test_a_pause_is_seen_and_ended(engine: Engine) -> None:
    for _ in range(2):
        await engine.pause(True)
        still = await until(engine, lambda snapshot: snapshot.paused)
        await engine.pause(False)
        await until(engine, partial(_newer, still.seq))


async def test_an_act_whose_face_is_gone_is_finished_and_written_down(
    engine: Engine, host: MailHost, tmp_path: Path
) -> None:
    (preview,) = await engine.plan("queue.hold", ALL)
    await engine.unlock(900)
    sent, go_on = threading.Event(), threading.Event()

    def slowly() -> None:
        sent.set()
        go_on.wait(10)

    host.before_put = slowly
    face = asyncio.create_task(engine.approve(Approval(preview.plan, "ann")))
    await asyncio.to_thread(sent.wait, 10)
    face.cancel()
    await asyncio.gather(face, return_exceptions=True)
    assert engine.acting
    go_on.set()
    await engine.finish_acts()

    facts = [json.loads(line) for line in (tmp_path / "audit.jsonl").read_text().splitlines()]
    assert [fact["fact"] for fact in facts] == ["intent", "outcome"]
    assert facts[1]["fates"] == {"done": 5}


async def test_an_act_cut_off_by_a_crash_is_an_open_receipt_at_the_next_start(host: MailHost, tmp_path: Path) -> None:
    first = watching(host, tmp_path)
    await first.start()
    await first_reading(first, listing=True)
    await held(first)
    await first.close()
    audit = tmp_path / "audit.jsonl"
    audit.write_text(audit.read_text().splitlines()[0] + "\n")  # the outcome was never written

    second = watching(host, tmp_path)
    await second.start()
    await first_reading(second, listing=True)
    snapshot = await until(second, lambda snapshot: bool(snapshot.receipts) and not snapshot.receipts[-1].open)

    assert snapshot.receipts[-1].count(Fate.DONE) == 5  # as the listing shows
    (preview,) = await second.undo(snapshot.receipts[-1].id)
    assert preview.count == 5
    await second.close()


async def test_an_approval_waits_for_no_lock_that_was_turned_meanwhile(engine: Engine, host: MailHost) -> None:
    (preview,) = await engine.plan("queue.hold", ALL)
    await engine.unlock(900)
    sent, go_on = threading.Event(), threading.Event()

    def slowly() -> None:
        sent.set()
        go_on.wait(10)

    host.before_put = slowly
    first = asyncio.create_task(engine.approve(Approval(preview.plan, "ann")))
    await asyncio.to_thread(sent.wait, 10)
    second = asyncio.create_task(engine.approve(Approval(preview.plan, "ann")))
    await engine.unlock(0)
    go_on.set()

    assert (await first).ok
    with pytest.raises(Refused):
        await second
    assert len(host.sent) == 1


async def test_what_was_not_sent_can_be_approved_again(engine: Engine, host: MailHost) -> None:
    (preview,) = await engine.plan("queue.hold", ALL)
    await engine.unlock(900)
    host.faults["postqueue"] = TimedOut("mail1", "postqueue: no answer within 60 s")

    with pytest.raises(TimedOut):
        await engine.approve(Approval(preview.plan, "ann"))
    assert (await engine.approve(Approval(preview.plan, "ann"))).ok


async def test_a_preview_that_was_left_open_is_too_old_to_be_approved(
    engine: Engine, host: MailHost, monkeypatch: pytest.MonkeyPatch
) -> None:
    (preview,) = await engine.plan("queue.hold", ALL)
    (other,) = await engine.plan("queue.hold", ALL)
    start = SystemClock().now()
    monkeypatch.setattr(SystemClock, "now", lambda clock: start + 601.0)
    await engine.unlock(900)

    for approval in (Approval(preview.plan, "ann"), Approval(preview.plan, "ann", dry_run=True)):
        with pytest.raises(Refused, match="Hold: the preview is 10 min old: nothing was sent; select and preview"):
            await engine.approve(approval)
    assert host.sent == []
    (fresh,) = await engine.plan("queue.hold", ALL)  # which makes room for itself among the plans
    with pytest.raises(Refused, match="the preview is 10 min old"):
        await engine.approve(Approval(other.plan, "ann"))
    assert (await engine.approve(Approval(fresh.plan, "ann"))).ok


async def test_a_page_of_causes_is_new_only_where_the_causes_are(engine: Engine, host: MailHost) -> None:
    before = await until(engine, lambda snapshot: bool(snapshot.queues[0].listed))
    at = SystemClock().now()
    host.say(f"{_stamp(at)} mail1 postfix/smtpd[7]: connect from unknown[192.0.2.1]", stamp=at)

    after = await until(engine, lambda s: s.versions["messages"] > before.versions["messages"])
    assert after.versions["causes"] == before.versions["causes"]
    assert (await engine.page(PageAsk("causes"))).version == before.versions["causes"]

    host.messages["4jYVfP5TPXzDGrH"] = Message(reason="connect to mx.bank.test[192.0.2.7]:25: Connection timed out")
    await engine.refresh(what="listing")
    await until(engine, lambda s: s.versions["causes"] > before.versions["causes"])
    assert (await engine.page(PageAsk("causes"))).total == 2


async def test_nothing_done_is_never_called_well(engine: Engine, host: MailHost) -> None:
    for message in host.messages.values():
        message.queue = "hold"
    (preview,) = await engine.plan("queue.hold", ALL)
    await engine.unlock(900)

    receipt = await engine.approve(Approval(preview.plan, "ann"))

    assert not receipt.ok
    assert receipt.count(Fate.REFUSED) == 5
    assert host.sent == []


async def test_the_whole_queue_is_only_meant_where_it_is_said(engine: Engine) -> None:
    for nothing in (Selection(), Selection(where="  "), Selection(target=POSTFIX)):
        with pytest.raises(Refused, match="says not on what"):
            await engine.plan("queue.hold", nothing)
    (preview,) = await engine.plan("queue.hold", Selection(everything=True))
    assert preview.count == 5


async def test_a_queue_that_is_not_listed_is_unknown_and_not_empty(host: MailHost, tmp_path: Path) -> None:
    host.always = {"postqueue": Denied("postqueue -j", "permission denied")}
    engine = watching(host, tmp_path)
    await engine.start()
    await first_reading(engine, listing=True)

    page = await engine.page(PageAsk("causes"))

    assert "permission denied" in page.unknown
    await engine.close()


async def test_asks_that_make_no_sense_are_explained(engine: Engine) -> None:
    with pytest.raises(UsageError, match="no queue that mailtop knows"):
        await engine.page(PageAsk("causes", target="mail9/postfix"))
    with pytest.raises(UsageError, match=r"known: queue\.hold"):
        await engine.plan("queue.nuke", ALL)
    with pytest.raises(Refused, match="nothing is selected"):
        await engine.plan("queue.hold", Selection((Key(POSTFIX, QueueId("NOSUCHID1")),)))


class Faulty(SystemClock):
    """A clock with a bug: while it is broken, whoever asks it dies."""

    broken = False

    def now(self) -> float:
        if self.broken:
            raise ZeroDivisionError
        return super().now()


async def test_a_bug_under_a_snapshot_is_logged_and_freezes_no_face(
    host: MailHost, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    clock = Faulty()
    settings = Settings(hosts={"mail1": HostSettings()}, interval=0.05)
    engine = Engine(settings, {"mail1": lambda: host}, clock, operator="ann", audit=AuditLog(tmp_path / "audit.jsonl"))
    await engine.start()
    await until(engine, lambda snapshot: snapshot.hosts[0].link is Link.UP)

    clock.broken = True
    async with asyncio.timeout(10):
        while "tick ended" not in caplog.text:
            await asyncio.sleep(0.01)
    clock.broken = False

    seq = engine._seq
    await until(engine, lambda snapshot: snapshot.seq > seq + 2)
    await engine.close()


async def test_a_bug_that_one_postfix_meets_costs_its_own_cells_and_nobody_else_s(tmp_path: Path) -> None:
    hosts = {name: MailHost({f"4jYVfP5TPXzDGr{n}": Message() for n in "BCD"}) for name in ("mail1", "mail2")}
    for name, host in hosts.items():
        host.engine_id, host.container_id = name, name * 12
    settings = Settings(PlatformSettings("example.com"), {name: HostSettings() for name in hosts}, interval=0.05)
    sources: dict[str, Callable[[], Source]] = {name: partial(lambda host: host, host) for name, host in hosts.items()}
    engine = Engine(settings, sources, SystemClock(), operator="ann", audit=AuditLog(tmp_path / "audit.jsonl"))
    await engine.start()
    await first_reading(engine, listing=True)
    broken = engine._watching.books.mtas["mail1/postfix"]
    broken._oldest_listed = cast(dict[Queue, float], None)  # what no arithmetic can read

    seen = await until(engine, lambda snapshot: "own fault" in str(snapshot.queues))

    queues = {queue.target: queue for queue in seen.queues}
    assert "mailtop's own fault" in queues["mail1/postfix"].note
    assert count(queues["mail2/postfix"], "deferred").value == 3.0
    await until(engine, lambda later: later.seq > seen.seq + 3)  # and goes on
    await engine.close()
