"""Logs that are only kept: every daemon's lines reach the face, and one that cannot be read says so."""

from __future__ import annotations

from pathlib import Path

import pytest

from mailtop.model.errors import Denied, UsageError
from mailtop.model.log import LogPage, LogWindow
from mailtop.model.snapshot import Health, PageAsk
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
