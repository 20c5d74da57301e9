"""The screen of alerts, used: what leads where, all about one, filter, log, refusal."""

from __future__ import annotations

from mailtop.model.errors import TimedOut
from mailtop.model.snapshot import PageAsk
from tests.ui.driving import driven
from tests.ui.sites import broken, noted, well


async def test_enter_leads_to_the_screen_that_shows_it() -> None:
    async with driven(broken()) as mail:
        await mail.press("0", "j", "enter")
        await mail.shows("▸     410")


async def test_d_says_all_about_one_also_what_nobody_knows() -> None:
    async with driven(broken()) as mail:
        await mail.press("0", "j", "j", "j", "d")
        await mail.shows("2× within a minute of its end")
        assert "≥ 10 s" in mail.line("limit ")
        await mail.press("q", "j", "j", "d")
        await mail.shows("22:11:45, 1 m ago")
        assert "connection refused" in mail.line("not known  mail2")
        await mail.press("q", "G", "d")
        await mail.shows("it ended at some time since")


async def test_a_filter_counts_what_it_leaves() -> None:
    async with driven(broken()) as mail:
        await mail.press("0", "/", *"takes", "enter")
        await mail.shows("firing 1 of 4")
        assert "outlook" not in mail.text
        await mail.press("escape")
        await mail.shows("outlook")


async def test_the_log_of_what_it_is_about_is_a_key_away() -> None:
    async with driven(broken()) as mail:
        await mail.press("0", "j", "j", "j", "l")
        await mail.until(lambda: any(isinstance(ask, PageAsk) and ask.kind == "logs" for ask in mail.console.asked))
        asked = [ask for ask in mail.console.asked if isinstance(ask, PageAsk) and ask.kind == "logs"]
        assert asked[-1].where == "host:mail1 daemon:amavis"


async def test_one_that_ends_moves_and_the_cursor_stays_with_it() -> None:
    async with driven(broken()) as mail:
        await mail.press("0", "j", "j", "j")
        await mail.shows("▸▲ ")
        mail.console.move("alerts", noted(broken())[2:])
        await mail.shows("firing 2")
        assert "check takes" in mail.line("▸▲ ")


async def test_nothing_is_firing_only_as_far_as_is_known() -> None:
    async with driven(well()) as mail:
        await mail.press("0")
        await mail.shows("● nothing is firing")
        mail.console.show(hosts=())
        await mail.shows("? nothing is firing, as far as is known")


async def test_who_refuses_is_heard_and_what_was_shown_stays() -> None:
    async with driven(broken()) as mail:
        await mail.press("0")
        await mail.shows("recent")
        mail.console.refuses = TimedOut("engine", "no answer")
        mail.console.show(versions={"alerts": 9})
        await mail.shows("no answer")
        assert "recent" in mail.text
