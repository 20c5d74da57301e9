"""What stands still says so: a pause, an engine without news, an engine that has ended."""

from __future__ import annotations

import asyncio

import pytest
from msgspec.structs import replace

from mailtop.model.errors import LinkLost
from mailtop.model.operation import Approval
from mailtop.model.snapshot import Health, Page, PageAsk
from mailtop.ui import feed
from tests.ui.driving import driven
from tests.ui.sites import NOW, broken, well


async def test_a_pause_is_seen_with_how_long_it_lasts() -> None:
    async with driven(well()) as mail:
        await mail.press("p")
        await mail.shows("PAUSED 0 s")
        mail.later(42)
        await mail.shows("PAUSED 42 s")
        assert ("pause", True) in mail.console.asked


async def test_a_pause_stands_still_and_goes_on_and_stands_still_again() -> None:
    async with driven(well()) as mail:
        await mail.press("p")
        await mail.shows("PAUSED")
        mail.console.show(at=NOW + 5)
        await mail.press("j")
        assert "22:13:20" in mail.text

        await mail.press("p")
        await mail.shows("22:13:25")
        assert "PAUSED" not in mail.text

        await mail.press("p")
        await mail.shows("PAUSED")
        assert [asked for asked in mail.console.asked if isinstance(asked, tuple) and asked[0] == "pause"] == [
            ("pause", True),
            ("pause", False),
            ("pause", True),
        ]


async def test_a_pause_is_known_though_the_engine_says_nothing_of_it() -> None:
    async with driven(well()) as mail:

        async def mute(paused: bool) -> None:
            mail.console.asked.append(("pause", paused))

        mail.console.pause = mute  # type: ignore[method-assign]  # an engine that freezes before it says so
        await mail.press("p")
        await mail.shows("PAUSED")
        mail.console.show(at=NOW + 1)  # was on its way already
        await mail.shows("22:13:21")
        assert "PAUSED" in mail.text
        await mail.press("p")
        assert "PAUSED" not in mail.text
        assert ("pause", False) in mail.console.asked


async def test_a_pause_that_is_refused_is_none() -> None:
    async with driven(well()) as mail:

        async def refuse(paused: bool) -> None:
            raise LinkLost("engine", "it does not answer", "start mailtop again")

        mail.console.pause = refuse  # type: ignore[method-assign]  # an engine that is gone
        await mail.press("p")
        await mail.shows("engine: it does not answer")
        assert "PAUSED" not in mail.text


async def test_an_engine_that_was_paused_already_is_shown_paused() -> None:
    async with driven(replace(well(), paused=True)) as mail:
        await mail.shows("PAUSED")
        await mail.press("p")
        await mail.until(lambda: ("pause", False) in mail.console.asked)


async def test_a_pause_is_no_silence() -> None:
    async with driven(well()) as mail:
        await mail.press("p")
        mail.later(600)
        await mail.shows("PAUSED 10 m")
        assert "no news" not in mail.text


async def test_to_operate_ends_a_pause() -> None:
    async with driven(well()) as mail:
        await mail.press("p", ":", *"operate", "enter")
        await mail.shows("OPERATE 15 m")
        assert "PAUSED" not in mail.text


async def test_silence_is_said_and_counted_by_itself() -> None:
    async with driven(broken(), size=(120, 40)) as mail:
        mail.later(5)
        await mail.press("j")
        assert "no news" not in mail.text

        mail.later(2)
        await mail.shows("✖ no news from the engine for 7 s")
        mail.later(3)
        await mail.shows("no news from the engine for 10 s")
        mail.console.show(at=NOW + 11)
        await mail.until(lambda: "no news" not in mail.text, "the news")


async def test_a_long_interval_is_no_silence() -> None:
    async with driven(replace(well(), interval=10.0)) as mail:
        mail.later(29)
        await mail.press("j")
        assert "no news" not in mail.text
        mail.later(2)
        await mail.shows("no news from the engine for 31 s")


async def test_in_silence_every_reading_is_old_and_nothing_is_ok() -> None:
    held = {"vip": "mail1", "vip_health": Health.OK, "writes": "mail2", "writes_health": Health.OK}
    async with driven(replace(well(), **held), size=(120, 40)) as mail:
        assert "VIP mail1 ●" in mail.text
        mail.later(34)
        await mail.shows("no news from the engine for 34 s")

        assert "●" not in mail.text
        assert "? 2/2 up" in mail.text
        assert "VIP mail1 ?" in mail.text
        assert "35 s old" in mail.line(" remote  ")  # the reading was a second old when it came
        assert "accepted 36 s" in mail.line("last ok")
        assert "22:13:54" in mail.text
        await mail.press("2")
        await mail.shows("listed 46 s ago")


async def test_silence_before_the_first_reading_is_said_too() -> None:
    async with driven(None) as mail:
        await mail.shows("waiting for the first reading")
        mail.later(6)
        await mail.shows("no news from the engine for 6 s")


async def test_an_engine_that_has_ended_is_said_for_good_with_why_and_what_to_do() -> None:
    async with driven(broken()) as mail:
        mail.console.end(LinkLost("engine", "it ended with status -9", "start mailtop again; --log-file says more"))
        await mail.shows("✖ engine ended: it ended with status -9; start mailtop again; --log-file says")
        mail.later(3600)
        await mail.press("2", "r", "j")
        await mail.shows("asking now")
        assert "engine ended: it ended with status -9" in mail.text
        assert "? " in mail.text


async def test_an_engine_that_ends_in_a_pause_is_said() -> None:
    async with driven(broken()) as mail:
        await mail.press("p")
        mail.console.end(LinkLost("engine", "it ended with status 1", "start mailtop again"))
        await mail.shows("engine ended: it ended with status 1; start mailtop again")


async def test_the_rows_of_an_engine_that_has_ended_stay_in_sight() -> None:
    async with driven(broken()) as mail:
        await mail.press("2")
        await mail.shows("▸     410")
        mail.console.end(LinkLost("engine", "it ended", "start mailtop again"))
        await mail.shows("engine ended")
        mail.console.refuses = LinkLost("engine", "it ended", "start mailtop again")
        asked = len(mail.console.asked)
        await mail.press("j")
        assert "▸      14" in mail.text
        await mail.press("tab")
        await mail.shows("asking")
        assert len(mail.console.asked) == asked  # nobody is there to answer


async def test_no_act_goes_to_an_engine_without_news() -> None:
    async with driven(broken()) as mail:
        await mail.press("2")
        await mail.shows("▸     410")
        await mail.press("H")
        await mail.shows("Hold 398")
        mail.later(7)
        await mail.press("A")
        await mail.shows("no act while there is no news from the engine")
        await mail.press("D")
        await mail.shows("not approved: there is no news from the engine; nothing was sent")
        await mail.press("escape", "H")
        assert not any(isinstance(asked, Approval) for asked in mail.console.asked)
        assert sum(isinstance(asked, tuple) and asked[0] == "queue.hold" for asked in mail.console.asked) == 1

        mail.console.show(at=NOW + 8)
        await mail.until(lambda: "no news" not in mail.text.splitlines()[1])
        await mail.press("H")
        await mail.shows("Hold 398")


async def test_a_page_that_never_comes_is_asked_for_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(feed, "ANSWER_WITHIN", 0.05)
    async with driven(broken()) as mail:
        answer = mail.console.page

        async def never(ask: PageAsk) -> Page:
            mail.console.asked.append(ask)
            await asyncio.Event().wait()
            raise AssertionError

        mail.console.page = never  # type: ignore[method-assign]  # an engine with a bug under a page
        await mail.press("2")
        await mail.shows("? engine: no answer within 0 s; r asks again")
        mail.console.page = answer  # type: ignore[method-assign]
        mail.console.show(at=NOW + 1)
        await mail.shows("▸     410")
