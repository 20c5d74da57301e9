"""A day of ten hosts in minutes, by a clock that the test moves: memory grows to its bounds, and then no more."""

from __future__ import annotations

import asyncio
import gc
import os
import queue
import random
from collections.abc import Iterator
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

import pytest

from mailtop.config import HostSettings, Settings
from mailtop.engine.clock import DrivenClock
from mailtop.engine.discovery import NAME as DISCOVERY
from mailtop.engine.watching import Watching
from mailtop.model.ask import Answer, Chunk, Command, Follow, Look, Put, Source
from mailtop.model.errors import LinkLost
from mailtop.model.snapshot import Health
from tests.engine.mail_host import ARRIVED, MailHost, Message

pytestmark = [pytest.mark.soak, pytest.mark.timeout(0)]

HOSTS, HOURS, STEP = 10, float(os.environ.get("MAILTOP_DAY_HOURS", "24")), 20.0
MAILS = 2  # a host and step; each is six lines of its log
GROWN = 90  # MiB over an engine that has just begun: with its interpreter, less than 120
FLAT = 3.0  # MiB that the day's last quarter may add
PROBES = ("postfix_queue", "postfix_deferred", "postfix_listing")
REASONS = ("451 4.7.650 rate limited", "Connection timed out", "452 4.2.2 over quota", "Host or domain name not found")
BASE52 = "0123456789BCDFGHJKLMNPQRSTVWXYZbcdfghjklmnpqrstvwxyz"


class DayHost(MailHost):
    """A mail host whose log is handed on and not kept: what grows is none of ours."""

    def __init__(self, clock: DrivenClock, number: int) -> None:
        super().__init__(engine_id=f"ENGINE-{number}", now=clock.now)
        self.machine = f"machine-{number}\n".encode()
        self.chunks: queue.SimpleQueue[Chunk | None] = queue.SimpleQueue()
        self.chance = random.Random(number)
        self.waiting: list[str] = []
        self.mails = 0

    def ask(self, container: str, ask: Look | Put, by: str = "") -> Answer:
        if isinstance(ask, Command) and "/etc/machine-id" in ask.argv:
            return Answer(self.machine)
        return super().ask(container, ask, by)

    def follow(self, container: str, follow: Follow) -> Iterator[Chunk]:
        yield Chunk(b"", follow.resume, 0.0)
        while (chunk := self.chunks.get()) is not None:
            yield chunk
        raise LinkLost("mail", "closed")

    def close(self) -> None:
        super().close()
        self.chunks.put(None)

    def live(self, at: float) -> int:
        """Let some mail come, be deferred or delivered, now and then leave; how many lines the log has of it."""
        lines = [line for _ in range(MAILS) for line in self._mail(at)]
        if len(self.waiting) > 300:
            gone = self.waiting.pop(0)
            del self.messages[gone]
            lines.append(f"qmgr[9]: {gone}: removed")
        stamp = f"{datetime.fromtimestamp(at, UTC):%Y-%m-%dT%H:%M:%S.%f}+00:00"
        text = "".join(f"{stamp} mail postfix/{line}\n" for line in lines)
        self.chunks.put(Chunk(text.encode(), f"{at}", at))
        return len(lines)

    def _mail(self, at: float) -> list[str]:
        self.mails += 1
        chance, number = self.chance, _long_id(at, self.mails)
        client, sender = f"c{chance.randrange(5000)}.test[192.0.2.{chance.randrange(256)}]", f"s{self.mails}@shop.test"
        domain = f"d{chance.randrange(50) if chance.random() < 0.9 else self.mails}.test"
        to, relay = f"to=<r{chance.randrange(10**6)}@{domain}>", f"relay=mx.{domain}[203.0.113.9]:25"
        figures = "delay=0.4, delays=0.1/0/0.1/0.2, dsn"
        lines = [
            f"smtpd[7]: {number}: client={client}",
            f"cleanup[8]: {number}: message-id=<{number}@shop.test>",
            f"qmgr[9]: {number}: from=<{sender}>, size=724, nrcpt=1 (queue active)",
        ]
        if chance.random() < 0.1:
            reason = f"host mx.{domain}[203.0.113.9] said: {chance.choice(REASONS)} ({number})"
            self.messages[number] = Message("deferred", sender, (to[4:-1],), int(at), reason)
            self.waiting.append(number)
            return [*lines, f"smtp[6]: {number}: {to}, {relay}, {figures}=4.0.0, status=deferred ({reason})"]
        sent = f"smtp[6]: {number}: {to}, {relay}, {figures}=2.0.0, status=sent (250 ok)"
        return [*lines, sent, f"qmgr[9]: {number}: removed"]


def _long_id(at: float, number: int) -> str:
    seconds, letters = int(at), ""
    for _ in range(6):
        seconds, digit = divmod(seconds, 52)
        letters = BASE52[digit] + letters
    return f"{letters}{number % 10_000:04d}".replace("0", "B") + f"z{number:x}".upper().replace("Z", "z")


def _same(host: DayHost) -> Source:
    return host


def resident() -> float:
    """MiB that this process has in memory."""
    gc.collect()
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 2**20


async def test_a_day_of_ten_hosts_fills_its_windows_and_then_takes_no_more_memory() -> None:
    clock = DrivenClock(float(ARRIVED))
    hosts = {f"mail{number}": DayHost(clock, number) for number in range(HOSTS)}
    settings = Settings(hosts={name: HostSettings() for name in hosts})
    watching = Watching(settings, {name: partial(_same, host) for name, host in hosts.items()}, clock, driven=True)
    watching.open()
    for watch in watching.watches.values():
        await watch.link.wait_up()
        await watch.run("", DISCOVERY)
    begun, curve, told = resident(), list[tuple[float, float]](), 0
    for number in range(round(HOURS * 3600 / STEP)):
        clock.move(ARRIVED + number * STEP)
        told += sum(host.live(clock.now()) for host in hosts.values())
        async with asyncio.timeout(30):
            while sum(one.state.lines for w in watching.watches.values() for one in w.followers.values()) < told:
                await asyncio.sleep(0)
        for watch in watching.watches.values():
            for probe in PROBES:
                await watch.run("postfix", probe)
        logs = watching.follow_on(clock.now())
        snapshot = watching.picture(number, clock.now(), logs)
        if number % round(3600 / STEP) == 0:
            curve.append((number * STEP / 3600, round(resident() - begun, 1)))
            print(*curve[-1], len(watching.store), snapshot.hops[3].deferred.value)  # noqa: T201  (shown with -s)
    assert all(log.health is Health.OK and not log.unreadable for log in snapshot.logs)
    assert [len(mta.queue.listing or ()) for mta in watching.mtas] == [len(host.messages) for host in hosts.values()]
    last = resident() - begun
    await watching.close()

    assert last < GROWN, curve
    three_quarters = next((mib for hour, mib in curve if hour >= HOURS * 3 / 4), curve[-1][1])
    assert last - three_quarters < FLAT, curve
