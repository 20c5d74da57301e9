"""Files and the journal of a host without Docker, rotated, emptied and cut off amid traffic: the book is the truth.

What is gone from a source for good is told as a gap, and the book is the truth outside of it.
"""

from __future__ import annotations

import asyncio
import re
import smtplib
import threading
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import datetime
from math import inf
from pathlib import Path

import pytest
from maillab.engine import Engine as Docker
from maillab.lab import Lab
from maillab.plain_host import KEEPERS, MAIL3, SSH_CONFIG, STDOUT, PlainHost, recreate
from maillab.waiting import wait_until

from mailtop.config import HostSettings
from mailtop.model.snapshot import Health, Link
from tests.truth.comparing import told_by
from tests.truth.watching import HERE, Watching, host, log, watching

pytestmark = [pytest.mark.faults, pytest.mark.timeout(180)]

OVER_SSH = {"mail3": HostSettings(ssh="mail3", ssh_config=str(SSH_CONFIG), docker=False)}
RECIPIENTS = ("friend@sent.test", "slow@late.test", "nobody@never.test", "stranger@elsewhere.test")
PACE = 0.05  # seconds between two messages
EXACT = 0.000002  # seconds: stamps are exact to the microsecond

_STATUS = re.compile(r"postfix/(\w+)\[\d+\]: \w+: to=<[^>]*>, .*?status=(\w+) \(")
_TAKEN = re.compile(r"postfix/(?:smtpd\[\d+\]: \w+: client=|pickup\[\d+\]: \w+: uid=)")
_REJECT = re.compile(r"postfix/smtpd\[\d+\]: \w+: reject: RCPT from")

Counts = tuple[dict[str, int], int, int]
"""Deliveries by status, messages accepted, and refused."""


def counted(lines: Sequence[str]) -> Counts:
    """The truth: what the lines of a log say."""
    found = [one.groups() for line in lines if (one := _STATUS.search(line))]
    statuses = Counter("discarded" if program == "discard" else status for program, status in found)
    accepted = sum(bool(_TAKEN.search(line)) for line in lines)
    return dict(statuses), accepted, sum(bool(_REJECT.search(line)) for line in lines)


def told(watched: Watching, target: str) -> Counts:
    """What mailtop has counted."""
    truth = told_by(watched.book(target))
    statuses: Counter[str] = Counter()
    for (_, status), count in truth.deliveries.items():
        statuses[status] += count
    return dict(statuses), truth.accepted, truth.rejects.total()


class Mail:
    """Mail to one address, for as long as this lasts; `sent` so many, `paused` for a moment while set."""

    def __init__(self, address: str) -> None:
        self.sent = 0
        self.paused = threading.Event()
        self._address = address
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._run, name="mail", daemon=True)
        self._thread.start()

    def _run(self) -> None:
        while not self._end.wait(PACE):
            if self.paused.is_set():
                continue
            with suppress(OSError, smtplib.SMTPException), smtplib.SMTP(self._address, timeout=5) as client:
                client.sendmail("", RECIPIENTS, b"Subject: hello\r\n\r\nhello\r\n")
                self.sent += 1

    def stop(self) -> None:
        self._end.set()
        self._thread.join(20)


@contextmanager
def mail(address: str) -> Iterator[Mail]:
    sending = Mail(address)
    try:
        yield sending
    finally:
        sending.stop()


@pytest.fixture(scope="module")
def mail3(lab: Lab) -> Iterator[PlainHost]:
    plain = PlainHost()
    plain.up()
    plain.rejoin()
    yield plain
    plain.down()


async def more(watched: Watching, sending: Mail, count: int = 10) -> None:
    """Until some more mail was sent."""
    goal = sending.sent + count
    await watched.until(f"{count} more messages", lambda _: sending.sent >= goal)


async def at_rest(mail3: PlainHost) -> None:
    await asyncio.to_thread(wait_until, mail3.at_rest, 60, "nothing is under way")


@pytest.mark.parametrize("keeper", KEEPERS)
async def test_rotation_restarts_and_cuts_amid_traffic_lose_nothing_and_count_nothing_twice(
    keeper: str, mail3: PlainHost, tmp_path: Path
) -> None:
    await asyncio.to_thread(mail3.keep, keeper)
    files = keeper != "journald"
    async with watching(OVER_SSH, tmp_path) as watched:
        await watched.until("the log is read", lambda s: log(s, "mail3").health is Health.OK)
        source = log(watched.now, "mail3").source
        assert source == ("/var/log/mail.log" if files else "journald:mail")
        with mail(MAIL3.address) as sending:
            await more(watched, sending)
            if files:
                await asyncio.to_thread(mail3.rotate)
                await more(watched, sending)
            link = watched.engine._watching.watches["mail3"].link
            before = link.generation
            await asyncio.to_thread(mail3.cut_connections)
            if files:
                await asyncio.to_thread(mail3.rotate)
                await more(watched, sending, 5)
                await asyncio.to_thread(mail3.rotate)  # by now the one that was being read is packed
            await asyncio.to_thread(mail3.restart_postfix)
            await watched.until("the cut was seen, and is over", lambda _: link.generation > before)
            await more(watched, sending)
            if files:
                sending.paused.set()  # a copy with truncation loses by itself what is written in between
                await at_rest(mail3)
                await asyncio.to_thread(mail3.rotate, copy=True)
                sending.paused.clear()
                await more(watched, sending)
        await at_rest(mail3)
        truth = counted(await asyncio.to_thread(mail3.lines))
        assert sum(truth[0].values()) > 60
        await watched.until(f"the book says {truth}", lambda _: told_settled(watched, "mail3") == truth)
        state = log(watched.now, "mail3")
    assert (state.gap, state.lost, state.unreadable) == (0.0, 0, 0)


def told_settled(watched: Watching, target: str) -> Counts:
    watched.book(target).settle(inf)
    return told(watched, target)


def written_at(line: str) -> float:
    return datetime.fromisoformat(line.split(" ", 1)[0]).timestamp()


@pytest.mark.parametrize("keeper", ["rsyslog", "journald"])
async def test_what_was_thrown_away_while_nobody_could_read_is_a_gap_and_the_book_is_true_outside_of_it(
    keeper: str, mail3: PlainHost, tmp_path: Path
) -> None:
    await asyncio.to_thread(mail3.keep, keeper, JOURNAL_MAX="1M", JOURNAL_FILE="512K")
    async with watching(OVER_SSH, tmp_path) as watched:
        await watched.until("the log is read", lambda s: log(s, "mail3").health is Health.OK)
        with mail(MAIL3.address):
            await watched.until("some mail is read", lambda _: told_settled(watched, "mail3")[1] >= 10)
            await asyncio.to_thread(mail3.isolate)
        try:
            await watched.until("the cut is seen", lambda s: host(s, "mail3").link is not Link.UP)
            await asyncio.to_thread(mail3.flood, 300)
            if keeper == "rsyslog":
                await asyncio.to_thread(mail3.truncate)
            await asyncio.to_thread(mail3.flood, 300)
            await at_rest(mail3)
        finally:
            await asyncio.to_thread(mail3.rejoin)
        last = log(watched.now, "mail3").last_at
        await watched.until("the gap is told", lambda s: log(s, "mail3").gap, within=60)
        gap = log(watched.now, "mail3").gap
        lines = await asyncio.to_thread(mail3.everything)
        kept = [line for line in lines if not last + EXACT < written_at(line) < last + gap - EXACT]
        truth = counted(kept)
        assert len(kept) < len(lines) - 100
        await watched.until(f"the book says {truth}", lambda _: told_settled(watched, "mail3") == truth)
        assert any(alert.target == "mail3" and "of its log are gone" in alert.summary for alert in watched.now.alerts)


@pytest.mark.parametrize(
    ("user", "keeper", "health", "says"),
    [
        ("reader", "rsyslog", Health.OK, ""),
        ("guest", "rsyslog", Health.DENIED, "/var/log/mail.log: permission denied; add the user to group adm"),
        ("reader", "journald", Health.OK, ""),
        ("guest", "journald", Health.DENIED, "add the user to group systemd-journal"),
    ],
)
async def test_a_log_that_may_not_be_read_names_the_group_that_may(
    user: str, keeper: str, health: Health, says: str, mail3: PlainHost, tmp_path: Path
) -> None:
    await asyncio.to_thread(mail3.keep, keeper)
    as_user = {"mail3": HostSettings(ssh=f"{user}@mail3", ssh_config=str(SSH_CONFIG), docker=False)}
    async with watching(as_user, tmp_path) as watched:
        await watched.until("it is said", lambda s: log(s, "mail3").health is health)
        assert says in log(watched.now, "mail3").note


async def test_a_container_made_anew_amid_traffic_begins_a_new_log_and_what_went_with_the_old_one_is_a_gap(
    lab: Lab, tmp_path: Path
) -> None:
    docker, here = Docker(), "here"
    await asyncio.to_thread(recreate, docker)
    target = f"{here}/{STDOUT.name}"
    try:
        async with watching({here: HERE}, tmp_path) as watched:
            await watched.until("its log is read", lambda s: log(s, target).health is Health.OK)
            with mail(STDOUT.address) as sending:
                await more(watched, sending, 20)
                sending.paused.set()
                await watched.until("it is at rest", lambda s: s.at - log(s, target).last_at > 2.0)
                before = counted(docker.try_run("logs", STDOUT.name).stdout.splitlines())
                assert told_settled(watched, target) == before
                await asyncio.to_thread(recreate, docker)
                sending.paused.clear()
                await more(watched, sending, 20)
            await watched.until("the new log is read", lambda s: log(s, target).gap)
            await watched.until("it is at rest", lambda s: s.at - log(s, target).last_at > 2.0)
            after = counted(docker.try_run("logs", STDOUT.name).stdout.splitlines())
            both = {word: before[0].get(word, 0) + after[0].get(word, 0) for word in {*before[0], *after[0]}}
            assert told_settled(watched, target) == (both, before[1] + after[1], before[2] + after[2])
    finally:
        await asyncio.to_thread(docker.try_run, "rm", "--force", "--volumes", STDOUT.name)
