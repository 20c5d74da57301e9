"""The Flow screen, used: a row leads to its queue or its log; what is missing is said."""

from __future__ import annotations

from mailtop.model.snapshot import PageAsk
from tests.ui.driving import driven
from tests.ui.sites import well


async def test_a_destination_leads_to_its_mail_in_the_queue() -> None:
    async with driven(well()) as mail:
        await mail.press("3", "j", "enter")
        await mail.until(lambda: any(isinstance(ask, PageAsk) and ask.kind == "messages" for ask in mail.console.asked))
        asked = [ask for ask in mail.console.asked if isinstance(ask, PageAsk) and ask.kind == "messages"]
        assert asked[-1].where == "domain:outlook.test"


async def test_the_next_table_comes_first_and_its_row_leads_to_the_log() -> None:
    async with driven(well()) as mail:
        await mail.press("3", "tab", "tab", "j")
        await mail.shows("▸news@shop.example")
        await mail.press("l")
        await mail.until(lambda: any(isinstance(ask, PageAsk) and ask.kind == "logs" for ask in mail.console.asked))
        asked = [ask for ask in mail.console.asked if isinstance(ask, PageAsk) and ask.kind == "logs"]
        assert asked[-1].where == "news@shop.example"


async def test_whose_part_is_missing_from_the_sums_is_said() -> None:
    async with driven(well()) as mail:
        mail.console.unknown = "without mail2/postfix: connection refused"
        await mail.press("3")
        await mail.shows("without mail2/postfix: connection refused")
