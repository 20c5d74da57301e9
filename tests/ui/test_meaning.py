"""An act hits what the screen shows: to the letter, and not one message more unsaid."""

from __future__ import annotations

from msgspec.structs import replace

from mailtop.model.errors import TimedOut
from mailtop.model.operation import Selection
from mailtop.model.snapshot import PageAsk, Shape
from mailtop.model.text import Foreign
from tests.ui.driving import Driver, driven
from tests.ui.sites import broken, causes, hold_preview, shapes

HOSTILE = Foreign(b"a.test !domain:b.test ~x")
ONE = "mail1/postfix"


def held(mail: Driver) -> list[Selection]:
    """What was asked to be held, in order."""
    return [asked[1] for asked in mail.console.asked if isinstance(asked, tuple) and asked[0] == "queue.hold"]


async def to_causes(mail: Driver) -> None:
    await mail.press("2")
    await mail.shows("▸     410")


async def hold(mail: Driver) -> list[Selection]:
    """Hold what is chosen; returns the selections that were planned."""
    await mail.press("H")
    await mail.until(lambda: "[ Cancel ]" in mail.text, "the preview")
    return held(mail)


def chosen(mail: Driver) -> str:
    """What the preview says it was chosen to hit."""
    lines = [line.strip("│ ") for line in mail.text.splitlines()]
    start = next(number for number, line in enumerate(lines) if line.startswith("chosen"))
    stop = next(number for number, line in enumerate(lines) if line.startswith("in container"))
    return " ".join(lines[start:stop]).removeprefix("chosen").strip()


async def test_a_domain_that_reads_like_a_filter_is_only_a_domain() -> None:
    async with driven(broken()) as mail:
        mail.console.rows["shape"] = (Shape(HOSTILE, 3, (3,) + (0,) * 9),)
        await to_causes(mail)
        await mail.press("enter")
        await mail.shows("▸ a.test !domain")

        assert await hold(mail) == [Selection(cause="c1", target=ONE, domain=HOSTILE)]


async def test_a_domain_is_narrowed_by_its_bytes() -> None:
    async with driven(broken()) as mail:
        raw = Foreign(b"\xff\x1b.test")
        mail.console.rows["shape"] = (Shape(raw, 3, (3,) + (0,) * 9),)
        await to_causes(mail)
        await mail.press("enter")
        await mail.shows("▸ \\xff\\x1b.test")
        await mail.press("enter")
        await mail.until(lambda: PageAsk("messages", target=ONE, cause="c1", domain=raw) in mail.console.asked)


async def test_mail_without_a_domain_is_a_domain_of_its_own_and_not_all_mail() -> None:
    async with driven(broken()) as mail:
        mail.console.rows["shape"] = (Shape(Foreign(b""), 3, (3,) + (0,) * 9),)
        await to_causes(mail)
        await mail.press("tab")
        await mail.shows("3  ")

        assert await hold(mail) == [Selection(domain=Foreign(b""))]
        assert chosen(mail) == "all 3 messages to no domain, on every host"


async def test_the_filter_of_the_causes_chooses_causes_and_is_no_filter_of_messages() -> None:
    async with driven(broken()) as mail:
        await to_causes(mail)
        await mail.press("/", *"outlook", "enter")
        await mail.shows("▸     410")

        assert await hold(mail) == [Selection(cause="c1", target=ONE)]
        assert chosen(mail) == "all 410 messages of the cause outlook.test 5.7.1"


async def test_all_causes_are_each_cause_by_its_id() -> None:
    async with driven(broken()) as mail:
        await to_causes(mail)
        await mail.press("*")
        await mail.shows("all 4 causes")

        assert await hold(mail) == [Selection(cause=f"c{number}", target=ONE) for number in (1, 2, 3, 4)]


async def test_all_causes_are_refused_while_some_are_not_loaded() -> None:
    async with driven(broken()) as mail:
        mail.console.rows["causes"] = tuple(replace(causes()[0], id=f"c{number}") for number in range(340))
        await to_causes(mail)
        await mail.press("*")
        await mail.shows("only 200 of 340 causes are loaded; scroll through them first, or filter")
        assert "all 340" not in mail.text

        await mail.press("G")
        await mail.shows("▸     410")
        await mail.press("*")
        await mail.shows("all 340 causes")


async def test_a_cause_that_only_bounced_holds_nothing_that_could_be_hit() -> None:
    async with driven(broken()) as mail:
        mail.console.rows["causes"] = (replace(causes()[0], deferred=0, active=0, held=0),)
        await mail.press("2")
        await mail.shows("1 130")
        await mail.press("H")
        await mail.shows("no mail waits for this: it has only bounced")
        assert held(mail) == []


async def test_all_that_match_is_the_page_and_is_said_in_full() -> None:
    async with driven(broken()) as mail:
        await to_causes(mail)
        await mail.press("enter")
        await mail.shows("▸ outlook.test")
        await mail.press("enter")
        await mail.shows("▸ 4TqX2m00000z3F")
        await mail.press("/", *"sender:news", "enter")
        await mail.shows("▸ 4TqX2m00000z3F")
        await mail.press("*")
        await mail.shows("all 398 messages that match")

        outlook = Foreign(b"outlook.test")
        assert await hold(mail) == [Selection(where="sender:news", cause="c1", target=ONE, domain=outlook)]
        words = "to outlook.test, of the cause outlook.test 5.7.1, that match /sender:news, on mail1/postfix"
        assert chosen(mail) == f"all 398 messages {words}"


async def test_only_a_page_that_nothing_narrows_is_the_whole_queue() -> None:
    async with driven(broken()) as mail:
        await to_causes(mail)
        await mail.press("tab", "tab")
        await mail.shows("▸ 4TqX2m00000z3F")
        await mail.press("*")
        await mail.shows("all 398 messages")
        assert "that match" not in mail.text

        assert await hold(mail) == [Selection(everything=True)]
        assert chosen(mail) == "the whole queue: all 398 messages on every host"


async def test_all_domains_are_as_many_messages_as_they_hold() -> None:
    async with driven(broken()) as mail:
        await to_causes(mail)
        await mail.press("enter")
        await mail.shows("▸ outlook.test")
        await mail.press("*")
        await mail.shows("all 3 domains that match")

        assert await hold(mail) == [Selection(cause="c1", target=ONE)]
        total = f"{sum(shape.total for shape in shapes()):,}".replace(",", " ")
        assert f"all {total} messages of the cause outlook.test 5.7.1" in chosen(mail)


async def test_a_preview_of_more_than_was_shown_warns() -> None:
    async with driven(broken()) as mail:
        mail.console.previews = (replace(hold_preview(), count=411),)
        await to_causes(mail)
        await hold(mail)
        assert "▲ 411 messages now: more than the 410 that the screen showed" in mail.text


async def test_a_preview_of_as_many_or_fewer_does_not_warn() -> None:
    async with driven(broken()) as mail:
        await to_causes(mail)
        await hold(mail)
        assert "that the screen showed" not in mail.text


async def test_hosts_together_are_compared_with_what_was_shown() -> None:
    async with driven(broken()) as mail:
        mail.console.previews = (hold_preview(), hold_preview(plan="p2", target="mail2/postfix"))
        await to_causes(mail)
        await hold(mail)
        assert "▲ 796 messages now together: more than the 410 that the screen showed" in mail.text


async def test_an_open_range_is_not_yet_a_choice() -> None:
    async with driven(broken()) as mail:
        await to_causes(mail)
        await mail.press("v", "j", "H")
        await mail.shows("a range is open; end it with v or space")
        assert held(mail) == []


async def test_a_mark_counts_what_its_row_shows_now() -> None:
    async with driven(broken()) as mail:
        await to_causes(mail)
        await mail.press("space", "k")
        one, *rest = causes()
        mail.console.move("causes", [replace(one, deferred=500), *rest])
        await mail.shows("512")
        await hold(mail)
        assert chosen(mail) == "all 512 messages of the cause outlook.test 5.7.1"


async def test_rows_behind_an_error_are_hit_by_nothing() -> None:
    async with driven(broken()) as mail:
        await to_causes(mail)
        mail.console.refuses = TimedOut(ONE, "no answer within 10 s")
        mail.console.move("causes", causes())
        await mail.shows("? mail1/postfix: no answer within 10 s")
        await mail.press("H", "*")
        await mail.shows("these rows are not known, so nothing can be chosen")
        assert held(mail) == []
