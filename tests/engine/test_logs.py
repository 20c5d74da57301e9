"""Logs that are only kept: every daemon's lines reach the face, and one that cannot be read says so."""

from __future__ import annotations

import asyncio
from array import array
from pathlib import Path

import pytest

from mailtop.engine.clock import SystemClock
from mailtop.engine.logs import Logs
from mailtop.model.ask import Chunk
from mailtop.model.errors import Denied, UsageError
from mailtop.model.log import LogPage, LogWindow
from mailtop.model.snapshot import Health, PageAsk
from mailtop.model.topology import Target
from tests.engine.mail_host import MailHost
from tests.engine.test_engine import until, watching

ASK = PageAsk("logs", window=LogWindow(back=100))


async def test_lines_of_a_daemon_that_no_book_reads_can_be_looked_at(tmp_path: Path) -> None:
    host = MailHost(name="dovecot")
    engine = watching(host, tmp_path)
    await engine.start()
    host.say("Nov 24 02:36:54 imap-login: Info: one", "Nov 24 02:36:55 imap-login: Error: two", stamp=1_795_487_815.0)
    snapshot = await until(engine, lambda snapshot: bool(snapshot.versions.get("logs")))

    page = await engine.page(ASK)

    assert isinstance(page.log, LogPage)
    assert [(line.at, line.target, line.program, line.text) for line in page.log.lines] == [
        (1_795_487_814.0, "mail1/dovecot", b"imap-login", b"Info: one"),
        (1_795_487_815.0, "mail1/dovecot", b"imap-login", b"Error: two"),
    ]
    assert [(log.target, log.health, log.lines) for log in snapshot.logs] == [("mail1/dovecot", Health.OK, 2)]
    with pytest.raises(UsageError, match="level:loud"):
        await engine.page(PageAsk("logs", where="level:loud"))
    await engine.close()


async def test_a_log_that_may_not_be_read_is_denied_and_not_empty(tmp_path: Path) -> None:
    host = MailHost(name="dovecot", faults={"follow": Denied("mail1/dovecot: log", "permission denied")})
    engine = watching(host, tmp_path)
    await engine.start()

    snapshot = await until(engine, lambda seen: any(log.health is Health.DENIED for log in seen.logs))

    assert "permission denied" in snapshot.logs[0].note
    await engine.close()


async def test_all_daemons_of_a_host_whose_clock_is_ahead_are_told_by_our_clock() -> None:
    logs, at = Logs(SystemClock(), 900, lambda host: 60.0 if host == "mail1" else 0.0, driven=False), 1_795_487_814.0
    stamped = b"2026-11-24T02:37:54+00:00 mail1 postfix/qmgr[1]: one\n"
    logs.keep(Target("mail1", "postfix"), Chunk(stamped, "1", at + 60))
    logs.keep(Target("mail2", "dovecot"), Chunk(b"two\n", "1", at + 1, times=array("d", [at + 1]).tobytes()))
    logs.keep(Target("mail1", "dovecot"), Chunk(b"three\n", "1", at + 62, times=array("d", [at + 62]).tobytes()))

    page = (await logs.page(ASK)).log

    assert page is not None
    assert [(line.text, line.at - at) for line in page.lines] == [(b"one", 0), (b"two", 1), (b"three", 2)]


async def test_a_host_s_local_time_is_told_by_what_the_carrier_says() -> None:
    logs, at = Logs(SystemClock(), 900, lambda host: 0.0, driven=False), 1_795_487_814.0
    logs.keep(Target("mail1", "postfix"), Chunk(b"Nov 23 21:36:54 mail1 postfix/qmgr[1]: one\n", "1", at + 0.4))

    page = (await logs.page(ASK)).log

    assert page is not None
    assert [line.at for line in page.lines] == [at]


async def test_while_somebody_looks_through_all_lines_others_go_on() -> None:
    logs, done = Logs(SystemClock(), 900, lambda host: 0.0, driven=False), 0
    for second in range(30):
        logs.keep(Target("mail1", "postfix"), Chunk(b"nothing that is sought\n" * 1000, "1", 1_795_487_814.0 + second))
    looking = asyncio.create_task(logs.page(PageAsk("logs", where="!nothing", window=LogWindow(back=9))))
    while not looking.done():
        await asyncio.sleep(0)
        done += 1

    assert done > 10
    page = looking.result().log
    assert page is not None
    assert page.lines == ()
