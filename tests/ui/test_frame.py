"""The frame: what is always there, on every screen."""

from __future__ import annotations

import pytest
from msgspec.structs import replace
from textual.events import Paste

from mailtop.model.errors import ConfigError
from mailtop.model.question import Kind, Question
from mailtop.model.snapshot import Health, HostState, Link, Reading, Snapshot
from mailtop.model.text import Foreign
from mailtop.ui.app import MailtopApp
from tests.ui.driving import driven
from tests.ui.sites import NOW, broken, well
from tests.ui.still import ACTS, StillConsole


async def test_the_top_line_says_where_and_whether_one_may_act() -> None:
    async with driven(broken(), size=(120, 30)) as mail:
        top = mail.text.splitlines()[0]
        for part in (
            "example.com",
            "✖ 1/2 up",
            "VIP mail1 ●",
            "writes mail1 ●",
            "✖ 2",
            "▲ 1",
            "OPERATE 14 m",
            "22:13:20",
        ):
            assert part in top


async def test_at_eighty_columns_the_mode_and_the_clock_are_never_cut() -> None:
    async with driven(broken()) as mail:
        top = mail.text.splitlines()[0]
        assert "OPERATE 14 m" in top
        assert "22:13:20" in top


async def test_ok_is_said_only_where_all_is_known() -> None:
    async with driven(well(), size=(120, 30)) as mail:
        assert "● no alerts" in mail.text.splitlines()[0]

        host, *others = well().hosts
        queue, *queues = well().queues
        log, *logs = well().logs
        for unknown in (
            {"hosts": (replace(host, link=Link.CONNECTING), *others)},
            {"hosts": ()},
            {"logs": (replace(log, health=Health.UNKNOWN), *logs)},
            {"logs": ()},
            {"queues": (replace(queue, counts=(("deferred", Reading(None, Health.DENIED)),)), *queues)},
            {"queues": (replace(queue, counts=()), *queues)},
            {"queues": ()},
        ):
            mail.console.show(**unknown)
            await mail.until(lambda: "? not all is known" in mail.text.splitlines()[0], str(unknown))
            assert "? nothing is firing, as far as is known" in mail.text
            mail.console.show(**{field: getattr(well(), field) for field in ("hosts", "logs", "queues")})
            await mail.until(lambda: "● no alerts" in mail.text.splitlines()[0])


async def test_the_very_first_snapshot_is_no_good_news() -> None:
    first = Snapshot(1, NOW, "example.com", hosts=(HostState("mail1", Link.CONNECTING, NOW),))
    async with driven(None) as mail:
        mail.console.snapshot = first
        mail.console.show()
        await mail.shows("0/1 up")
        assert "? unknown" in mail.text.splitlines()[0]
        assert "●" not in mail.text


async def test_vip_and_writes_are_not_shown_while_nobody_knows() -> None:
    async with driven(well(), size=(120, 30)) as mail:
        assert "VIP" not in mail.text
        assert "writes" not in mail.text


async def test_before_the_first_reading_it_says_so() -> None:
    async with driven(None) as mail:
        await mail.shows("waiting for the first reading")


async def test_every_key_of_a_screen_is_in_its_help() -> None:
    async with driven(broken(), size=(120, 90)) as mail:
        await mail.press("2", "?")
        await mail.shows("Everywhere")
        for words in (
            "narrow to the row",
            "the acts for this selection",
            "hold: the preview comes first",
            ":theme a theme",
        ):
            assert words in mail.text


async def test_only_q_at_the_root_quits() -> None:
    async with driven(broken()) as mail:
        await mail.press("escape", "escape")
        assert mail.app.is_running
        await mail.press("2", "enter", "q")
        assert mail.app.is_running
        await mail.press("q")
        await mail.until(lambda: not mail.app.is_running)


async def test_keys_of_the_terminal_do_nothing() -> None:
    async with driven(broken()) as mail:
        before = mail.text
        await mail.press("ctrl+q", "ctrl+a", "ctrl+b", "ctrl+s", "ctrl+z", "f1", "x")
        assert mail.app.is_running
        assert mail.text == before


async def test_a_command_is_completed_and_a_wrong_one_is_explained() -> None:
    async with driven(broken()) as mail:
        await mail.press(":", *"obs", "tab", "enter")
        await mail.shows("OBSERVE: acts are locked")
        await mail.press(":", *"fly", "enter")
        await mail.shows(":fly: there is no such command; tab completes")


async def test_a_theme_is_switched_live() -> None:
    async with driven(broken()) as mail:
        await mail.press(":", *"theme light", "enter")
        await mail.press(":", *"theme nowhere", "enter")
        await mail.shows("theme nowhere: there is no such theme")


async def test_what_is_said_never_covers_a_row() -> None:
    async with driven(broken()) as mail:
        await mail.press("2")
        await mail.shows("▸     410")
        before = mail.text.splitlines()[1:22]
        await mail.press("r")
        await mail.shows("asking now")
        assert mail.text.splitlines()[1:22] == before


async def test_the_pace_and_the_pause_are_the_engines() -> None:
    async with driven(broken()) as mail:
        await mail.press("-", "p")
        await mail.shows("PAUSED")
        assert ("interval", 2.0) in mail.console.asked
        assert ("pause", True) in mail.console.asked


async def test_brackets_step_through_a_replay_and_the_top_line_says_where() -> None:
    async with driven(replace(broken(), read_only=True, replay=8.0, played=(83.0, 200.0))) as mail:
        assert "▶ ×8" in mail.text.splitlines()[0]
        await mail.press("]", "[")
        await mail.shows("PAUSED 83/200 s")
        assert mail.console.asked[-2:] == [("step", 1), ("step", -1)]
        assert "READ-ONLY" in mail.line("PAUSED")
        assert "▶" not in mail.line("PAUSED")


async def test_brackets_mean_nothing_live() -> None:
    async with driven(broken()) as mail:
        await mail.press("]")
        await mail.shows("this is no replay")
        assert "PAUSED" not in mail.text
        assert not any(asked[0] == "step" for asked in mail.console.asked if isinstance(asked, tuple))


async def test_a_question_opens_by_itself_only_while_nobody_does_anything() -> None:
    asked = replace(broken(), questions=(Question("k1", "mail1", Kind.PASSPHRASE, Foreign(b"passphrase of key ann")),))
    async with driven(asked) as mail:
        await mail.shows("mail1 asks for a passphrase")
        assert "passphrase of key ann" in mail.text
        await mail.press(*"secret")
        assert "••••••" in mail.text
        await mail.press("enter")
        await mail.until(lambda: ("answer", "k1", "secret") in mail.console.asked)


async def test_a_later_question_waits_for_the_operator() -> None:
    async with driven(broken()) as mail:
        await mail.press("j")
        mail.console.show(questions=(Question("k2", "mail2", Kind.CODE, Foreign(b"Code:")),))
        await mail.shows("mail2 asks: Code:   ! answers")
        await mail.press("!", *"123456", "enter")
        await mail.until(lambda: ("answer", "k2", "123456") in mail.console.asked)


async def test_after_an_answer_the_next_question_opens_at_once_and_a_paste_is_taken() -> None:
    word = Question("k3", "mail1", Kind.PASSWORD, Foreign(b"ann@mail1: Password"))
    asked = replace(broken(), questions=(word,))
    async with driven(asked) as mail:
        await mail.shows("mail1 asks for a password")
        mail.app.post_message(Paste("sword\nfish"))
        await mail.shows("•" * 9)
        await mail.press("enter")
        await mail.until(lambda: ("answer", "k3", "swordfish") in mail.console.asked)
        assert "asks for a password" not in mail.text
        mail.console.show(questions=(Question("k4", "mail1", Kind.CODE, Foreign(b"Code:"), False),))
        await mail.shows("mail1 asks for a code")
        await mail.press(*"12 q")
        assert "12 q" in mail.text


async def test_escape_refuses_and_a_host_that_hangs_up_takes_its_question_along() -> None:
    first = Question("k5", "mail1", Kind.CODE, Foreign(b"Code:"))
    async with driven(replace(broken(), questions=(first,))) as mail:
        await mail.shows("mail1 asks for a code")
        await mail.press("escape")
        await mail.until(lambda: ("answer", "k5", None) in mail.console.asked)
        assert "asks for a code" not in mail.text
        mail.console.show(questions=(Question("k6", "mail2", Kind.CODE, Foreign(b"Code:")),))
        await mail.press("!")
        await mail.shows("mail2 asks for a code")
        mail.console.show(questions=())
        await mail.until(lambda: "asks for a code" not in mail.text)


async def test_the_rest_of_a_password_is_no_key_and_no_answer_to_another_host() -> None:
    first = Question("k7", "mail1", Kind.PASSWORD, Foreign(b"Password"))
    second = replace(first, id="k8", host="mail2")
    async with driven(replace(broken(), questions=(first,))) as mail:
        await mail.shows("mail1 asks for a password")
        await mail.press(*"sw")
        mail.console.show(questions=(second,))
        await mail.shows("mail1 asks no longer")
        await mail.press(*"ordq!")
        assert "mail1 asks no longer" in mail.text
        await mail.press("enter")
        await mail.until(lambda: "asks no longer" not in mail.text)
        assert not any(asked[0] == "answer" for asked in mail.console.asked if isinstance(asked, tuple))
        await mail.press("!")
        await mail.shows("mail2 asks for a password")
        assert "•" not in mail.text.partition("asks for a password")[2]


async def test_the_end_of_the_engine_is_said() -> None:
    async with driven(broken()) as mail:
        mail.console.end()
        await mail.shows("✖ engine ended: it was told to; start mailtop again")


@pytest.mark.parametrize(
    ("keys", "said"),
    [
        ({"queue.sort": "z"}, "keys.queue.zoom: z is already queue.sort"),
        ({"queue.hold": "h"}, "keys.queue.hold: h is too close for an act"),
        ({"help": "f1"}, "keys.help: f1 belongs to the terminal, tmux or the shell"),
        ({"queue.fly": "F"}, "keys.queue.fly: there is no such key"),
    ],
)
def test_a_key_that_cannot_be_is_refused_at_start(keys: dict[str, str], said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        MailtopApp(StillConsole(well()), keys=keys, actions=ACTS)


async def test_a_key_can_be_another() -> None:
    async with driven(broken(), keys={"screen.queue": "Q"}) as mail:
        await mail.press("Q")
        await mail.shows("▸     410")


async def test_a_lost_host_shows_its_age_and_takes_nothing_from_the_operator() -> None:
    async with driven(well()) as mail:
        await mail.press("j", "j")
        assert "▸filter" in mail.text
        mail.console.show(**{field: getattr(broken(), field) for field in ("hosts", "alerts", "hops")}, at=NOW + 1)
        await mail.shows("down 1 m")
        assert "▸filter" in mail.text
