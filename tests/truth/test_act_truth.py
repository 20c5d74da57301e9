"""Acts on real mail, from the command line and through the console: what is said is what Postfix did."""

from __future__ import annotations

import asyncio
import getpass
import json
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from maillab.lab import Lab
from maillab.reach import POSTFIX as CONTAINERS
from maillab.scenarios import Behaviour
from maillab.traffic import Message, Sent
from maillab.waiting import wait_until

from mailtop.model.errors import Refused
from mailtop.model.mail import QueueId
from mailtop.model.operation import Approval, Fate, Preview, Receipt, Selection
from mailtop.model.snapshot import Health, Snapshot
from tests.truth.cli import Home, error_of
from tests.truth.watching import HERE, Watching, hosts_over_ssh, log, watching

pytestmark = [pytest.mark.lab, pytest.mark.timeout(180)]

TEXT = "451 4.7.650 The mail server has been temporarily rate limited (S775)"
SENDER, DOMAIN = "news@shop.test", "bigmail.test"
PROVIDER = "remote.test"  # who has the mail of all the lab's domains: mx.remote.test
WHERE = f"sender:{SENDER}"
ACT = ("act", "queue.hold", "--on", "mail1/postfix", "--where", WHERE)


def queues(lab: Lab, host: str = "mail1") -> Counter[str]:
    """How many messages are where, by Postfix's own word."""
    return Counter(entry["queue_name"] for entry in lab.queue(host))


def on_hold(lab: Lab) -> int:
    """How many messages `postqueue -p` marks with `!`."""
    return sum(line.partition(" ")[0].endswith("!") for line in lab.execute("postfix", "postqueue", "-p").splitlines())


def engine_id(lab: Lab, host: str) -> str:
    """Who a host's Engine is, by its own word."""
    return lab.ssh(host, "docker", "info", "--format", "{{.ID}}").strip()


async def approved(watched: Watching, preview: Preview) -> Receipt:
    """Unlock, and approve what was planned."""
    await watched.engine.unlock(300)
    return await watched.engine.approve(Approval(preview.plan, "ann", preview.typed))


# ── two hundred held, from the command line, and released again ────────────────────────────────────────────────────


async def test_two_hundred_are_held_by_the_command_line_and_released_by_undo(fresh_lab: Lab, home: Home) -> None:
    lab = fresh_lab
    sent = await asyncio.to_thread(lab.deferred, 200, DOMAIN, SENDER, TEXT)
    await asyncio.to_thread(lab.deferred, 3, "deferred.test")

    causes = await asyncio.to_thread(home.document, "queue", "--by", "cause")
    lead = causes["rows"][0]
    assert (lead["sender"], lead["next_hop"], lead["deferred"]) == (SENDER, PROVIDER, 200)

    dry = await asyncio.to_thread(home.mailtop, *ACT, "--dry-run", "--json")
    assert dry.returncode == 0, dry.stderr
    assert "postsuper -h -   200 ids on stdin" in dry.stderr
    assert queues(lab) == {"deferred": 203}

    only_looked = await asyncio.to_thread(home.mailtop, *ACT)
    wrong = await asyncio.to_thread(home.mailtop, *ACT, "--yes-i-mean", "199")
    assert (only_looked.returncode, wrong.returncode) == (4, 4)
    assert "carry it out with --yes-i-mean 200" in only_looked.stderr
    assert queues(lab) == {"deferred": 203}

    done = await asyncio.to_thread(home.mailtop, *ACT, "--yes-i-mean", "200", "--json")
    assert done.returncode == 0, done.stderr
    receipt = json.loads(done.stdout)
    assert (receipt["ok"], receipt["open"]) == (True, False)
    assert Counter(outcome["fate"] for outcome in receipt["outcomes"]) == {"done": 200}
    assert {outcome["id"] for outcome in receipt["outcomes"]} == set(sent.queue_ids)
    assert on_hold(lab) == 200
    assert queues(lab) == {"hold": 200, "deferred": 3}

    await undone(lab, home, receipt["receipt"])
    await asyncio.to_thread(lambda: assert_the_story(lab, home.facts(), set(sent.queue_ids)))


async def undone(lab: Lab, home: Home, receipt: str) -> None:
    """Take an earlier run's act back, by what the audit file has kept of it."""
    async with watching(hosts_over_ssh(), home.audit.parent) as watched:
        await watched.until_read("mail1/postfix")
        (preview,) = await watched.engine.undo(receipt)
        assert (preview.action, preview.count, preview.typed) == ("queue.release", 200, "200")

        released = await approved(watched, preview)

        assert released.count(Fate.DONE) == 200
        assert on_hold(lab) == 0
        assert (await asyncio.to_thread(queues, lab))["hold"] == 0
        with pytest.raises(Refused, match="taken back already"):
            await watched.engine.undo(receipt)


def assert_the_story(lab: Lab, facts: list[dict[str, Any]], ids: set[str]) -> None:
    """Intent before outcome; who did what to which mail on which machine, by which command."""
    dry, hold, release = facts[:2], facts[2:4], facts[4:6]
    assert [fact["fact"] for fact in facts] == ["intent", "outcome"] * 3
    assert [fact["dry_run"] for fact in facts] == [True, True, False, False, False, False]
    container = lab.engine.run("inspect", "--format", "{{.Id}}", "postfix").strip()
    for intent, outcome in (dry, hold, release):
        assert (intent["machine"], intent["container"]) == (engine_id(lab, "mail1"), container)
        assert intent["instance"] == "/etc/postfix"
        assert {item[0] for item in intent["items"]} == {row[0] for row in outcome["outcomes"]} == ids
        assert intent["target"] == outcome["target"] == "mail1/postfix"
        assert intent["receipt"] == outcome["receipt"]
        assert intent["at"] <= outcome["at"]
    assert {item[4] for item in hold[0]["items"]} == {SENDER}
    assert [fact["by"] for fact in facts] == [getpass.getuser()] * 4 + ["ann"] * 2
    assert (hold[0]["commands"], release[0]["commands"]) == ([["postsuper", "-h", "-"]], [["postsuper", "-H", "-"]])
    assert hold[1]["fates"] == release[1]["fates"] == {"done": 200}
    assert release[1]["undoes"] == hold[1]["receipt"]
    assert "200 messages" in hold[1]["said"]


def test_an_act_on_nothing_says_so(fresh_lab: Lab, home: Home) -> None:
    done = home.mailtop(*ACT, "--yes-i-mean", "200")

    assert done.returncode == 4
    assert "nothing is selected" in error_of(done)
    assert home.facts() == []


# ── mail in delivery ───────────────────────────────────────────────────────────────────────────────────────────────


async def test_mail_in_delivery_is_told_truly(fresh_lab: Lab, tmp_path: Path) -> None:
    lab, seconds = fresh_lab, 8.0
    await asyncio.to_thread(lab.remote, "stays.test", Behaviour("defer", "data", TEXT, seconds))
    stays = await asyncio.to_thread(injected, lab, "stays.test")
    leaves = await asyncio.to_thread(lab.slow, 2, seconds, "leaves.test")
    rests = await asyncio.to_thread(lab.deferred, 1, "deferred.test")
    await asyncio.to_thread(wait_until, lambda: queues(lab)["active"] == 4, 10, "four are in delivery")

    async with watching({"here": HERE}, tmp_path) as watched:
        await watched.until_read("here/postfix")
        await watched.engine.refresh("here/postfix", "listing")
        await watched.until("all are listed", lambda s: listed(s, "here/postfix") == 5)
        (preview,) = await watched.engine.plan("queue.hold", Selection(target="here/postfix", everything=True))
        assert (preview.count, preview.in_delivery) == (5, 4)

        receipt = await approved(watched, preview)

        assert receipt.open
        assert fates(receipt, rests.queue_ids) == {Fate.DONE}
        assert fates(receipt, stays.queue_ids + leaves.queue_ids) == {Fate.IN_DELIVERY}
        await watched.until("the log has told", lambda s: told_of(watched, stays.queue_ids + leaves.queue_ids))
        await watched.engine.refresh("here/postfix", "listing")
        closed = await watched.until("the receipt is closed", lambda s: s.receipts and not s.receipts[-1].open, 60)

    receipt = closed.receipts[-1]
    assert {outcome.id for outcome in receipt.outcomes if outcome.fate is Fate.DELIVERED} == {*leaves.queue_ids}
    assert (receipt.count(Fate.DELIVERED), receipt.count(Fate.DONE)) == (2, 3)
    assert all(lab.remote_received(message_id) for message_id in leaves.message_ids)
    held = {entry["queue_id"] for entry in lab.queue() if entry["queue_name"] == "hold" and entry["recipients"]}
    assert held == {*stays.queue_ids, *rests.queue_ids}


def injected(lab: Lab, domain: str) -> Sent:
    """Two messages for a domain, which may take its time."""
    messages = tuple(Message(SENDER, (f"user{number}@{domain}",)) for number in range(2))
    return Sent("injected", "mail1", messages, lab.inject(messages))


def listed(snapshot: Snapshot, target: str) -> int:
    """How many messages the last listing held."""
    return next(queue.listed for queue in snapshot.queues if queue.target == target)


def fates(receipt: Receipt, ids: tuple[str, ...]) -> set[Fate]:
    """What became of some messages."""
    return {outcome.fate for outcome in receipt.outcomes if outcome.id in ids}


def told_of(watched: Watching, ids: tuple[str, ...]) -> bool:
    """Has the log decided about each?"""
    return all(watched.book("here/postfix").fate(QueueId(number), 0.0) for number in ids)


# ── who a target really is ─────────────────────────────────────────────────────────────────────────────────────────


async def test_one_selection_on_two_hosts_becomes_two_plans_with_each_its_own_machine(
    fresh_lab: Lab, tmp_path: Path
) -> None:
    for host in CONTAINERS:
        await asyncio.to_thread(fresh_lab.deferred, 4, DOMAIN, SENDER, TEXT, host)
    async with watching(hosts_over_ssh(), tmp_path) as watched:
        await watched.until_read("mail1/postfix", "mail2/postfix")
        await watched.engine.refresh("", "listing")
        await watched.until("both are listed", lambda s: all(listed(s, f"{host}/postfix") == 4 for host in CONTAINERS))
        previews = await watched.engine.plan("queue.hold", Selection(where=WHERE))
        assert {preview.target: preview.count for preview in previews} == {"mail1/postfix": 4, "mail2/postfix": 4}
        receipts = [await approved(watched, preview) for preview in previews]

    assert [receipt.count(Fate.DONE) for receipt in receipts] == [4, 4]
    assert [queues(fresh_lab, host) for host in CONTAINERS] == [{"hold": 4}, {"hold": 4}]
    facts = [json.loads(line) for line in (tmp_path / "audit.jsonl").read_text().splitlines()]
    machines = {fact["target"]: fact["machine"] for fact in facts if fact["fact"] == "intent"}
    assert machines == {f"{host}/postfix": engine_id(fresh_lab, host) for host in CONTAINERS}
    assert len(set(machines.values())) == 2


SCRATCH = "scratch-postfix"
_START = (
    "touch /etc/postfix/main.cf; echo scratch.test >/etc/mailname; postconf -e compatibility_level=3.6 "
    "maillog_file=/dev/stdout inet_protocols=ipv4 mydestination= alias_maps= alias_database= "
    "enable_long_queue_ids=yes 'relayhost=[127.0.0.1]:9' smtp_host_lookup=native; postconf -F '*/*/chroot=n'; "
    "exec postfix start-fg"
)


def start_scratch(lab: Lab) -> None:
    """A Postfix of our own, without a network, with two messages that nobody takes."""
    image = lab.engine.run("inspect", "--format", "{{.Config.Image}}", "postfix").strip()
    words = ("--detach", "--name", SCRATCH, "--network", "none", "--init", "--entrypoint", "bash", image, "-c", _START)
    lab.engine.run("run", *words)
    wait_until(lambda: lab.engine.execute(SCRATCH, "postqueue", "-j") == "", 20, "it answers")
    for number in range(2):
        send = ("sendmail", "-f", SENDER, f"user{number}@{DOMAIN}")
        lab.engine.execute(SCRATCH, *send, stdin="Subject: x\n\nx\n")
    wait_until(
        lambda: lab.engine.execute(SCRATCH, "postqueue", "-j").count('"queue_name": "deferred"') == 2, 20, "deferred"
    )


@pytest.fixture
def scratch(lab: Lab) -> Iterator[str]:
    """The name of a Postfix that may be destroyed."""
    lab.engine.try_run("rm", "--force", SCRATCH)
    start_scratch(lab)
    yield SCRATCH
    lab.engine.try_run("rm", "--force", SCRATCH)


async def test_a_container_made_anew_under_the_same_name_is_not_acted_on(
    lab: Lab, scratch: str, tmp_path: Path
) -> None:
    target = f"here/{scratch}"
    async with watching({"here": HERE}, tmp_path) as watched:
        await watched.until_read(target)
        await watched.engine.refresh(target, "listing")
        await watched.until("it is listed", lambda s: listed(s, target) == 2)
        (preview,) = await watched.engine.plan("queue.hold", Selection(target=target, everything=True))
        await asyncio.to_thread(lab.engine.run, "rm", "--force", scratch)
        await asyncio.to_thread(start_scratch, lab)

        with pytest.raises(Refused, match="the container was re-created; nothing was sent"):
            await approved(watched, preview)

        assert lab.engine.execute(scratch, "postqueue", "-p").count("!") == 0
        assert not (tmp_path / "audit.jsonl").exists()
        await watched.until("the new one is watched", lambda s: log(s, target).health is Health.OK)
        (again,) = await fresh_plan(watched, target)
        assert (await approved(watched, again)).count(Fate.DONE) == 2


async def fresh_plan(watched: Watching, target: str) -> tuple[Preview, ...]:
    """Look again, and plan again."""
    now = watched.now.at
    await watched.engine.refresh(target, "listing")
    await watched.until("it is listed again", lambda s: any(q.target == target and q.listed_at > now for q in s.queues))
    return await watched.engine.plan("queue.hold", Selection(target=target, everything=True))
