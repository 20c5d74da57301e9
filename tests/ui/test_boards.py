"""The screens of what probes measure, used: cursor, details, filter, log, refusal."""

from __future__ import annotations

from mailtop.model.errors import TimedOut
from mailtop.model.snapshot import PageAsk
from tests.ui.driving import driven
from tests.ui.sites import blocks, well


async def test_the_cursor_goes_from_block_to_block_and_row_to_row_and_stays_with_its_row() -> None:
    async with driven(well()) as mail:
        await mail.press("4", "j", "j")
        await mail.shows("▸  ▲ INFECTED")
        mail.console.move("board", blocks()[:1])
        await mail.until(lambda: "clamd" not in mail.text)
        assert "▸  ▲ INFECTED" in mail.text


async def test_a_service_and_a_row_are_described_in_full() -> None:
    async with driven(well()) as mail:
        await mail.press("4", "j", "d")
        await mail.shows("mail1/amavis children")
        assert "▲ warn" in mail.text
        await mail.press("q", "j", "d")
        await mail.shows("Eicar-Test-Signature")


async def test_a_filter_leaves_what_matches_and_esc_widens() -> None:
    async with driven(well()) as mail:
        await mail.press("4", "/", *"signatures", "enter")
        await mail.shows("esc shows all")
        assert "clamd" not in mail.line("signatures")
        await mail.press("escape")
        await mail.shows("INFECTED")


async def test_the_log_of_a_service_is_a_key_away() -> None:
    async with driven(well()) as mail:
        await mail.press("4", "j", "l")
        await mail.until(lambda: any(isinstance(ask, PageAsk) and ask.kind == "logs" for ask in mail.console.asked))
        asked = [ask for ask in mail.console.asked if isinstance(ask, PageAsk) and ask.kind == "logs"]
        assert asked[-1].where == "host:mail1 daemon:amavis"


async def test_who_refuses_is_heard_and_what_was_shown_stays() -> None:
    async with driven(well()) as mail:
        await mail.press("4")
        await mail.shows("INFECTED")
        mail.console.refuses = TimedOut("engine", "no answer")
        mail.console.show(versions={"board": 9})
        await mail.shows("no answer")
        assert "INFECTED" in mail.text
