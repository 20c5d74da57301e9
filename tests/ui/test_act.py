"""From a key to a receipt."""

from __future__ import annotations

from msgspec.structs import replace

from mailtop.model.errors import Refused
from mailtop.model.mail import QueueId
from mailtop.model.operation import Approval, Danger, Fate, Outcome, Receipt, Selection
from mailtop.model.snapshot import Health
from mailtop.model.text import Foreign
from mailtop.ui.outcome import grade, summary
from tests.ui.driving import Driver, driven
from tests.ui.sites import NOW, broken, hold_preview, receipt, well


async def at_the_causes(mail: Driver) -> None:
    """Go to the Queue, where the cursor is on the leading cause."""
    await mail.press("2")
    await mail.shows("▸     410")


async def previewed(mail: Driver, key: str = "H", says: str = "Hold 398 messages on mail1/postfix") -> None:
    """Have an act on the leading cause previewed, for longer than keys are ignored."""
    await at_the_causes(mail)
    await mail.press(key)
    await mail.shows(says)
    mail.later(1)


async def test_two_hundred_mails_of_one_cause_are_held_in_three_keys_and_one_approval() -> None:
    async with driven(broken()) as mail:
        await previewed(mail)
        await mail.press("A")
        await mail.shows("Receipt")

        assert ("queue.hold", Selection(cause="c1", target="mail1/postfix")) in mail.console.asked
        assert [asked for asked in mail.console.asked if isinstance(asked, Approval)] == [Approval("p1", by="ann")]


async def test_observe_refuses_a_short_way_and_says_what_unlocks() -> None:
    async with driven(well()) as mail:
        await at_the_causes(mail)
        await mail.press("H")
        await mail.shows("OBSERVE: `:operate` unlocks")

        assert not any(isinstance(asked, tuple) and asked[0] == "queue.hold" for asked in mail.console.asked)


async def test_operate_is_typed_and_then_the_short_way_works() -> None:
    async with driven(well()) as mail:
        await mail.press(":", *"operate", "enter")
        await mail.shows("OPERATE 15 m")
        await at_the_causes(mail)
        await mail.press("H")
        await mail.shows("postsuper -h -")


async def test_a_flush_and_a_purge_are_typed_for_every_queue_as_a_whole() -> None:
    async with driven(broken()) as mail:
        for typed, act in (("flush", "flush"), ("purge", "purge"), ("purge-all", "purge_all")):
            await mail.press(":", *typed, "enter")
            await mail.shows("Hold 398 messages")  # whatever the engine previews
            assert mail.console.asked[-1] == (f"queue.{act}", Selection(everything=True))
            mail.later(1)
            await mail.press("escape")


async def test_read_only_binds_no_act_and_cannot_be_unlocked() -> None:
    async with driven(broken(), read_only=True) as mail:
        await mail.press("2", "H", "a")
        await mail.press(":", *"operate", "enter")
        await mail.shows("read-only: acts are off, and cannot be unlocked")

        assert "READ-ONLY" in mail.text
        assert "hold" not in mail.text.splitlines()[-1]
        assert ("unlock", 900.0) not in mail.console.asked


async def test_a_replay_offers_no_act_and_says_why() -> None:
    async with driven(replace(broken(), read_only=True, replay=1.0)) as mail:
        await at_the_causes(mail)
        assert "hold" not in mail.text.splitlines()[-1]
        assert "acts" not in mail.text.splitlines()[-1]
        for key in ("a", "H"):
            await mail.press(key)
            await mail.shows("read-only: replay; acts are off, for what is shown is past")
            assert "╭─" not in mail.text
        await mail.press(":", *"operate", "enter")
        await mail.shows("read-only: replay")
        await mail.press("?")
        await mail.shows("╭─ Keys")
        assert "the preview comes first" not in mail.text
        assert not any(
            isinstance(asked, tuple) and asked[0] in ("queue.hold", "unlock") for asked in mail.console.asked
        )


async def test_keys_are_not_heard_until_the_preview_has_been_there_for_half_a_second() -> None:
    async with driven(broken()) as mail:
        await at_the_causes(mail)
        await mail.press("H", "A", "enter", "q", "A")
        await mail.shows("Hold 398 messages")
        mail.later(0.49)
        await mail.press("A")
        assert not any(isinstance(asked, Approval) for asked in mail.console.asked)

        mail.later(0.02)
        await mail.press("A")
        await mail.shows("Receipt")


async def test_cancel_has_focus_so_enter_sends_nothing() -> None:
    async with driven(broken()) as mail:
        await previewed(mail, says="[ Cancel ]")
        await mail.press("enter")

        assert "Hold 398 messages" not in mail.text
        assert not any(isinstance(asked, Approval) for asked in mail.console.asked)


async def test_what_sends_mail_must_be_typed_and_a_wrong_count_approves_nothing() -> None:
    async with driven(broken()) as mail:
        mail.console.previews = (hold_preview(Danger.SENDS, typed="398"),)
        await previewed(mail, "U", says="type 398 to approve")
        await mail.press("A", *"397", "enter")
        await mail.shows("397 is not 398: not approved")
        assert not any(isinstance(asked, Approval) for asked in mail.console.asked)

        await mail.press(*"398", "enter")
        await mail.shows("Receipt")
        assert Approval("p1", by="ann", typed="398") in mail.console.asked


async def test_a_dry_run_needs_no_unlocking() -> None:
    async with driven(well()) as mail:
        mail.console.receipt = receipt(open_=False, dry_run=True)
        await at_the_causes(mail)
        await mail.press("a")
        await mail.shows("Acts on this cause")
        await mail.press("H")
        await mail.shows("OBSERVE: :operate unlocks")
        mail.later(1)
        await mail.press("A")
        await mail.shows("a dry run needs no unlocking")
        await mail.press("D")
        await mail.shows("a dry run: nothing was sent")

        assert Approval("p1", by="ann", dry_run=True) in mail.console.asked


async def test_the_menu_shows_every_act_with_its_danger() -> None:
    async with driven(broken()) as mail:
        await at_the_causes(mail)
        await mail.press("a")
        await mail.shows("Acts on this cause")

        assert "reversible, undone by release" in mail.line("Hold ")
        assert "sends, no undo" in mail.line("Release ")
        assert "destructive, no undo" in mail.line("Delete ")
        assert "Kick" not in mail.text  # is for sessions


async def test_several_hosts_are_several_plans_one_after_another() -> None:
    async with driven(broken()) as mail:
        mail.console.previews = (hold_preview(), hold_preview(plan="p2", target="mail2/postfix"))
        await previewed(mail, says="mail1/postfix   plan 1 of 2")
        await mail.press("A")
        await mail.shows("Receipt")
        await mail.press("q")
        await mail.shows("mail2/postfix   plan 2 of 2")


async def test_cancelling_one_plan_drops_those_that_wait() -> None:
    async with driven(broken()) as mail:
        mail.console.previews = (hold_preview(), hold_preview(plan="p2", target="mail2/postfix"))
        await previewed(mail, says="plan 1 of 2")
        await mail.press("escape")
        await mail.shows("cancelled, and 1 more with it; nothing was sent")


async def test_the_screen_goes_on_behind_a_running_act_and_quitting_asks() -> None:
    async with driven(broken()) as mail:
        mail.console.gate.clear()
        await previewed(mail)
        await mail.press("A")
        await mail.shows("reading back what became of it")
        mail.console.show(at=NOW + 5)
        await mail.shows("22:13:25")
        await mail.press("escape", "q")
        await mail.shows("An act is running; it goes on when you quit")
        await mail.press("enter")
        mail.console.gate.set()
        await mail.shows("Receipt")


async def test_an_open_receipt_follows_what_the_log_decides() -> None:
    async with driven(broken()) as mail:
        mail.console.show(receipts=(receipt(),))
        await previewed(mail)
        await mail.press("A")
        await mail.shows("12  in delivery, the log decides")
        mail.console.show(receipts=(receipt(open_=False),))
        await mail.shows("12  left all the same")
        await mail.shows("the log has decided on mail1/postfix")


async def test_what_was_done_in_part_is_never_drawn_as_done() -> None:
    fates = ((Fate.DONE, 390), (Fate.REFUSED, 8))
    one = Outcome(QueueId("4TqX2m6bYzz3F"), Fate.REFUSED, Foreign(b"operation not permitted"))
    partial = receipt(open_=False, ok=False, outcomes=(one,), fates=fates)
    async with driven(broken()) as mail:
        mail.console.receipt = partial
        await previewed(mail)
        await mail.press("A")
        await mail.shows("▲ done in part")
        assert "390  done" in mail.text
        assert "8  refused" in mail.text
        assert "operation not permitted" in mail.text
        assert grade(partial) is Health.WARN
        assert ("     390  ", "warn+sheet") in [span for line in mail.app._canvas._lines for span in line]


def test_a_receipt_is_well_only_when_every_message_is_done() -> None:
    def graded(*fates: tuple[Fate, int], ok: bool = True) -> Health:
        return grade(receipt(open_=False, ok=ok, outcomes=(), fates=fates))

    assert graded((Fate.DONE, 395), (Fate.GONE, 3)) is Health.OK
    assert graded((Fate.DONE, 386), (Fate.DELIVERED, 12)) is Health.WARN
    assert graded((Fate.DONE, 386), (Fate.UNKNOWN, 12), ok=False) is Health.WARN
    assert graded((Fate.REFUSED, 398), ok=False) is Health.CRIT
    assert summary(receipt(outcomes=(), fates=((Fate.DONE, 395), (Fate.GONE, 3)))) == "395 done, 3 gone"


async def test_a_receipt_offers_its_undo_only_where_there_is_something_to_take_back() -> None:
    async def foot_of(done: Receipt) -> str:
        async with driven(broken()) as mail:
            mail.console.receipt = done
            await previewed(mail)
            await mail.press("A")
            await mail.shows("╭─ Receipt")
            foot = mail.text.splitlines()[-1]
            assert "close" in foot
            await mail.press("Z")
            assert (("undo", "r1") in mail.console.asked) is ("undo" in foot)
            return foot

    assert " Z undo" in await foot_of(receipt(open_=False))
    assert "undo" not in await foot_of(receipt(open_=False, undo=""))  # a release: nothing calls mail back
    assert "undo" not in await foot_of(receipt(open_=False, undone=True))
    assert "undo" not in await foot_of(receipt(open_=False, dry_run=True))
    assert "undo" not in await foot_of(receipt(open_=False, outcomes=(), fates=((Fate.GONE, 398),)))


async def test_what_was_done_in_part_can_be_taken_back() -> None:
    async with driven(broken()) as mail:
        partial = receipt(open_=False, ok=False, outcomes=(), fates=((Fate.DONE, 390), (Fate.REFUSED, 8)))
        mail.console.show(receipts=(partial,))
        await mail.press(":", *"undo", "enter")
        await mail.shows("390 done, 8 refused, taken back by release")


async def test_undo_lists_what_can_be_taken_back_and_leads_to_its_preview() -> None:
    async with driven(broken()) as mail:
        gone = replace(receipt(open_=False), id="r0", undone=True)
        mail.console.show(receipts=(gone, receipt(open_=False)))
        await mail.shows("22:13:20")
        await mail.press(":", *"undo", "enter")
        await mail.shows("Take back")
        assert "hold on mail1/postfix" in mail.text
        await mail.press("enter")
        await mail.shows("Hold 398")

        assert ("undo", "r1") in mail.console.asked


async def test_an_act_that_is_refused_says_why_and_the_preview_stays() -> None:
    async with driven(broken()) as mail:
        mail.console.receipt = Refused("mail1/postfix", "the container is another one now", "plan again")
        await previewed(mail)
        await mail.press("A")
        await mail.shows("mail1/postfix: the container is another one now; plan again")


async def test_y_copies_the_command_and_approves_nothing() -> None:
    async with driven(broken()) as mail:
        await previewed(mail)
        await mail.press("y")
        await mail.shows("copied the command")

        assert mail.app.clipboard == "postsuper -h -"
        assert not any(isinstance(asked, Approval) for asked in mail.console.asked)


async def test_a_key_keeps_operate_unlocked() -> None:
    async with driven(replace(broken(), unlocked_until=NOW + 300)) as mail:
        await mail.press("j")
        await mail.until(lambda: ("unlock", 900.0) in mail.console.asked)
