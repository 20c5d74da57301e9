"""Pause, throttle and reroute a domain, from its row and by name; what is in force, and the way back."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from msgspec.structs import replace

from mailtop.model.destination import Standing, Terms
from mailtop.model.mail import QueueId
from mailtop.model.operation import Approval, Danger, Fate, Outcome, Preview, Selection, Step
from mailtop.model.snapshot import Snapshot
from mailtop.model.text import Foreign
from mailtop.ui.bindings import shipped_actions
from tests.ui.driving import Driver, driven
from tests.ui.sites import NOW, broken, receipt

DOMAIN, TARGET = "outlook.test", "mail1/postfix"


@asynccontextmanager
async def operated(snapshot: Snapshot, size: tuple[int, int] = (80, 24)) -> AsyncIterator[Driver]:
    """The dashboard with the acts that mailtop ships."""
    async with driven(snapshot, size=size, actions=shipped_actions()) as mail:
        mail.console.previews = (pause_preview(),)
        yield mail


def pause_preview(**changes: object) -> Preview:
    argv = ("mv", "-f", "--", "/etc/postfix/mailtop/pending/new/main.cf", "/etc/postfix/main.cf")
    one = Preview(
        "p1",
        "destination.pause",
        "Pause",
        TARGET,
        "postfix",
        Danger.REVERSIBLE,
        "destination.restore",
        (Step(TARGET, argv, "", "new mail for it is accepted, and deferred 4.3.2", "restore (sends)"),),
        0,
        0,
        0.0,
        (),
        (),
        (),
        0,
        warnings=("postqueue -f, -i and -s send its mail all the same.",),
        domain=DOMAIN,
        until=NOW + 1800,
        diff=("main.cf  + defer_transports = mailtop-pause-3ac0a933", "main.cf  - defer_transports = old"),
    )
    return replace(one, **changes)


def changed(**changes: object) -> Snapshot:
    """A platform on which ann has paused a domain."""
    standing = Standing(TARGET, DOMAIN, "destination.pause", "ann", NOW - 600, NOW + 1200)
    return replace(broken(), destinations=(replace(standing, **changes),))


def planned(mail: Driver) -> list[tuple[str, Selection]]:
    return [one for one in mail.console.asked if isinstance(one, tuple) and str(one[0]).startswith("destination.")]


def selected(terms: Terms, target: str = "") -> Selection:
    return Selection(target=target, domain=Foreign(DOMAIN.encode()), terms=terms)


async def to_the_shape(mail: Driver) -> None:
    await mail.press("2", "tab")
    await mail.shows("398")


async def choose(mail: Driver, label: str) -> None:
    """Move in a menu to the option that begins so, and choose it."""
    await mail.shows(label)
    labels = [line for line in mail.text.splitlines() if "│" in line and "," in line]
    for _ in range(next(number for number, line in enumerate(labels) if label in line)):
        await mail.press("j")
    await mail.press("enter")


async def test_a_domain_is_paused_from_its_row_and_the_preview_shows_what_changes_until_when() -> None:
    async with operated(broken()) as mail:
        await to_the_shape(mail)
        await mail.press("a")
        await choose(mail, "Pause outlook.test")
        await mail.shows("pause outlook.test: for how long")
        await mail.press(*["backspace"] * 2, *"30m", "enter")
        await mail.shows("Pause outlook.test on mail1/postfix")

        assert planned(mail) == [("destination.pause", selected(Terms(1800.0)))]
        for words in (
            "main.cf  + defer_transports = mailtop-pause-3ac0a933",
            "main.cf  - defer_transports = old",
            "reversible, undone by restore (sends), until",
            "▲ postqueue -f, -i and -s send its mail all the same.",
            "mv -f -- /etc/postfix/mailtop/pending/new/main.cf",
        ):
            assert words in mail.text
        mail.later(1)
        await mail.press("A")
        await mail.shows("Receipt   Pause outlook.test on mail1/postfix")
        assert Approval("p1", by="ann") in mail.console.asked


async def test_a_reroute_asks_for_the_relay_and_wrong_words_plan_nothing() -> None:
    async with operated(broken()) as mail:
        await to_the_shape(mail)
        await mail.press("a")
        await choose(mail, "Reroute outlook.test")
        await mail.press(*"[relay2]:25 long", "enter")
        await mail.shows("time 'long': is none")
        assert planned(mail) == []


async def test_what_is_in_force_is_listed_with_its_end_and_taken_back_from_there() -> None:
    async with operated(changed(), (120, 30)) as mail:
        await mail.press(":", *"destinations", "enter")
        await mail.shows("Changed destinations")
        assert "paused until 22:33, by ann, mail1/postfix" in mail.text
        await mail.press("enter")
        await mail.until(lambda: bool(planned(mail)), "planned")
        assert planned(mail) == [("destination.restore", selected(Terms(), TARGET))]


async def test_what_is_overdue_says_so() -> None:
    async with operated(changed(until=NOW - 60), (120, 30)) as mail:
        await mail.press(":", *"destinations", "enter")
        await mail.shows("paused, overdue 1 m")


async def test_what_was_left_half_way_is_finished_or_restored() -> None:
    async with operated(changed(half_way=True, until=0.0), (120, 30)) as mail:
        await mail.press(":", *"destinations", "enter", "enter")
        await mail.shows("outlook.test: pause left half-way")
        await choose(mail, "Finish")
        await mail.until(lambda: bool(planned(mail)), "planned")
        assert planned(mail) == [("destination.finish", selected(Terms(), TARGET))]


async def test_a_changed_domain_offers_its_restore_and_no_second_change() -> None:
    async with operated(changed(), (120, 30)) as mail:
        await to_the_shape(mail)
        await mail.press("a")
        await mail.shows("Restore outlook.test")
        assert "Pause outlook.test" not in mail.text


async def test_a_domain_is_named_in_a_command_for_every_host() -> None:
    async with operated(broken()) as mail:
        await mail.press(":", *"domain throttle outlook.test 2 5 2h", "enter")
        await mail.until(lambda: bool(planned(mail)), "planned")
        assert planned(mail) == [("destination.throttle", selected(Terms(7200.0, concurrency=2, delay=5)))]
        mail.later(1)
        await mail.press("escape", ":", *"domain blow outlook.test", "enter")
        await mail.shows("as in `:domain pause")


async def test_a_cause_offers_no_act_on_a_destination() -> None:
    async with operated(broken()) as mail:
        await mail.press("2")
        await mail.shows("▸     410")
        await mail.press("a")
        await mail.shows("Acts on")
        assert "Pause" not in mail.text


async def test_undo_names_the_domain_that_an_act_was_about() -> None:
    done = receipt(
        open_=False,
        action="destination.pause",
        undo="destination.restore",
        outcomes=(Outcome(QueueId(DOMAIN), Fate.DONE),),
        fates=((Fate.DONE, 1),),
    )
    async with operated(replace(broken(), receipts=(done,))) as mail:
        await mail.press(":", *"undo", "enter")
        await mail.shows("pause outlook.test on mail1/postfix")
