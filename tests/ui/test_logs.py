"""Logs: live at the newest line, standing while the operator looks further up, searched and filtered."""

from __future__ import annotations

import asyncio
from functools import partial
from pathlib import Path

import pytest

from mailtop.model.snapshot import Page, PageAsk
from mailtop.ui.output import write_log
from tests.ui.driving import Driver, driven
from tests.ui.sites import NOW, broken, log_lines, well
from tests.ui.still import StillConsole


async def logs(mail: Driver) -> None:
    await mail.press("9")
    await mail.shows("does not resolve")


async def test_all_hosts_and_daemons_are_merged_by_time_with_who_and_how_bad() -> None:
    async with driven(well(), size=(120, 40)) as mail:
        await logs(mail)
        lines = mail.text.splitlines()

        error = next(line for line in lines if "auth-worker" in line)
        assert error.startswith(" ✖ ")
        assert "mail1" in error
        assert mail.line("does not resolve").startswith(" ▲ ")
        assert lines.index(error) < lines.index(mail.line("サーバー")) < lines.index(mail.line("4TqX2m6bYzz3F"))


async def test_a_line_of_a_stranger_is_no_escape_sequence() -> None:
    async with driven(well()) as mail:
        await logs(mail)

        assert r"\x1b[31mred" in mail.text
        assert "\x1b" not in mail.text


async def test_new_lines_come_in_at_the_bottom_and_a_standing_screen_stands() -> None:
    async with driven(well()) as mail:
        await logs(mail)
        mail.console.log("mail1/dovecot", b"imap-login: Info: the newest line\n", NOW + 100)
        await mail.shows("the newest line")

        await mail.press("k")
        await mail.shows("standing; G follows")
        before = mail.text.splitlines()[2:20]
        mail.console.log("mail1/dovecot", b"imap-login: Info: even newer\n", NOW + 101)
        await mail.press("k")
        assert "even newer" not in mail.text
        assert [line[1:] for line in mail.text.splitlines()[2:18]] == [line[1:] for line in before[:16]]

        await mail.press("G")
        await mail.shows("even newer")
        assert "live" in mail.text


async def test_a_standing_reader_comes_by_every_line_that_came_meanwhile() -> None:
    async with driven(well()) as mail:
        await logs(mail)
        await mail.press("k")
        await mail.shows("standing; G follows")
        mail.console.log("mail1/dovecot", b"".join(b"imap: Info: line %03d\n" % n for n in range(100)), NOW + 100)
        await mail.press("j")
        for number in range(100):
            await mail.press("j")
            await mail.until(partial(_at_line, mail, number), f"at line {number}")


def _at_line(mail: Driver, number: int) -> bool:
    return f"line {number:03d}" in mail.line("▸")


async def test_a_search_that_means_nothing_says_so_and_the_lines_stay() -> None:
    async with driven(well()) as mail:
        await logs(mail)
        await mail.press("k", "slash")
        await mail.type("level:loud")
        await mail.press("enter")
        await mail.shows("level:loud: there is no such level")

        assert "does not resolve" in mail.text
        assert "▸" in mail.text


async def test_e_goes_to_errors_and_says_when_there_is_none() -> None:
    async with driven(well()) as mail:
        await logs(mail)
        await mail.press("E")
        await mail.until(lambda: mail.line("▸").find("does not resolve") > 0, "at the warning")
        await mail.press("E")
        await mail.until(lambda: mail.line("▸").find("auth-worker") > 0, "at the error")
        await mail.press("E")
        await mail.shows("no error or warning before this one")
        await mail.press("e")
        await mail.until(lambda: mail.line("▸").find("does not resolve") > 0, "back at the warning")


async def test_a_search_finds_the_last_match_and_goes_on_both_ways() -> None:
    async with driven(well()) as mail:
        await logs(mail)
        await mail.press("slash")
        await mail.type("app")
        await mail.press("enter")
        await mail.until(lambda: mail.line("▸").find("app18") > 0, "at the last match")
        await mail.press("N")
        await mail.until(lambda: mail.line("▸").find("app16") > 0, "one before")
        await mail.press("N")
        await mail.until(lambda: mail.line("▸").find("does not resolve") > 0, "the one before that")
        await mail.press("n", "n")
        await mail.until(lambda: mail.line("▸").find("app18") > 0, "and on again")
        await mail.press("n")
        await mail.shows("no line with app after this one")


async def test_a_filter_narrows_and_esc_widens_and_a_wrong_one_says_why() -> None:
    async with driven(well()) as mail:
        await logs(mail)
        await mail.press("f")
        await mail.type("host:mail2")
        await mail.press("enter")
        await mail.until(lambda: "サーバー" in mail.text and "app18" not in mail.text, "only mail2")
        await mail.press("escape")
        await mail.shows("app18")

        await mail.press("f")
        await mail.type("level:loud")
        await mail.press("enter")
        await mail.shows("level:loud: there is no such level; known: error, warning, info")


async def test_d_shows_the_whole_line_and_o_writes_all_that_match(tmp_path: Path) -> None:
    async with driven(well()) as mail:
        await logs(mail)
        await mail.press("E", "E")
        await mail.until(lambda: mail.line("▸").find("auth-worker") > 0, "at the error")
        await mail.press("d")
        await mail.shows("mysql(maildb): Connect failed to database (mail)")
        await mail.press("escape", "f")
        await mail.type("level:warning")
        await mail.press("enter", "o")
        await mail.press("ctrl+u")
        await mail.type(f"{tmp_path}/out.tsv")
        await mail.press("enter")
        await mail.shows("out.tsv: 2 rows written")

        assert [line.split(" ", 1)[1] for line in (tmp_path / "out.tsv").read_text().splitlines()] == [
            "mail1/dovecot auth-worker: Error: mysql(maildb): Connect failed to database (mail)",
            "mail1/postfix postfix/smtpd: warning: hostname app.test does not resolve to address 192.0.2.7",
        ]


@pytest.mark.parametrize("key", ["j", "escape", "G"])
async def test_who_moves_on_is_not_moved_when_what_was_sought_is_found_at_last(key: str) -> None:
    async with driven(well()) as mail:
        await logs(mail)
        await mail.press("k")
        await mail.shows("standing; G follows")
        mail.console.looks.clear()
        await mail.press("E")
        await mail.until(lambda: mail.console.looking == 1, "it looks")
        await mail.press(key)
        mail.console.looks.set()
        await mail.until(lambda: mail.console.looking == 0, "it has looked")
        await mail.press("shift")

        if key == "G":
            assert "▸" not in mail.text
        else:
            assert "does not resolve" not in mail.line("▸")


async def test_writing_ends_though_lines_keep_coming(tmp_path: Path) -> None:
    class Talking(StillConsole):
        at = NOW

        async def page(self, ask: PageAsk) -> Page:
            page = await super().page(ask)
            self.at += 1
            self.ring.add("mail1/dovecot", b"imap: Info: more\n" * 2000, self.at)
            return page

    console = Talking(well(), {})
    for target, lines, at in log_lines():
        console.ring.add(target, lines, at)

    async with asyncio.timeout(20):
        written = await write_log(str(tmp_path / "out"), console, PageAsk("logs"), lambda *_: None)

    assert written == sum(lines.count(b"\n") for _, lines, _ in log_lines())


async def test_no_key_here_acts() -> None:
    async with driven(broken()) as mail:
        await logs(mail)
        await mail.press("H", "U", "a")

        assert not any(isinstance(asked, tuple) and asked[0].startswith("queue.") for asked in mail.console.asked)
        assert any(isinstance(asked, PageAsk) and asked.kind == "logs" for asked in mail.console.asked)


async def test_l_shows_the_log_of_the_message_under_the_cursor_and_of_the_alert_s_service() -> None:
    async with driven(broken()) as mail:
        await mail.press("2")
        await mail.shows("▸     410")
        await mail.press("tab", "tab")
        await mail.shows("▸ 4TqX2m")
        await mail.press("l")
        await mail.shows("f host:mail1 id:4TqX2m")

        await mail.press("1")
        await mail.shows("last ok")
        await mail.press("l")
        await mail.until(
            lambda: "lines kept" in mail.text and "f host:" not in mail.text, "all logs: no row was under a cursor"
        )
