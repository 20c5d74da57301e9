"""Queue: three levels, and a cursor that stays with its row."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import cast

from msgspec.structs import replace

from mailtop.model.errors import TimedOut
from mailtop.model.mail import QueueEntry
from mailtop.model.operation import Selection
from mailtop.model.snapshot import PageAsk
from mailtop.model.text import Foreign
from mailtop.ui.output import write_rows
from mailtop.ui.rows import PAGE
from tests.ui.driving import Driver, driven
from tests.ui.sites import broken, causes, entries, entry, well
from tests.ui.still import StillConsole

OUTLOOK = Foreign(b"outlook.test")


async def messages(mail: Driver) -> None:
    """To the messages of the leading cause."""
    await mail.press("2")
    await mail.shows("▸     410")
    await mail.press("enter")
    await mail.shows("▸ outlook.test")
    await mail.press("enter")
    await mail.shows("▸ 4TqX2m00000z3F")


async def test_enter_narrows_from_cause_to_shape_to_messages_and_esc_widens() -> None:
    async with driven(broken()) as mail:
        await messages(mail)
        assert "causes › outlook.test 5.7.1 › shape › outlook.test › messages 398" in mail.text
        assert (
            PageAsk("messages", target="mail1/postfix", cause="c1", domain=Foreign(b"outlook.test"))
            in mail.console.asked
        )

        await mail.press("escape", "escape")
        await mail.shows("▸     410")


async def test_mail_on_hold_is_no_mail_that_just_waits() -> None:
    first, second, *rest = causes()
    held, part = replace(first, deferred=0, active=0, held=410), replace(second, deferred=2, held=12)
    async with driven(broken()) as mail:
        mail.console.move("causes", (held, part, *rest))
        await mail.shows("on hold: ")
        await mail.press("2")
        await mail.shows("▸     410")
        assert "outlook.test     on hold: 5.7.1" in mail.line("▸     410")
        assert "on hold" not in mail.line("mx.slow.test")
        await mail.press("j")
        assert "→ mx.slow.test   12 on hold" in mail.text


async def test_tab_changes_between_shape_and_messages() -> None:
    async with driven(broken()) as mail:
        await mail.press("2")
        await mail.shows("▸     410")
        await mail.press("tab")
        await mail.shows("› shape")
        await mail.press("tab")
        await mail.shows("› messages")


async def test_the_cursor_stays_with_its_cause_when_causes_move() -> None:
    async with driven(broken()) as mail:
        await mail.press("2")
        await mail.shows("▸     410")
        await mail.press("j")
        assert "▸      14" in mail.text
        one, two, *rest = causes()
        mail.console.move("causes", [one, *rest, two])
        await mail.until(lambda: mail.text.index("サーバー") < mail.text.index("▸      14"), "the cause moved down")


async def test_a_row_that_left_is_pointed_at_by_nobody_and_no_act_hits_its_neighbour() -> None:
    async with driven(broken()) as mail:
        await mail.press("2")
        await mail.shows("▸     410")
        mail.console.move("causes", causes()[1:])
        await mail.shows("▹      14")
        await mail.press("H")
        await mail.shows("the row under the cursor has left; move to choose another")
        assert not any(isinstance(asked, tuple) and asked[0] == "queue.hold" for asked in mail.console.asked)

        await mail.press("k")
        assert "▸      14" in mail.text


async def test_a_million_messages_are_paged_and_the_end_is_one_key_away() -> None:
    async with driven(broken()) as mail:
        mail.console.rows = {**mail.console.rows, "messages": cast("Sequence[QueueEntry]", Million())}
        await messages(mail)
        await mail.press("G")
        await mail.shows("▸ 4TqX2m999999z3F")

        asked = [ask for ask in mail.console.asked if isinstance(ask, PageAsk) and ask.kind == "messages"]
        assert {ask.offset for ask in asked} == {0, 1_000_000 - PAGE}
        assert all(ask.limit == PAGE for ask in asked)


class Million:
    """A million messages that exist only when looked at."""

    def __len__(self) -> int:
        return 1_000_000

    def __getitem__(self, window: slice) -> list[QueueEntry]:
        return [entry(number) for number in range(window.start, min(window.stop, len(self)))]


async def test_marks_stay_with_their_messages_and_an_act_hits_only_them() -> None:
    async with driven(broken()) as mail:
        await messages(mail)
        await mail.press("space", "space", "j", "space")
        await mail.shows("3 marked")
        mail.console.move("messages", [entry(900), *entries()])
        await mail.shows("•4TqX2m00003z3F")
        await mail.press("H")
        await mail.until(lambda: any(isinstance(a, tuple) and a[0] == "queue.hold" for a in mail.console.asked))

        keys = tuple(entry(number).key for number in (0, 1, 3))
        assert ("queue.hold", Selection(keys=keys)) in mail.console.asked


async def test_v_marks_a_range_and_u_drops_it() -> None:
    async with driven(broken()) as mail:
        await messages(mail)
        await mail.press("v", "j", "j", "v")
        await mail.shows("3 marked")
        await mail.press("u")
        assert "marked" not in mail.text


async def test_everything_that_matches_is_one_selection_by_its_filter() -> None:
    async with driven(broken()) as mail:
        await messages(mail)
        await mail.press("/", *"sender:news", "enter")
        await mail.shows("▸ 4TqX2m00000z3F")
        await mail.press("*")
        await mail.shows("all 398 messages that match")
        await mail.press("H")
        await mail.until(lambda: any(isinstance(a, tuple) and a[0] == "queue.hold" for a in mail.console.asked))

        expected = Selection(where="sender:news", cause="c1", target="mail1/postfix", domain=OUTLOOK)
        assert ("queue.hold", expected) in mail.console.asked


async def test_a_filter_that_is_none_says_so_where_the_rows_would_be() -> None:
    async with driven(broken()) as mail:
        await mail.press("2", "/", *"bad:x", "enter")
        await mail.shows("filter: bad:x is no filter; try sender:ann")
        await mail.press("escape")
        await mail.shows("▸     410")


async def test_no_answer_is_never_an_empty_list() -> None:
    async with driven(broken()) as mail:
        mail.console.refuses = TimedOut("mail1/postfix", "no answer within 10 s")
        await mail.press("2")
        await mail.shows("? mail1/postfix: no answer within 10 s")
        assert "no mail waits" not in mail.text


async def test_rows_that_are_not_known_are_never_an_empty_queue() -> None:
    async with driven(well()) as mail:
        mail.console.rows["causes"] = ()
        mail.console.unknown = "the listing is denied: postqueue"
        await mail.press("2")
        await mail.shows("? not known: the listing is denied: postqueue")
        assert "no mail waits" not in mail.text
        assert "causes ?" in mail.text
        assert "causes 0" not in mail.text


async def test_rows_that_are_missing_beside_others_are_said() -> None:
    async with driven(broken()) as mail:
        mail.console.unknown = "mail2/postfix: not listed yet"
        await mail.press("2")
        await mail.shows("? rows are missing: mail2/postfix: not listed yet")
        assert "▸     410" in mail.text
        await mail.press("*")
        await mail.shows("not every row is known, so there is no `all`")


async def test_no_mail_waits_is_good_news_only_where_all_is_known() -> None:
    async with driven(well()) as mail:
        mail.console.rows["causes"] = ()
        await mail.press("2")
        await mail.shows("● no mail waits")
    async with driven(broken()) as mail:
        mail.console.rows["causes"] = ()
        await mail.press("2")
        await mail.shows("? no mail waits, and none bounced in the last hour, as far as is known")


async def test_what_is_typed_ahead_goes_to_the_line_that_is_asked_for() -> None:
    async with driven(broken()) as mail:
        await mail.press("2")
        await mail.shows("▸     410")
        for key in ("slash", "q", "H", "1"):  # all before the loop comes round
            mail.app.press(key, {"slash": "/"}.get(key, key))
        assert "/qH1" in mail.text.splitlines()[-1]


async def test_the_same_column_again_turns_the_order_round() -> None:
    async with driven(broken()) as mail:
        await mail.press("2")
        await mail.shows("▸     410")
        await mail.press("s", "2")
        await mail.until(lambda: PageAsk("causes", sort="-growth") in mail.console.asked)
        await mail.press("s", "2")
        await mail.until(lambda: PageAsk("causes", sort="growth") in mail.console.asked)


async def test_d_tells_all_about_a_row() -> None:
    async with driven(broken()) as mail:
        await mail.press("2")
        await mail.shows("▸     410")
        await mail.press("d")
        await mail.shows("╭─ Cause")
        assert "1 130 in the last hour" in mail.text


async def test_y_copies_the_ids_of_all_that_are_marked() -> None:
    async with driven(broken()) as mail:
        await messages(mail)
        await mail.press("space", "space", "y")
        await mail.shows("copied 2 rows")
        assert mail.app.clipboard == "4TqX2m00000z3F\n4TqX2m00001z3F"


async def test_o_writes_every_row_that_matches(tmp_path: Path) -> None:
    file = tmp_path / "queue.tsv"
    async with driven(broken()) as mail:
        await messages(mail)
        await mail.press("o", "ctrl+u")
        await mail.type(str(file))
        await mail.press("enter")
        await mail.shows("398 rows written")

    lines = file.read_text("utf-8").splitlines()
    assert len(lines) == 399
    assert lines[1].startswith("mail1/postfix 4TqX2m00000z3F\tactive\t")


async def test_a_stranger_s_words_are_no_formula_in_a_file(tmp_path: Path) -> None:
    file = tmp_path / "queue.tsv"
    row = entry(1, b"=HYPERLINK(1)@x.test")
    await write_rows(str(file), StillConsole(well(), {"messages": (row,)}), PageAsk("messages"), lambda *_: None)

    assert "\t'=HYPERLINK(1)@x.test\t" in file.read_text("utf-8")


async def test_o_never_overwrites(tmp_path: Path) -> None:
    file = tmp_path / "queue.tsv"
    file.write_text("mine")
    async with driven(broken()) as mail:
        await mail.press("2", "o", "ctrl+u")
        await mail.type(str(file))
        await mail.press("enter")
        await mail.shows("is there already")
    assert file.read_text() == "mine"


async def test_o_writes_no_empty_file_for_rows_that_are_not_known(tmp_path: Path) -> None:
    file = tmp_path / "queue.tsv"
    async with driven(broken()) as mail:
        mail.console.rows["causes"] = ()
        mail.console.unknown = "host is down"
        await mail.press("2", "o", "ctrl+u")
        await mail.type(str(file))
        await mail.press("enter")
        await mail.shows("queue.tsv: not written, for no row is known: host is down")
    assert not file.exists()


async def test_o_says_that_rows_are_missing(tmp_path: Path) -> None:
    async with driven(broken()) as mail:
        mail.console.unknown = "mail2 is down"
        await mail.press("2", "o", "ctrl+u")
        await mail.type(str(tmp_path / "queue.tsv"))
        await mail.press("enter")
        await mail.shows("queue.tsv: 4 rows written, and some are missing: mail2 is down")


async def test_esc_at_the_root_ends_a_full_listing_that_runs_and_nothing_else() -> None:
    snapshot = broken()
    async with driven(snapshot) as mail:
        await mail.press("2", "escape")
        assert ("stop_listing", "") not in mail.console.asked
        running = replace(snapshot.queues[0], listing=0.4)
        mail.console.show(queues=(running, *snapshot.queues[1:]))
        await mail.shows("listing 40%")
        await mail.press("enter", "escape")
        assert ("stop_listing", "") not in mail.console.asked
        await mail.press("escape")
        await mail.until(lambda: ("stop_listing", "") in mail.console.asked)
