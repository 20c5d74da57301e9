"""One Postfix's books: what an act did, by the log and by listings that can know it."""

from __future__ import annotations

import dataclasses
import json
from datetime import UTC, datetime

import pytest

from mailtop.config import FlowSettings
from mailtop.engine.mta import READING_BACK, SETTLED, Mta
from mailtop.model.ask import Chunk
from mailtop.model.destination import Standing, Standings
from mailtop.model.mail import QueueId
from mailtop.model.operation import Fate, Outcome, Selection
from mailtop.model.sample import Sample
from mailtop.model.snapshot import Health, LogState, PageAsk, ProbeState, Reading
from mailtop.model.text import Foreign
from mailtop.model.topology import Hop, Role, Target
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


def counted(mta: Mta, at: float, **queues: int | tuple[int, float]) -> None:
    """Let the directories be counted: messages, or messages and the age of the oldest where names tell it."""
    found: list[Sample] = []
    for name, told in queues.items():
        number, age = told if isinstance(told, tuple) else (told, None)
        labels = (("queue", name),)
        found.append(Sample("postfix_queue_messages", number, labels))
        found += [Sample("postfix_queue_oldest_seconds", age, labels)] if age is not None else []
    mta.take(found, at, at)


def probe(name: str, at: float, health: Health = Health.OK, note: str = "") -> tuple[str, ProbeState]:
    return name, ProbeState("mail1/postfix", name, health, at, every=10.0, note=note, tried=at)


def oldest(mta: Mta, *probes: tuple[str, ProbeState], now: float = AT) -> Reading:
    return mta.state(dict(probes), now, None).oldest


def test_a_queue_is_empty_only_where_every_directory_was_counted() -> None:
    mta = postfix()
    counted(mta, AT, incoming=0, active=0)
    assert oldest(mta).note == "not counted yet"

    counted(mta, AT, deferred=0, hold=0)
    assert (oldest(mta).note, oldest(mta).health) == ("the queue is empty", Health.OK)


def test_short_ids_tell_no_age_so_the_oldest_waits_for_a_listing() -> None:
    mta = postfix()
    counted(mta, AT, incoming=0, active=0, deferred=5, hold=0)
    unknown = oldest(mta)
    assert (unknown.value, unknown.health) == (None, Health.UNKNOWN)
    assert unknown.note == "deferred: short ids tell no age: it needs a listing"

    mta.take([listing((ID, "deferred"))], AT - 1, AT)
    assert (oldest(mta).value, oldest(mta).health) == (900, Health.OK)


def test_the_oldest_is_as_fresh_as_the_probe_that_counted_its_directory() -> None:
    mta = postfix()
    counted(mta, AT - 300, deferred=(5, 600.0), hold=0)
    counted(mta, AT, incoming=0, active=(1, 2.0))
    reading = oldest(mta, probe("postfix_queue", AT), probe("postfix_deferred", AT - 300))

    assert (reading.value, reading.at, reading.health, reading.stale) == (600, AT - 300, Health.UNKNOWN, True)


def test_counts_of_a_listing_are_as_fresh_as_listings_come() -> None:
    mta = postfix()
    mta.take([listing((ID, "deferred"))], AT - 60, AT - 59)
    slow = ProbeState("mail1/postfix", "postfix_listing", Health.OK, AT - 60, every=60.0, tried=AT - 60)
    denied = probe("postfix_deferred", AT - 600, Health.DENIED, "only root")
    deferred = dict(mta.state({"postfix_listing": slow, **dict([denied])}, AT, None).counts)["deferred"]

    assert (deferred.value, deferred.health) == (1, Health.OK)


@pytest.mark.parametrize("how", ["cut", "unreadable"])
def test_a_listing_that_is_not_whole_counts_nothing_ends_nothing_and_says_so(how: str) -> None:
    mta = postfix()
    say(mta, AT - 500, "postfix/qmgr[8]: 4jYVfP5TPXzDGrC: from=<a@b.test>, size=1, nrcpt=1 (queue active)", AT)
    mta.follows(AT + 2)
    counted(mta, AT - 60, deferred=99)
    broken = listing((ID, "deferred"), cut=how == "cut")
    mta.take([broken if how == "cut" else dataclasses.replace(broken, unreadable=3)], AT, AT)
    state = mta.state({}, AT, None)

    assert dict(state.counts)["deferred"].value == 99
    assert list(mta.book.ids()) == ["4jYVfP5TPXzDGrC"]
    assert mta.known() == ("cut", AT)
    said = "listing cut off after 1 messages" if how == "cut" else "3 lines of the listing are unreadable"
    assert state.note == said
    assert mta.flow(None, {}, AT).queue_lost == said


def send(mta: Mta, at: float, count: int, now: float) -> None:
    """Let so many messages leave."""
    for number in range(count):
        name = f"{int(at):010d}{number:05d}"
        say(mta, at, f"postfix/smtp[7]: {name}: {TO}, status=sent (250 ok)", now)


FOLLOWED = LogState("mail1/postfix", "docker", Health.OK)


@pytest.mark.parametrize("ahead", [0.0, 60.0, -60.0])
def test_rates_and_ages_are_true_whatever_the_hosts_clock_says(ahead: float) -> None:
    mta = postfix()
    told = Sample("host_clock_seconds", float(int(AT + ahead)))
    mta.take([told], AT, AT + 0.5)
    for second in range(0, 70, 2):
        send(mta, AT + second + ahead, 4, AT + second + 0.1)
        mta.follows(AT + second + 1.0)
    flow = mta.flow(FOLLOWED, {}, AT + 70)
    remote = flow.hops[Hop.REMOTE]

    assert remote.rate == pytest.approx(2.0, rel=0.1)
    assert remote.succeeded == pytest.approx(AT + 68, abs=1.5)
    assert flow.log_note == ""


def test_a_listing_of_a_host_that_is_ahead_shows_true_ages_and_freezes_the_hosts_own_times() -> None:
    mta = postfix()
    mta.take([Sample("host_clock_seconds", AT + 60)], AT, AT)
    mta.take([listing((ID, "deferred"))], AT, AT)
    _, (row,) = mta.page_messages(PageAsk("messages"), AT)
    ahead = mta.clock.ahead

    assert row.arrival == AT - 900 - ahead
    assert mta.causes(AT)[0].oldest == AT - 900 - ahead
    (item,) = mta.queue.items(mta.select(Selection(everything=True), AT))
    assert item.arrival == AT - 900


def test_a_log_that_is_still_read_back_has_no_rates_until_the_newest_line_there_was_is_read() -> None:
    mta = postfix()
    mta.feed(PostfixLog(Stamps(AT)).read(b""), Chunk(b"", "", AT - 2000), AT)
    mta.follows(AT + 0.1)
    assert mta.flow(FOLLOWED, {}, AT + 0.1).log_note == READING_BACK

    send(mta, AT - 3000, 1, AT + 1)
    mta.follows(AT + 1.1)
    assert mta.flow(FOLLOWED, {}, AT + 1.1).log_note == READING_BACK

    send(mta, AT - 2000, 1, AT + 1.2)  # the newest line there was, though it is old
    mta.follows(AT + 1.3)
    assert mta.flow(FOLLOWED, {}, AT + 1.3).log_note == ""


def test_a_log_of_which_nothing_is_to_come_is_known_as_soon_as_it_is_followed() -> None:
    mta = postfix()
    mta.feed(PostfixLog(Stamps(AT)).read(b""), Chunk(b"", "", 0.0), AT)
    mta.follows(AT + 0.1)

    assert mta.flow(FOLLOWED, {}, AT + 0.1).log_note == ""


def test_a_log_whose_newest_line_never_comes_is_known_when_it_is_quiet() -> None:
    mta = postfix()
    mta.feed(PostfixLog(Stamps(AT)).read(b""), Chunk(b"", "", AT), AT)
    mta.follows(AT + 3)
    assert mta.flow(FOLLOWED, {}, AT + 3).log_note == READING_BACK

    mta.follows(AT + 16)
    assert mta.flow(FOLLOWED, {}, AT + 16).log_note == ""


def test_evidence_changes_with_each_piece_of_the_log_each_listing_and_when_the_log_had_its_time() -> None:
    mta = postfix()
    seen = [mta.evidence]
    say(mta, AT, "postfix/anvil[1]: statistics: max cache size 1")
    seen.append(mta.evidence)
    mta.take([listing()], AT + 1, AT + 2)
    seen.append(mta.evidence)
    mta.follows(AT + 2 + SETTLED)
    seen.append(mta.evidence)

    assert len(set(seen)) == 4
    mta.follows(AT + 60)
    assert mta.evidence == seen[-1]


FORCED = f"postfix/qmgr[1]: {ID}: from=<news@shop.example>, status=force-expired, returned to sender"
ASKED = Outcome(ID, Fate.UNDER_WAY)


def test_a_retry_in_parts_is_told_by_an_attempt_since_it_began_not_only_since_it_ended() -> None:
    mta = postfix()
    say(mta, AT - 30, f"postfix/smtp[2]: {ID}: {TO}, status=sent (250 ok)")

    assert mta.decide("queue.retry", ASKED, AT, AT - 20) is None
    told = mta.decide("queue.retry", ASKED, AT, AT - 40)
    assert told is not None
    assert (told.fate, told.said) == (Fate.DONE, b"sent: 250 ok")


def test_a_requeue_and_a_bounce_are_told_by_what_follows_in_the_log() -> None:
    mta = postfix()
    assert mta.decide("queue.requeue", ASKED, AT, AT) is None
    assert mta.decide("queue.bounce", ASKED, AT, AT) is None
    say(mta, AT + 40, f"postfix/pickup[2]: BBBBBB1: uid=0 from=<news@shop.example> orig_id={ID}")
    say(mta, AT + 41, FORCED)

    requeued, returned = (mta.decide(f"queue.{act}", ASKED, AT, AT) for act in ("requeue", "bounce"))

    assert requeued == Outcome(ID, Fate.DONE, Foreign(b"now BBBBBB1"))
    assert returned == Outcome(ID, Fate.DONE, Foreign(b"force-expired, returned to sender"))


def test_what_is_paused_is_known_only_once_somebody_has_looked() -> None:
    mta = postfix()
    assert mta.paused is None

    mta.take([Standings(())], AT, AT)
    assert mta.paused == frozenset()

    pause = Standing("mail1/postfix", "big.test", "destination.pause", "ann", AT)
    throttle = Standing("mail1/postfix", "slow.test", "destination.throttle", "ann", AT)
    mta.take([Standings((pause, throttle))], AT, AT)
    assert mta.paused == {"big.test"}
