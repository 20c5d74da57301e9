"""Hold and release: what is planned, previewed, asked again, sent and read back. Answers as Postfix 3.7 gave them."""

from __future__ import annotations

import json
from collections.abc import Callable, Generator, Sequence
from typing import Any, TypeVar

import pytest

from mailtop.action import ACTIONS, Action, carry_out, instance, read_back, reread
from mailtop.engine.previewing import preview
from mailtop.model.ask import Answer, Command, Look, Put
from mailtop.model.errors import Denied, MailtopError, ParseError, Refused
from mailtop.model.mail import QueueId
from mailtop.model.operation import Danger, Fate, Item, Outcome, Plan
from mailtop.model.text import Foreign
from mailtop.model.topology import Identity

AT = 1_795_495_300.0
HOLD, RELEASE = "queue.hold", "queue.release"
Result = TypeVar("Result")
Host = Callable[[Command], Answer]


def item(
    id_: str = "4jYVWS68jQzDHCG", sender: bytes = b"q3@client.test", queue: str = "deferred", age: int = 16
) -> Item:
    return Item(QueueId(id_), Foreign(sender), AT - age, 721, queue, Foreign(b"x3@Refused.test"))


def plan(key: str, *items: Item, config: str = "/etc/postfix") -> Plan:
    act, identity = action(key), Identity("machine", "c" * 64, config)
    return Plan(
        "p1", key, "mail1/postfix", identity, act.danger, items, act.steps("mail1/postfix", identity, items), AT
    )


def action(key: str) -> Action:
    return next(action for action in ACTIONS if action.key == key)


class Queue:
    """A Postfix as postcat and postqueue show it: id → (queue, sender, arrival, recipients)."""

    def __init__(self, **messages: tuple[str, str, float, int]) -> None:
        self.messages = messages
        self.asked: list[Command] = []

    def __call__(self, ask: Command) -> Answer:
        self.asked.append(ask)
        if ask.argv[0] == "printf":
            return self.postcat(ask.argv[2:])
        assert ask.argv[0] == "postqueue"
        return Answer(b"".join(self.line(id_) for id_ in self.messages))

    def postcat(self, ids: tuple[str, ...]) -> Answer:
        out, err = b"", b""
        for id_ in ids:
            if id_ not in self.messages:
                err += f"postcat: fatal: open queue file {id_}: No such file or directory\n".encode()
                continue
            queue, sender, arrival, recipients = self.messages[id_]
            second = int(arrival) - 1_795_478_400  # Tue Nov 24 00:00:00 2026
            stamp = f"{second // 3600:02}:{second // 60 % 60:02}:{second % 60:02}"
            out += (
                f"*** ENVELOPE RECORDS {queue}/{id_} ***\n"
                f"message_arrival_time: Tue Nov 24 {stamp} 2026\nsender: {sender}\n"
                + "recipient: a@b.test\n" * recipients
                + f"*** MESSAGE CONTENTS {queue}/{id_} ***\n*** MESSAGE FILE END {queue}/{id_} ***\n"
            ).encode()
        return Answer(out, err, 123 if err else 0)

    def line(self, id_: str) -> bytes:
        queue, sender, arrival, recipients = self.messages[id_]
        return json.dumps({
            "queue_name": queue, "queue_id": id_, "arrival_time": int(arrival), "message_size": 1, "sender": sender,
            "recipients": [{"address": "a@b.test"}] * recipients,
        }).encode() + b"\n"  # fmt: skip


def drive(conversation: Generator[Look, Answer, Result], host: Host) -> Result:
    try:
        ask = next(conversation)
        while True:
            assert isinstance(ask, Command)
            ask = conversation.send(host(ask))
    except StopIteration as end:
        result: Result = end.value
        return result


def puts(made: Plan, items: Sequence[Item]) -> list[Put]:
    """What would be sent."""
    return [ask for ask in carry_out(made, items) if isinstance(ask, Put)]


def fates(outcomes: tuple[Outcome, ...]) -> dict[str, Fate]:
    return {str(outcome.id): outcome.fate for outcome in outcomes}


MEANT = ("deferred", "q3@client.test", AT - 16, 1)


def test_acts_have_keys_letters_and_undos_that_are_there() -> None:
    keys = [action.key for action in ACTIONS]
    letters = [action.letter for action in ACTIONS if action.letter]

    assert len(set(keys)) == len(keys)
    assert len(set(letters)) == len(letters)
    assert {action.undo for action in ACTIONS if action.undo} <= set(keys)
    assert (action(HOLD).letter, action(HOLD).undo, action(HOLD).danger) == ("H", RELEASE, Danger.REVERSIBLE)
    assert (action(RELEASE).letter, action(RELEASE).danger) == ("U", Danger.SENDS)


def test_what_the_preview_shows_is_what_is_sent() -> None:
    made = plan(HOLD, item(), item("4jYVWS2vsBzDHgT", b""))

    shown = preview(action(HOLD), made)
    (put,) = puts(made, made.items)

    assert put.argv == shown.commands[0].argv == ("postsuper", "-h", "-")
    assert put.stdin == b"4jYVWS68jQzDHCG\n4jYVWS2vsBzDHgT\n"
    assert (shown.count, shown.size, shown.oldest, shown.undo) == (2, 1442, AT - 16, RELEASE)
    assert shown.commands[0].stdin == "2 ids on stdin"
    assert dict(shown.senders) == {b"q3@client.test": 1, b"": 1}
    assert shown.domains == ((b"refused.test", 2),)
    assert shown.samples == made.items


def test_a_hold_needs_no_typing_and_a_release_the_count() -> None:
    assert preview(action(HOLD), plan(HOLD, item())).typed == ""
    assert preview(action(RELEASE), plan(RELEASE, item(), item("AAAAAA1"))).typed == "2"


def test_the_preview_warns_of_mail_in_delivery() -> None:
    shown = preview(action(HOLD), plan(HOLD, item(queue="active"), item("AAAAAA1")), ("Ann acts here too.",))

    assert shown.in_delivery == 1
    assert shown.warnings == (
        "1 is in delivery and may still leave: Postfix finishes what it has begun.",
        "Ann acts here too.",
    )


def test_the_preview_of_a_release_warns_of_mail_that_will_bounce() -> None:
    held = plan(RELEASE, item(age=2 * 86_400, queue="hold"), item("AAAAAA1", queue="hold"))

    def warned(**facts: str) -> tuple[str, ...]:
        return preview(action(RELEASE), held, facts=facts).warnings

    assert warned(postfix_maximal_queue_lifetime="1d") == (
        "1 may bounce: it gets one try, being older than the queue keeps mail (maximal_queue_lifetime is 1d here).",
    )
    assert warned(postfix_maximal_queue_lifetime="10s")[0].startswith("2 may bounce: each gets one try")
    assert warned(postfix_maximal_queue_lifetime="3") == ()  # a number without a unit is days


@pytest.mark.parametrize("facts", [{}, {"postfix_maximal_queue_lifetime": "$bounce_queue_lifetime"}])
def test_where_the_lifetime_is_unknown_the_default_is_used_and_said_so(facts: dict[str, str]) -> None:
    held = plan(RELEASE, item(age=6 * 86_400, queue="hold"), item("AAAAAA1", age=4 * 86_400, queue="hold"))

    (warning,) = preview(action(RELEASE), held, facts=facts).warnings

    assert warning.startswith("1 may bounce")
    assert "by the default maximal_queue_lifetime, 5d; its own is unknown" in warning


def test_another_instance_is_named_in_every_command() -> None:
    made = plan(HOLD, item(), config="/etc/postfix-out")
    queue = Queue(**{"4jYVWS68jQzDHCG": MEANT})
    drive(reread(made), queue)
    drive(reread(made, queued=1), queue)

    assert puts(made, made.items)[0].argv == ("postsuper", "-c", "/etc/postfix-out", "-h", "-")
    assert queue.asked[0].pipe[0][-3:] == ("-c", "/etc/postfix-out", "-qe")
    assert queue.asked[1].argv == ("postqueue", "-c", "/etc/postfix-out", "-j")


def test_the_instance_is_postfix_config_directory() -> None:
    assert drive(instance(), lambda ask: Answer(b"/etc/postfix\n")) == "/etc/postfix"
    with pytest.raises(Refused):
        drive(instance(), lambda ask: Answer(b"postconf: warning\n"))


@pytest.mark.parametrize("queued", [None, 1], ids=["one by one", "by listing"])
def test_an_id_that_means_what_it_meant_is_kept_with_the_queue_it_is_in_now(queued: int | None) -> None:
    queue = Queue(**{"4jYVWS68jQzDHCG": ("active", *MEANT[1:])})

    kept, dropped = drive(reread(plan(HOLD, item()), queued), queue)

    assert [(str(one.id), one.queue) for one in kept] == [("4jYVWS68jQzDHCG", "active")]
    assert dropped == ()


@pytest.mark.parametrize("queued", [None, 1], ids=["one by one", "by listing"])
@pytest.mark.parametrize(
    ("now", "fate"),
    [
        (None, Fate.GONE),
        (("deferred", "other@client.test", AT - 16, 1), Fate.CHANGED),
        (("deferred", "q3@client.test", AT - 15, 1), Fate.CHANGED),
        (("hold", "q3@client.test", AT - 16, 1), Fate.REFUSED),
    ],
)
def test_an_id_that_left_or_changed_is_dropped_and_said_so(
    queued: int | None, now: tuple[str, str, float, int] | None, fate: Fate
) -> None:
    queue = Queue(**({"4jYVWS68jQzDHCG": now} if now else {}))

    kept, dropped = drive(reread(plan(HOLD, item()), queued), queue)

    assert kept == ()
    assert fates(dropped) == {"4jYVWS68jQzDHCG": fate}


def test_the_null_sender_is_the_same_in_a_listing_and_in_a_queue_file() -> None:
    made = plan(HOLD, item(sender=b""))

    by_id, _ = drive(reread(made), Queue(**{"4jYVWS68jQzDHCG": ("deferred", "", AT - 16, 1)}))
    by_listing, _ = drive(reread(made, 1), Queue(**{"4jYVWS68jQzDHCG": ("deferred", "MAILER-DAEMON", AT - 16, 1)}))

    assert by_id == by_listing == made.items


def test_many_ids_are_read_by_one_listing() -> None:
    many = [item(f"ABC{number:07X}") for number in range(300)]
    queue = Queue(**{str(one.id): MEANT for one in many})

    kept, _ = drive(reread(plan(HOLD, *many)), queue)

    assert len(kept) == 300
    assert [ask.argv[0] for ask in queue.asked] == ["postqueue"]


def test_an_id_missed_while_the_queue_moved_is_looked_for_once_more() -> None:
    queue = Queue()

    def host(ask: Command) -> Answer:
        answer = queue(ask)
        queue.messages["4jYVWS68jQzDHCG"] = MEANT
        return answer

    kept, dropped = drive(reread(plan(HOLD, item()), 1), host)

    assert (len(kept), dropped) == (1, ())


def test_a_listing_cut_short_proves_nothing() -> None:
    with pytest.raises(ParseError, match="longer"):
        drive(reread(plan(HOLD, item()), 1), lambda ask: Answer(b"", cut=True))


def test_reading_ids_without_the_right_is_denied_not_gone() -> None:
    said = b"postcat: fatal: open queue file 4jYVWS68jQzDHCG: Permission denied\n"

    with pytest.raises(Denied, match="root"):
        drive(reread(plan(HOLD, item())), lambda ask: Answer(b"", said, 123))


def test_nothing_is_sent_that_was_not_approved() -> None:
    made = plan(HOLD, item())

    with pytest.raises(Refused, match="not in the plan"):
        list(carry_out(made, (item("AAAAAA1"),)))
    with pytest.raises(Refused, match="nothing is left"):
        list(carry_out(made, ()))


@pytest.mark.parametrize("id_", ["ALL", "-", "-h", "ABC DEF", "ABCDEF1\nALL", "../../etc", ""])
def test_no_word_but_an_id_ever_reaches_postsuper(id_: str) -> None:
    made = plan(HOLD, item(id_))

    with pytest.raises(MailtopError):
        list(carry_out(made, made.items))
    with pytest.raises(MailtopError):
        drive(reread(made), Queue())


def test_held_mail_that_is_listed_in_hold_is_done() -> None:
    queue = Queue(**{"4jYVWS68jQzDHCG": ("hold", *MEANT[1:])})

    outcomes = drive(read_back(plan(HOLD, item()), (item(),), b"postsuper: Placed on hold: 1 message\n"), queue)

    assert fates(outcomes) == {"4jYVWS68jQzDHCG": Fate.DONE}


@pytest.mark.parametrize(
    ("now", "fate"),
    [
        (("hold", *MEANT[1:]), Fate.IN_DELIVERY),
        (("hold", "q3@client.test", AT - 16, 0), Fate.DELIVERED),
        (("active", *MEANT[1:]), Fate.IN_DELIVERY),
        (("deferred", *MEANT[1:]), Fate.REFUSED),
        (None, Fate.IN_DELIVERY),
    ],
)
def test_mail_that_was_in_delivery_when_held_stays_open_until_the_log_decides(now: Any, fate: Fate) -> None:
    active = item(queue="active")
    queue = Queue(**({"4jYVWS68jQzDHCG": now} if now else {}))

    outcomes = drive(read_back(plan(HOLD, active), (active,), b"postsuper: Placed on hold: 1 message\n"), queue)

    assert fates(outcomes) == {"4jYVWS68jQzDHCG": fate}


def test_mail_that_left_before_it_could_be_held_is_gone() -> None:
    outcomes = drive(read_back(plan(HOLD, item()), (item(),), b"postsuper: Placed on hold: 0 messages\n"), Queue())

    assert fates(outcomes) == {"4jYVWS68jQzDHCG": Fate.GONE}


def test_without_the_right_all_are_refused_in_postfix_own_words() -> None:
    said = b"postsuper: fatal: use of this command is reserved for the superuser\n"

    (outcome,) = drive(read_back(plan(HOLD, item()), (item(),), said), Queue())

    assert outcome == Outcome(item().id, Fate.REFUSED, Foreign(b"use of this command is reserved for the superuser"))


@pytest.mark.parametrize(
    ("now", "fate"),
    [(MEANT, Fate.DONE), (("active", *MEANT[1:]), Fate.DONE), (None, Fate.DONE), (("hold", *MEANT[1:]), Fate.REFUSED)],
)
def test_released_mail_is_done_when_it_is_not_held_any_more(now: Any, fate: Fate) -> None:
    held = item(queue="hold")
    queue = Queue(**({"4jYVWS68jQzDHCG": now} if now else {}))

    outcomes = drive(read_back(plan(RELEASE, held), (held,), b"postsuper: Released from hold: 1 message\n"), queue)

    assert fates(outcomes) == {"4jYVWS68jQzDHCG": fate}


def test_only_held_mail_can_be_released() -> None:
    _, dropped = drive(reread(plan(RELEASE, item())), Queue(**{"4jYVWS68jQzDHCG": MEANT}))

    assert dropped == (Outcome(item().id, Fate.REFUSED, Foreign(b"it is in deferred")),)
