"""Retry, requeue, bounce, delete and its undo: what they do to a real Postfix, with long ids and with short ones."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from maillab.lab import Lab
from maillab.waiting import wait_until

from mailtop.model.destination import Terms
from mailtop.model.errors import Refused
from mailtop.model.mail import Key, QueueId
from mailtop.model.operation import Approval, Danger, Fate, Preview, Receipt, Selection
from mailtop.model.snapshot import Snapshot
from mailtop.model.text import Foreign
from tests.truth.spare_postfix import DOMAIN, NOBODY, SENDER, SLOW, TAKES, SparePostfix
from tests.truth.watching import HERE, Watching, watching

KEPT = "/var/spool/postfix/mailtop-kept"
pytestmark = [pytest.mark.lab, pytest.mark.timeout(180)]


@pytest.fixture(params=["long", pytest.param("short", marks=pytest.mark.faults)])
def ids(request: pytest.FixtureRequest) -> str:
    """Which ids a Postfix makes."""
    return str(request.param)


@pytest.fixture
def spare(lab: Lab, request: pytest.FixtureRequest) -> Iterator[SparePostfix]:
    """A Postfix whose mail may be deleted; with long ids, unless a test wants both."""
    short = "ids" in request.fixturenames and request.getfixturevalue("ids") == "short"
    image = lab.engine.run("inspect", "--format", "{{.Config.Image}}", "postfix").strip()
    postfix = SparePostfix(lab.engine, image, "qacts-postfix", long_ids=not short)
    yield postfix
    postfix.remove()


def there(postfix: SparePostfix, *ids: str) -> Selection:
    """Some messages, by id."""
    return Selection(tuple(Key(postfix.target, QueueId(id_)) for id_ in ids))


async def listed(watched: Watching, postfix: SparePostfix, count: int) -> None:
    """Wait until mailtop has listed so many messages, in a listing asked for now."""
    at = watched.now.at if watched.seen else 0.0
    await watched.engine.refresh(postfix.target, "listing")

    def here(snapshot: Snapshot) -> bool:
        return any(q.target == postfix.target and q.listed == count and q.listed_at > at for q in snapshot.queues)

    await watched.until(f"{count} are listed", here)


async def planned(watched: Watching, act: str, selection: Selection) -> Preview:
    (preview,) = await watched.engine.plan(act, selection)
    return preview


async def approved(watched: Watching, preview: Preview) -> Receipt:
    """Unlock, and approve what was planned, as it asks to be."""
    await watched.engine.unlock(300)
    return await watched.engine.approve(Approval(preview.plan, "ann", preview.typed))


async def closed(watched: Watching, receipt: Receipt, within: float = 60.0) -> Receipt:
    """Wait until log and queue have decided about every message."""

    def decided(snapshot: Snapshot) -> bool:
        return any(one.id == receipt.id and not one.open for one in snapshot.receipts)

    await watched.until("the receipt is closed", decided, within)
    return watched.engine._executor.receipts._receipts[receipt.id]


def fates(receipt: Receipt) -> dict[str, Fate]:
    return {outcome.id: outcome.fate for outcome in receipt.outcomes}


def words(receipt: Receipt) -> dict[str, bytes]:
    return {outcome.id: outcome.said for outcome in receipt.outcomes}


async def soon(condition: Callable[[], object], what: str, within: float = 30.0) -> None:
    await asyncio.to_thread(wait_until, condition, within, what)


# ── delete, and its undo ───────────────────────────────────────────────────────────────────────────────────────────


async def test_deleted_mail_comes_back_byte_for_byte_on_hold_and_is_delivered_when_released(
    spare: SparePostfix, ids: str, tmp_path: Path
) -> None:
    queued = await asyncio.to_thread(spare.send, 3)
    other = await asyncio.to_thread(spare.send, 1, "other@qacts.test")
    before = await asyncio.to_thread(spare.content, queued)
    async with watching({"here": HERE}, tmp_path) as watched:
        await watched.until_read(spare.target)
        await listed(watched, spare, 4)
        deleting = await planned(watched, "queue.delete", Selection(where=f"sender:{SENDER}", target=spare.target))
        assert (deleting.count, deleting.danger, deleting.typed) == (3, Danger.DESTRUCTIVE, "3")
        assert deleting.undo == "queue.restore"
        assert [step.argv[0] for step in deleting.commands] == ["postsuper", "mkdir", "xargs", "postsuper"]

        deleted = await approved(watched, deleting)

        assert set(fates(deleted).values()) == {Fate.DONE}
        assert set(await asyncio.to_thread(spare.queue)) == set(other)
        kept = await asyncio.to_thread(spare.files, "mailtop-kept")
        folder = f"/var/spool/postfix/mailtop-kept/{deleted.id}"
        assert {kept["/var/spool/postfix/mailtop-kept"], kept[folder]} >= {kept[folder]}
        assert kept[folder].split()[:2] == ["700", "root"]
        assert {path for path in kept if path.startswith(f"{folder}/")} == {f"{folder}/{id_}" for id_ in queued}
        assert await asyncio.to_thread(spare.run, "postfix", "check") == ""
        await asyncio.to_thread(spare.run, "postsuper", "-s")

    async with watching({"here": HERE}, tmp_path) as watched:  # a later run: it knows by the audit file alone
        await watched.until_read(spare.target)
        (restoring,) = await watched.engine.undo(deleted.id)
        assert (restoring.action, restoring.count, restoring.danger) == ("queue.restore", 3, Danger.REVERSIBLE)

        restored = await approved(watched, restoring)

        assert fates(restored) == dict.fromkeys(queued, Fate.DONE)
        with pytest.raises(Refused, match="taken back already"):
            await watched.engine.undo(deleted.id)
        now = await asyncio.to_thread(spare.queue)
        assert now == dict.fromkeys(queued, "hold") | dict.fromkeys(other, "deferred")
        assert await asyncio.to_thread(spare.content, queued) == before
        links = await asyncio.to_thread(spare.files, "hold", "mailtop-kept")
        assert Counter(facts.split()[-1] for path, facts in links.items() if path.endswith(queued)) == {"1": 3}

        await asyncio.to_thread(spare.relay, TAKES)
        await listed(watched, spare, 4)
        releasing = await planned(watched, "queue.release", there(spare, *queued))
        await approved(watched, releasing)
        await asyncio.to_thread(spare.run, "postqueue", "-f")
        for id_ in queued:
            await soon(lambda id_=id_: spare.logged(f"{id_}: to=<", "status=sent"), "delivered")  # type: ignore[misc]
    assert not await asyncio.to_thread(spare.logged, "warning: ", queued[0])


async def test_mail_in_delivery_may_leave_though_deleted_and_its_kept_file_knows(
    spare: SparePostfix, tmp_path: Path
) -> None:
    await asyncio.to_thread(spare.relay, SLOW)
    async with watching({"here": HERE}, tmp_path) as watched:
        await watched.until_read(spare.target)
        (busy,) = await asyncio.to_thread(spare.send, 1)
        await listed(watched, spare, 1)
        deleting = await planned(watched, "queue.delete", there(spare, busy))
        assert deleting.in_delivery == 1

        receipt = await approved(watched, deleting)
        assert fates(receipt) == {busy: Fate.IN_DELIVERY}
        receipt = await closed(watched, receipt)

    assert fates(receipt) == {busy: Fate.DELIVERED}
    assert await asyncio.to_thread(spare.logged, f"{busy}: to=<", "status=sent")
    kept = await asyncio.to_thread(spare.run, "postcat", "-e", f"/var/spool/postfix/mailtop-kept/{receipt.id}/{busy}")
    assert "done_recipient: user0@" in kept
    assert "\nrecipient: " not in kept


async def test_what_changed_between_preview_and_approval_is_neither_deleted_nor_lost(
    spare: SparePostfix, ids: str, tmp_path: Path
) -> None:
    stays, gone, held, reused = await asyncio.to_thread(spare.send, 4)
    async with watching({"here": HERE}, tmp_path) as watched:
        await watched.until_read(spare.target)
        await listed(watched, spare, 4)
        deleting = await planned(watched, "queue.delete", there(spare, stays, gone, held, reused))
        await asyncio.to_thread(spare.run, "postsuper", "-d", gone)
        await asyncio.to_thread(spare.run, "postsuper", "-h", held)
        stranger = await asyncio.to_thread(become, spare, reused)

        receipt = await approved(watched, deleting)

        assert fates(receipt) == {stays: Fate.DONE, gone: Fate.GONE, held: Fate.DONE, reused: Fate.CHANGED}
        assert await asyncio.to_thread(spare.queue) == {reused: "deferred"}
        assert stranger in await asyncio.to_thread(spare.run, "postcat", "-qe", reused)
        restored = await approved(watched, (await watched.engine.undo(receipt.id))[0])
        assert fates(restored) == {stays: Fate.DONE, held: Fate.DONE}


def become(postfix: SparePostfix, id_: str) -> str:
    """Have an id mean another message, as it does when a short one is used again: its sender is another now."""
    path = postfix.run("find", "/var/spool/postfix/deferred", "-name", id_).strip()
    postfix.run("sed", "-i", f"s/{SENDER}/none@qacts.test/", path)
    return "none@qacts.test"


async def test_what_is_kept_is_listed_and_purged_and_then_nothing_can_be_put_back(
    spare: SparePostfix, tmp_path: Path
) -> None:
    queued = await asyncio.to_thread(spare.send, 2)
    async with watching({"here": HERE}, tmp_path) as watched:
        await watched.until_read(spare.target)
        with pytest.raises(Refused, match="no file of deleted mail is kept"):
            await watched.engine.plan("queue.purge_all", Selection(target=spare.target, everything=True))
        await listed(watched, spare, 2)
        deleted = await approved(watched, await planned(watched, "queue.delete", there(spare, *queued)))
        whole = Selection(target=spare.target, everything=True)
        with pytest.raises(Refused, match="kept that long"):
            await watched.engine.plan("queue.purge", whole)
        purging = await planned(watched, "queue.purge_all", whole)
        assert (purging.count, purging.typed, purging.undo) == (2, "2", "")

        purged = await approved(watched, purging)

        assert fates(purged) == dict.fromkeys(queued, Fate.DONE)
        assert list(await asyncio.to_thread(spare.files, "mailtop-kept")) == ["/var/spool/postfix/mailtop-kept"]
        with pytest.raises(Refused, match="nothing is kept"):
            await watched.engine.undo(deleted.id)


async def test_where_hold_is_hashed_a_delete_says_that_nothing_undoes_it(spare: SparePostfix, tmp_path: Path) -> None:
    await asyncio.to_thread(spare.run, "postconf", "-e", "hash_queue_names=deferred,defer,hold")
    await asyncio.to_thread(spare.run, "postfix", "reload")
    (queued,) = await asyncio.to_thread(spare.send, 1)
    async with watching({"here": HERE}, tmp_path) as watched:
        await watched.until_read(spare.target)
        await listed(watched, spare, 1)
        deleting = await planned(watched, "queue.delete", there(spare, queued))
        assert (deleting.undo, deleting.typed) == ("", "1")
        assert deleting.warnings[0].startswith("Nothing will undo it: hold is in hash_queue_names")

        receipt = await approved(watched, deleting)

        assert (fates(receipt), receipt.undo) == ({queued: Fate.DONE}, "")
        assert await asyncio.to_thread(spare.queue) == {}


# ── retry and flush ────────────────────────────────────────────────────────────────────────────────────────────────


async def test_a_retry_is_told_by_the_log_and_mail_on_hold_is_refused_by_name(
    spare: SparePostfix, tmp_path: Path
) -> None:
    first, second, held, gone = await asyncio.to_thread(spare.send, 4)
    await asyncio.to_thread(spare.run, "postsuper", "-h", held)
    async with watching({"here": HERE}, tmp_path) as watched:
        await watched.until_read(spare.target)
        await listed(watched, spare, 4)
        retrying = await planned(watched, "queue.retry", there(spare, first, second, held, gone))
        assert (retrying.danger, retrying.typed) == (Danger.SENDS, "4")
        assert retrying.commands[0].argv == ("xargs", "-n", "1", "postqueue", "-i")
        assert "1 are on hold and will be refused: release them first." in retrying.warnings
        await asyncio.to_thread(spare.run, "postsuper", "-d", gone)
        await asyncio.to_thread(spare.relay, TAKES)

        receipt = await approved(watched, retrying)

        assert fates(receipt)[gone] is Fate.GONE
        assert words(receipt)[held] == b"on hold: release it first"
        receipt = await closed(watched, receipt)
        assert (fates(receipt)[first], fates(receipt)[second]) == (Fate.DONE, Fate.DONE)
        assert words(receipt)[first].startswith(b"sent: 250")
        assert await asyncio.to_thread(spare.queue) == {held: "hold"}

        await asyncio.to_thread(spare.relay, NOBODY)
        (again,) = await asyncio.to_thread(spare.send, 1, "again@qacts.test")
        await listed(watched, spare, 2)
        receipt = await approved(watched, await planned(watched, "queue.retry", there(spare, again)))
        receipt = await closed(watched, receipt)
        assert words(receipt)[again].startswith(b"deferred: connect to 127.0.0.1")


async def test_a_flush_tries_all_that_is_deferred_and_is_approved_by_the_hosts_name(
    spare: SparePostfix, tmp_path: Path
) -> None:
    queued = await asyncio.to_thread(spare.send, 3)
    await asyncio.to_thread(spare.run, "postsuper", "-h", queued[0])
    await asyncio.to_thread(spare.relay, TAKES)
    async with watching({"here": HERE}, tmp_path) as watched:
        await watched.until_read(spare.target)
        flushing = await planned(watched, "queue.flush", Selection(target=spare.target, everything=True))
        assert (flushing.count, flushing.typed, flushing.undo) == (0, "here", "")
        receipt = await approved(watched, flushing)
        assert receipt.ok
    await soon(lambda: spare.queue() == {queued[0]: "hold"}, "all else is delivered")


async def test_nothing_for_a_paused_destination_is_retried_or_flushed(spare: SparePostfix, tmp_path: Path) -> None:
    (paused,) = await asyncio.to_thread(spare.send, 1)
    (among,) = await asyncio.to_thread(spare.send, 1, SENDER, "elsewhere.test", f"second@{DOMAIN}")
    (free,) = await asyncio.to_thread(spare.send, 1, SENDER, "elsewhere.test")
    pause = Selection(target=spare.target, domain=Foreign(DOMAIN.encode()), terms=Terms())
    async with watching({"here": HERE}, tmp_path) as watched:
        await watched.until_read(spare.target)
        await approved(watched, await planned(watched, "destination.pause", pause))
        await listed(watched, spare, 3)

        with pytest.raises(Refused, match=f"paused here: {DOMAIN}"):
            await watched.engine.plan("queue.retry", there(spare, paused))
        with pytest.raises(Refused, match=f"paused here: {DOMAIN}"):
            await watched.engine.plan("queue.flush", Selection(target=spare.target, everything=True))
        retrying = await planned(watched, "queue.retry", there(spare, paused, among, free))
        assert [item.id for item in retrying.samples] == [free]
        assert any(words.startswith(f"2 for {DOMAIN} are left out") for words in retrying.warnings)


# ── requeue and bounce ─────────────────────────────────────────────────────────────────────────────────────────────


async def test_a_requeue_names_the_new_id_and_takes_nothing_on_hold(spare: SparePostfix, tmp_path: Path) -> None:
    old, held = await asyncio.to_thread(spare.send, 2)
    await asyncio.to_thread(spare.run, "postsuper", "-h", held)
    async with watching({"here": HERE}, tmp_path) as watched:
        await watched.until_read(spare.target)
        await listed(watched, spare, 2)

        receipt = await approved(watched, await planned(watched, "queue.requeue", there(spare, old, held)))

        assert fates(receipt) == {old: Fate.UNDER_WAY, held: Fate.REFUSED}
        await asyncio.to_thread(spare.run, "postkick", "public", "pickup", "W")  # which comes by itself once a minute
        receipt = await closed(watched, receipt, 90)
        queue = await asyncio.to_thread(spare.queue)
        (new,) = set(queue) - {held}
        assert words(receipt)[old] == b"now " + new.encode()
        assert await asyncio.to_thread(spare.logged, f"{new}: uid=", f"orig_id={old}")


async def test_a_bounce_is_returned_when_postfix_comes_to_it_held_or_not(spare: SparePostfix, tmp_path: Path) -> None:
    waits, held = await asyncio.to_thread(spare.send, 2)
    await asyncio.to_thread(spare.run, "postsuper", "-h", held)
    async with watching({"here": HERE}, tmp_path) as watched:
        await watched.until_read(spare.target)
        await listed(watched, spare, 2)

        receipt = await approved(watched, await planned(watched, "queue.bounce", there(spare, waits, held)))

        assert fates(receipt) == dict.fromkeys((waits, held), Fate.UNDER_WAY)
        assert await asyncio.to_thread(spare.queue) == dict.fromkeys((waits, held), "deferred")
        for id_ in (waits, held):
            await asyncio.to_thread(spare.run, "postqueue", "-i", id_)
        receipt = await closed(watched, receipt)
    assert set(words(receipt).values()) == {b"force-expired, returned to sender"}
    for id_ in (waits, held):
        assert await asyncio.to_thread(spare.logged, f"{id_}: from=<", "status=force-expired, returned to sender")
        assert await asyncio.to_thread(spare.logged, f"{id_}: sender non-delivery notification")


@pytest.mark.faults
async def test_a_bounce_of_mail_in_delivery_cannot_keep_it_from_being_delivered(
    spare: SparePostfix, tmp_path: Path
) -> None:
    await asyncio.to_thread(spare.relay, SLOW)
    async with watching({"here": HERE}, tmp_path) as watched:
        await watched.until_read(spare.target)
        (busy,) = await asyncio.to_thread(spare.send, 1)
        await listed(watched, spare, 1)
        bouncing = await planned(watched, "queue.bounce", there(spare, busy))
        assert any(words.startswith("1 in delivery may be delivered all the same") for words in bouncing.warnings)
        receipt = await closed(watched, await approved(watched, bouncing))
    assert fates(receipt) == {busy: Fate.DELIVERED}
    assert await asyncio.to_thread(spare.logged, f"{busy}: to=<", "status=sent")


@pytest.mark.faults
async def test_a_delete_that_was_cut_off_is_done_again_and_what_comes_back_is_delivered(
    spare: SparePostfix, tmp_path: Path
) -> None:
    (queued,) = await asyncio.to_thread(spare.send, 1)
    left, hold = f"{KEPT}/r1a2b-1", "/var/spool/postfix/hold"
    await asyncio.to_thread(spare.run, "postsuper", "-h", queued)  # so far it came: held, and linked
    await asyncio.to_thread(spare.run, "install", "-d", "-m", "0700", KEPT, left)
    await asyncio.to_thread(spare.run, "ln", f"{hold}/{queued}", f"{left}/{queued}")
    async with watching({"here": HERE}, tmp_path) as watched:
        await watched.until_read(spare.target)
        await listed(watched, spare, 1)
        deleted = await approved(watched, await planned(watched, "queue.delete", there(spare, queued)))
        assert fates(deleted) == {queued: Fate.DONE}
        await approved(watched, (await watched.engine.undo(deleted.id))[0])
        assert (await asyncio.to_thread(spare.files, "hold"))[f"{hold}/{queued}"].endswith(" 1")
        await asyncio.to_thread(spare.relay, TAKES)
        await asyncio.to_thread(spare.run, "postsuper", "-H", queued)
        await asyncio.to_thread(spare.run, "postqueue", "-i", queued)
        await soon(lambda: spare.logged(f"{queued}: to=<", "status=sent"), "delivered")


# ── many ───────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.timeout(600)
@pytest.mark.parametrize(
    "count", [pytest.param(1000, marks=pytest.mark.faults), pytest.param(5000, marks=pytest.mark.soak)]
)
async def test_many_are_deleted_put_back_and_retried(spare: SparePostfix, count: int, tmp_path: Path) -> None:
    await asyncio.to_thread(spare.relay, NOBODY)
    many = ("smtp-source", "-m", str(count), "-s", "20", "-f", SENDER, "-t", f"user@{DOMAIN}", "127.0.0.1:25")
    await asyncio.to_thread(spare.run, *many)
    await soon(lambda: Counter(spare.queue().values()) == {"deferred": count}, f"{count} are deferred", 120)
    async with watching({"here": HERE}, tmp_path) as watched:
        await watched.until_read(spare.target)
        await listed(watched, spare, count)
        everything = Selection(target=spare.target, everything=True)
        deleted = await approved(watched, await planned(watched, "queue.delete", everything))
        assert (Counter(fates(deleted).values()), deleted.error) == ({Fate.DONE: count}, "")
        assert await asyncio.to_thread(spare.queue) == {}
        restored = await approved(watched, (await watched.engine.undo(deleted.id))[0])
        assert Counter(fates(restored).values()) == {Fate.DONE: count}
        assert Counter((await asyncio.to_thread(spare.queue)).values()) == {"hold": count}

        await asyncio.to_thread(spare.run, "postsuper", "-H", "ALL")
        await asyncio.to_thread(spare.relay, TAKES)
        await listed(watched, spare, count)
        retried = await approved(watched, await planned(watched, "queue.retry", everything))
        assert retried.count(Fate.UNDER_WAY) == count
        assert retried.ended - retried.at >= count / 50 - 1.0  # paced: 50 a second
        closed_ = await closed(watched, retried, 60)
        assert Counter(fates(closed_).values()) == {Fate.DONE: count}
    facts = [json.loads(line) for line in (tmp_path / "audit.jsonl").read_text().splitlines()]
    assert [fact["fact"] for fact in facts[:4]] == ["intent", "outcome"] * 2
