"""One Postfix's books: what an act did, by the log and by listings that can know it."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest

from mailtop.config import FlowSettings
from mailtop.engine.mta import SETTLED, Mta
from mailtop.model.ask import Chunk
from mailtop.model.mail import QueueId
from mailtop.model.operation import Fate, Outcome
from mailtop.model.topology import Role, Target
from mailtop.parse.postfix_log import PostfixLog
from mailtop.parse.postqueue import Listing, ListingReader
from mailtop.parse.stamp import Stamps

AT = 1_795_490_000.0
ID = QueueId("4jYVfP5TPXzDGrB")
TO = "to=<anna@outlook.test>, relay=mx.outlook.test[203.0.113.9]:25, delay=9, delays=1/1/1/6, dsn=2.0.0"
UNREAD, OPEN = Outcome(ID, Fate.UNKNOWN), Outcome(ID, Fate.IN_DELIVERY)


def postfix() -> Mta:
    return Mta(Target("mail1", "postfix", (Role.MTA,)), FlowSettings(), {})


def listing(*queued: tuple[str, str], cut: bool = False, recipients: bool = True) -> Listing:
    """A listing of (id, queue)."""
    reader = ListingReader()
    for number, queue in queued:
        to = [{"address": "anna@outlook.test"}] if recipients else []
        line = {"queue_name": queue, "queue_id": number, "arrival_time": int(AT) - 900, "message_size": 724}
        reader.feed(json.dumps({**line, "sender": "news@shop.example", "recipients": to}).encode() + b"\n")
    return reader.finish(0.0, cut)


def say(mta: Mta, at: float, text: str, now: float | None = None) -> None:
    """Let Postfix log a line at a time, read by us at `now`."""
    stamp = datetime.fromtimestamp(at, UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")
    chunk = Chunk(f"{stamp} mail1 {text}\n".encode(), "1", at)
    mta.feed(PostfixLog(Stamps(AT)).read(chunk.lines), chunk, at if now is None else now)


def fate(mta: Mta, action: str, outcome: Outcome, after: float = AT) -> Fate | None:
    decided = mta.decide(action, outcome, after)
    return decided.fate if decided is not None else None


@pytest.mark.parametrize(
    ("action", "queue", "expected"),
    [
        ("queue.hold", "hold", Fate.DONE),
        ("queue.hold", "deferred", Fate.REFUSED),
        ("queue.release", "deferred", Fate.DONE),
        ("queue.release", "active", Fate.DONE),
        ("queue.release", "hold", Fate.REFUSED),
    ],
)
def test_an_act_that_was_not_read_back_is_judged_by_what_it_wanted(action: str, queue: str, expected: Fate) -> None:
    mta = postfix()
    mta.take([listing((ID, queue))], AT + 1, AT + 2)

    assert fate(mta, action, UNREAD) is expected


def test_a_listing_asked_for_before_the_act_ended_decides_nothing_and_neither_does_a_cut_one() -> None:
    mta = postfix()
    mta.take([listing((ID, "hold"))], AT - 1, AT + 2)
    assert fate(mta, "queue.hold", UNREAD) is None

    mta.take([listing((ID, "hold"), cut=True)], AT + 3, AT + 4)
    assert fate(mta, "queue.hold", UNREAD) is None


def test_mail_that_a_listing_lacks_is_gone_only_when_the_log_has_had_time_to_say_how() -> None:
    mta = postfix()
    mta.take([listing()], AT + 1, AT + 2)
    say(mta, AT + 1, "postfix/anvil[1]: statistics: max cache size 1", AT + 2)
    assert fate(mta, "queue.hold", OPEN) is None

    mta.follows(AT + 2 + SETTLED)
    assert fate(mta, "queue.hold", OPEN) is Fate.GONE


def test_mail_whose_end_the_log_tells_late_was_delivered() -> None:
    mta = postfix()
    mta.take([listing()], AT + 1, AT + 2)
    say(mta, AT - 1, f"postfix/smtp[7]: {ID}: {TO}, status=sent (250 ok)", AT + 3)  # while the act was being sent
    say(mta, AT - 1, f"postfix/qmgr[8]: {ID}: removed", AT + 3)

    assert fate(mta, "queue.hold", OPEN) is Fate.DELIVERED
    assert fate(mta, "queue.release", UNREAD) is Fate.DONE


def test_an_attempt_before_the_act_proves_nothing_about_mail_on_hold() -> None:
    mta = postfix()
    later = f"postfix/smtp[7]: {ID}: {TO}, status=deferred (host said: 451 4.7.0 later)"
    say(mta, AT - 10, later)
    mta.take([listing((ID, "hold"))], AT + 1, AT + 2)
    assert fate(mta, "queue.hold", OPEN) is None

    say(mta, AT + 5, later)
    assert fate(mta, "queue.hold", OPEN) is Fate.DONE


def test_mail_in_delivery_that_is_found_deferred_was_not_held() -> None:
    mta = postfix()
    mta.take([listing((ID, "active"))], AT + 1, AT + 2)
    assert fate(mta, "queue.hold", OPEN) is None

    mta.take([listing((ID, "deferred"))], AT + 3, AT + 4)
    assert fate(mta, "queue.hold", OPEN) is Fate.REFUSED
