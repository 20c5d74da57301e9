"""Logs on the lab: the lines of every service, each once, in the order of time, with who wrote it."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path

import pytest
from maillab.lab import Lab

from mailtop.model.log import LogLine, LogWindow
from mailtop.model.snapshot import Health, PageAsk
from tests.truth.watching import Watching, hosts_over_ssh, log, watching

pytestmark = pytest.mark.lab

SERVICES = ("postfix", "amavis", "spamassassin", "dovecot", "piler")


async def lines(watched: Watching, where: str) -> Sequence[LogLine]:
    page = await watched.engine.page(PageAsk("logs", where=where, window=LogWindow(back=5000)))
    assert page.log is not None
    return page.log.lines


async def test_one_mail_is_seen_in_the_logs_of_every_service_in_the_order_of_its_way(lab: Lab, tmp_path: Path) -> None:
    async with watching(hosts_over_ssh(), tmp_path) as watched:
        targets = [f"mail1/{name}" for name in SERVICES]
        await watched.until("all logs followed", lambda now: all(log(now, t).health is Health.OK for t in targets))
        (message,) = lab.clean().messages
        identity = message.message_id.strip("<>")

        async def seen() -> dict[str, Sequence[LogLine]]:
            return {name: await lines(watched, f"host:mail1 daemon:{name} {identity}") for name in SERVICES}

        await watched.until(
            "the mail is in a mailbox and in the archive", lambda now: log(now, "mail1/piler").lines > 0
        )
        found = await seen()
        async with asyncio.timeout(30):
            while not all(found.values()):
                at = watched.now.at
                await watched.until("the next snapshot", lambda now, at=at: now.at > at)  # type: ignore[misc]  # its own moment
                found = await seen()

        every = await lines(watched, identity)
        assert [line.place for line in every] == sorted(line.place for line in every)
        assert len({(line.target, line.text) for line in every}) == len(every)
        first = {name: found[name][0].at for name in SERVICES}
        assert first["postfix"] <= first["amavis"] + 1.0
        assert first["amavis"] <= first["dovecot"] + 1.0
