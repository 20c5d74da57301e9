# ruff: noqa: E501 — log lines are as long as they are
from __future__ import annotations

from datetime import UTC, datetime

from hypothesis import given
from hypothesis import strategies as st

from mailtop.ledger.book import Ledger
from mailtop.ledger.counts import counts
from mailtop.ledger.endings import Endings
from mailtop.ledger.hops import HopRules
from mailtop.model.mail import QueueId
from mailtop.model.topology import Hop
from mailtop.parse.batch import Expired
from mailtop.parse.postfix_log import PostfixLog
from mailtop.parse.reason import normalise
from mailtop.parse.stamp import Stamps

NOON = datetime(2026, 11, 24, 12, tzinfo=UTC).timestamp()


def line(second: int, text: bytes) -> bytes:
    return b"2026-11-24T12:%02d:%02d.000000+00:00 mail1 %s\n" % (second // 60, second % 60, text)


def client(second: int, id_: bytes, address: bytes = b"192.0.2.1", more: bytes = b"") -> bytes:
    return line(second, b"postfix/smtpd[1]: %s: client=x.test[%s]%s" % (id_, address, more))


def active(second: int, id_: bytes, recipients: int = 1, sender: bytes = b"s@client.test") -> bytes:
    return line(
        second, b"postfix/qmgr[1]: %s: from=<%s>, size=463, nrcpt=%d (queue active)" % (id_, sender, recipients)
    )


def tried(
    second: int,
    id_: bytes,
    status: bytes,
    relay: bytes = b"mx.x.test[192.0.2.9]:25",
    to: bytes = b"a@x.test",
    program: bytes = b"smtp",
    delays: bytes = b"0/0/1/0",
) -> bytes:
    return line(second, b"postfix/%s[1]: %s: to=<%s>, relay=%s, delay=1, delays=%s, dsn=2.0.0, status=%s" % (program, id_, to, relay, delays, status))  # fmt: skip


def removed(second: int, id_: bytes) -> bytes:
    return line(second, b"postfix/qmgr[1]: %s: removed" % id_)


FILTER = b"amavis[172.28.0.37]:10024"
DEFERRED = b"deferred (connect to mx.x.test[192.0.2.9]:25: Connection refused)"


def through_the_filter(second: int, id_: bytes, again: bytes) -> list[bytes]:
    return [
        client(second, id_),
        active(second, id_),
        client(second + 1, again, b"172.28.0.37"),
        active(second + 1, again),
        tried(second + 1, id_, b"sent (250 2.0.0 from MTA(smtp:[172.28.0.30]:10025): 250 2.0.0 Ok: queued as %s)" % again, FILTER),
        removed(second + 1, id_),
    ]  # fmt: skip


def book(*lines: bytes, cuts: int = 1, ledger: Ledger | None = None) -> Ledger:
    ledger = ledger or Ledger()
    log = PostfixLog(Stamps(NOON))
    for start in range(0, len(lines), max(1, len(lines) // cuts)):
        ledger.feed(log.read(b"".join(lines[start : start + max(1, len(lines) // cuts)])))
    return ledger


def figures(ledger: Ledger, now: float = NOON + 3600) -> dict[str, float]:
    return {sample.key: sample.value for sample in counts(ledger, now)}


def test_mail_through_the_filter_is_accepted_once_and_delivered_once() -> None:
    lines = [
        *through_the_filter(0, b"AAAAAA1", b"BBBBBB1"),
        tried(2, b"BBBBBB1", b"sent (250 2.0.0 Saved)", b"dovecot[172.28.0.31]:24", program=b"lmtp"),
        removed(2, b"BBBBBB1"),
    ]
    for cuts in (1, 4, 8):
        found = figures(book(*lines, cuts=cuts))

        assert found["postfix_accepted_total"] == 1
        assert found["postfix_deliveries_total{hop=filter,status=sent}"] == 1
        assert found["postfix_deliveries_total{hop=mailbox,status=sent}"] == 1
        assert found["postfix_deliveries_total{hop=remote,status=sent}"] == 0
        assert found["postfix_last_success_seconds{hop=mailbox}"] == NOON + 2


def test_what_the_filter_throws_away_is_discarded() -> None:
    found = figures(
        book(client(0, b"AAAAAA1"), tried(1, b"AAAAAA1", b"sent (250 2.7.0 Ok, discarded, id=1-02 - spam)", FILTER))
    )

    assert found["postfix_deliveries_total{hop=filter,status=discarded}"] == 1
    assert found["postfix_deliveries_total{hop=filter,status=sent}"] == 0
    assert "postfix_last_success_seconds{hop=filter}" not in found


def test_mail_from_this_host_that_goes_to_the_filter_is_mail() -> None:
    ledger = book(
        *through_the_filter(0, b"AAAAAA1", b"BBBBBB1"),
        client(60, b"AAAAAA2", b"127.0.0.1"),
        tried(61, b"AAAAAA2", b"sent (250 2.0.0 Ok: queued as BBBBBB2)", FILTER),
    )

    assert ledger.accepted == 2


def test_without_a_filter_private_clients_are_mail_after_half_a_minute() -> None:
    ledger = book(client(0, b"AAAAAA1", b"10.0.0.7"), removed(20, b"AAAAAA1"))
    assert ledger.accepted == 0

    ledger.settle(NOON + 31)
    assert ledger.accepted == 1


def test_the_former_id_proves_a_reinjection() -> None:
    ledger = book(
        client(0, b"AAAAAA1"),
        client(1, b"BBBBBB1", b"203.0.113.9", b", orig_queue_id=AAAAAA1, orig_client=x.test[192.0.2.1]"),
    )

    assert ledger.accepted == 1
    assert ledger.next_id(QueueId("AAAAAA1")) == "BBBBBB1"


def test_the_archive_copy_and_the_archive_that_is_gone_are_their_own_hop() -> None:
    ledger = book(
        tried(1, b"BBBBBB1", b"sent (250 ok)", b"piler[172.28.0.41]:25", b"archive@archive.local"),
        tried(1, b"BBBBBB2", b"deferred (connect to 172.28.0.1[172.28.0.1]:2525: Connection refused)", b"none", b"x@else.test"),
        tried(1, b"BBBBBB3", b"bounced (unable to look up host amavis: Name or service not known)", b"none"),
        tried(1, b"BBBBBB4", b"deferred (delivery temporarily suspended: connect to amavis[172.28.0.37]:10026: Connection refused)", b"none", program=b"error"),
    )  # fmt: skip
    found = figures(ledger)

    assert found["postfix_deliveries_total{hop=archive,status=sent}"] == 1
    assert found["postfix_deliveries_total{hop=archive,status=deferred}"] == 1
    assert found["postfix_deliveries_total{hop=filter,status=bounced}"] == 1
    assert found["postfix_deliveries_total{hop=filter,status=deferred}"] == 1
    assert ledger.hop_of(QueueId("BBBBBB4")) is Hop.FILTER


def test_an_answer_that_names_the_filter_does_not_move_the_hop() -> None:
    ledger = book(
        tried(
            1,
            b"BBBBBB1",
            b"deferred (host mx.x.test[192.0.2.9] said: 450 connect to amavis[172.28.0.37]:10024: no)",
            b"none",
        )
    )

    assert ledger.hop_of(QueueId("BBBBBB1")) is Hop.REMOTE


def test_a_site_may_name_its_hops() -> None:
    ledger = book(
        tried(1, b"BBBBBB1", b"sent (250 ok)", b"scan1[192.0.2.5]:9025"),
        ledger=Ledger(HopRules(filter_hosts=frozenset((b"scan1",)))),
    )

    assert figures(ledger)["postfix_deliveries_total{hop=filter,status=sent}"] == 1


def test_retries_are_attempts_but_not_messages_and_not_first_attempts() -> None:
    ledger = book(
        client(0, b"AAAAAA1"),
        active(0, b"AAAAAA1"),
        tried(1, b"AAAAAA1", DEFERRED, b"none", delays=b"0/0/1/0"),
        active(301, b"AAAAAA1"),
        tried(302, b"AAAAAA1", DEFERRED, b"none", delays=b"300/0/60/0"),
        tried(903, b"AAAAAA1", b"sent (250 ok)", delays=b"900/0/60/0"),
        removed(903, b"AAAAAA1"),
    )
    found = figures(ledger, NOON + 904)

    assert found["postfix_deliveries_total{hop=remote,status=deferred}"] == 2
    assert found["postfix_messages_total{hop=remote,status=deferred}"] == 1
    assert found["postfix_messages_total{hop=remote,status=sent}"] == 1
    assert "postfix_delay_seconds{hop=remote,quantile=0.95}" not in found
    assert 1.0 <= figures(ledger, NOON + 500)["postfix_delay_seconds{hop=remote,quantile=0.95}"] < 1.13


def test_the_four_stages_are_told_apart() -> None:
    found = figures(book(client(0, b"AAAAAA1"), tried(9, b"AAAAAA1", b"sent (250 ok)", delays=b"8/4/2/1")), NOON + 10)

    for stage, seconds in (("a", 8), ("b", 4), ("c", 2), ("d", 1)):
        assert seconds <= found[f"postfix_stage_seconds{{hop=remote,quantile=0.5,stage={stage}}}"] < seconds * 1.13
    assert 7 <= found["postfix_delay_seconds{hop=remote,quantile=0.5}"] < 7.9


def test_lines_seen_twice_count_once() -> None:
    lines = [
        client(0, b"AAAAAA1"),
        active(0, b"AAAAAA1"),
        tried(1, b"AAAAAA1", b"sent (250 ok)"),
        removed(1, b"AAAAAA1"),
    ]
    once, twice = book(*lines), book(*lines, *lines, cuts=2)

    assert (twice.accepted, twice.attempts, twice.messages) == (once.accepted, once.attempts, once.messages)
    assert twice.live == 0


def test_the_shadow_queue_knows_what_waits_and_why() -> None:
    ledger = book(
        client(0, b"AAAAAA1", more=b", sasl_method=PLAIN, sasl_username=ann"),
        active(0, b"AAAAAA1", recipients=3),
        tried(1, b"AAAAAA1", b"sent (250 ok)", to=b"b@x.test"),
        tried(2, b"AAAAAA1", DEFERRED, b"none"),
    )
    shadow = ledger.entry(QueueId("AAAAAA1"))

    assert shadow is not None
    assert (shadow.sender, shadow.user, shadow.size, shadow.recipients, shadow.outstanding) == (
        b"s@client.test",
        b"ann",
        463,
        3,
        2,
    )
    assert (shadow.arrival, shadow.last_at, shadow.deferred, shadow.hop) == (NOON, NOON + 2, True, Hop.REMOTE)
    assert shadow.reason == b"connect to mx.x.test[192.0.2.9]:25: Connection refused"
    assert list(ledger.ids()) == ["AAAAAA1"]

    book(active(301, b"AAAAAA1", recipients=3), ledger=ledger)
    shadow = ledger.entry(QueueId("AAAAAA1"))
    assert shadow is not None
    assert not shadow.deferred


def test_fresh_mail_waits_for_the_filter_once_one_is_in_sight_and_its_own_does_not() -> None:
    ledger = book(client(0, b"AAAAAA0"), active(0, b"AAAAAA0"))
    assert ledger.hop_of(QueueId("AAAAAA0")) is None

    book(
        *through_the_filter(1, b"AAAAAA1", b"BBBBBB1"),
        client(5, b"AAAAAA2"),
        client(5, b"BBBBBB2", b"172.28.0.37"),
        ledger=ledger,
    )
    assert ledger.hop_of(QueueId("AAAAAA0")) is Hop.FILTER
    assert ledger.hop_of(QueueId("AAAAAA2")) is Hop.FILTER
    assert ledger.hop_of(QueueId("BBBBBB1")) is None
    assert ledger.hop_of(QueueId("BBBBBB2")) is None
    assert ledger.hop_of(QueueId("CCCCCC1")) is None


def test_hold_release_and_requeue_are_followed() -> None:
    ledger = book(
        client(0, b"AAAAAA1"),
        tried(1, b"AAAAAA1", DEFERRED, b"none"),
        line(2, b"postfix/postsuper[9]: AAAAAA1: placed on hold"),
    )
    shadow = ledger.entry(QueueId("AAAAAA1"))
    assert shadow is not None
    assert shadow.held

    book(
        line(3, b"postfix/postsuper[9]: AAAAAA1: released from hold"),
        line(4, b"postfix/postsuper[9]: AAAAAA1: requeued"),
        line(5, b"postfix/pickup[9]: BBBBBB1: uid=0 from=<s@client.test> orig_id=AAAAAA1"),
        ledger=ledger,
    )  # fmt: skip
    assert list(ledger.ids()) == ["BBBBBB1"]
    assert ledger.removed(QueueId("AAAAAA1"), NOON + 4)
    assert ledger.accepted == 1
    assert [reason.waiting for reason in ledger.deferrals(NOON)] == [0]


def test_a_requeued_message_is_known_by_its_new_id_though_the_book_began_after_it() -> None:
    ledger = book(
        line(4, b"postfix/postsuper[9]: AAAAAA1: requeued"),
        line(5, b"postfix/pickup[9]: BBBBBB1: uid=0 from=<s@client.test> orig_id=AAAAAA1"),
    )

    assert ledger.requeued(QueueId("AAAAAA1"), NOON + 5.9) == "BBBBBB1"
    assert ledger.requeued(QueueId("AAAAAA1"), NOON + 6) == ""  # an earlier life's
    assert ledger.requeued(QueueId("BBBBBB1"), NOON) == ""


def test_a_message_that_was_given_back_without_another_try_is_known() -> None:
    ledger = book(line(3, b"postfix/qmgr[1]: AAAAAA1: from=<s@client.test>, status=force-expired, returned to sender"))

    assert ledger.returned(QueueId("AAAAAA1"), NOON + 3.5)
    assert not ledger.returned(QueueId("AAAAAA1"), NOON + 4)
    assert not ledger.returned(QueueId("AAAAAA2"), NOON)


def test_of_unusual_endings_only_the_last_are_kept() -> None:
    endings = Endings(most=2)
    endings.feed([], [Expired(float(at), b"AAAAAA%d" % at, b"s@x.test", b"force-expired") for at in range(4)])

    assert [endings.returned(b"AAAAAA%d" % at, 0.0) for at in range(4)] == [False, False, True, True]


def test_deleting_all_names_no_ids_so_a_listing_must_tell() -> None:
    ledger = book(
        tried(1, b"AAAAAA1", DEFERRED, b"none"),
        tried(1, b"AAAAAA2", DEFERRED, b"none"),
        tried(1, b"AAAAAA3", b"sent (250 ok)"),
        line(2, b"postfix/postsuper[9]: Deleted: 3 messages"),
        line(3, b"postfix/qmgr[1]: warning: qmgr_active_done_3_generic: remove AAAAAA3 from active: No such file or directory"),
    )  # fmt: skip
    assert ledger.unnamed > 0
    assert list(ledger.ids()) == ["AAAAAA1", "AAAAAA2"]

    ledger.forget([QueueId("AAAAAA1"), QueueId("AAAAAA2")], NOON + 4)
    assert ledger.live == 0
    assert [reason.waiting for reason in ledger.deferrals(NOON)] == [0]


def test_a_receipt_learns_what_became_of_a_message() -> None:
    ledger = book(
        client(0, b"AAAAAA1"),
        tried(1, b"AAAAAA1", DEFERRED, b"none"),
        line(10, b"postfix/postsuper[9]: AAAAAA1: placed on hold"),
    )
    assert ledger.fate(QueueId("AAAAAA1"), NOON + 10.5) is None
    assert not ledger.removed(QueueId("AAAAAA1"), NOON)

    book(tried(31, b"AAAAAA1", b"sent (250 ok)"), removed(31, b"AAAAAA1"), ledger=ledger)
    fate = ledger.fate(QueueId("AAAAAA1"), NOON + 10.5)
    assert fate is not None
    assert (fate.status, fate.hop, fate.recipient) == ("sent", Hop.REMOTE, b"a@x.test")
    assert ledger.removed(QueueId("AAAAAA1"), NOON + 31.9), "stamps may have whole seconds"
    assert not ledger.removed(QueueId("AAAAAA1"), NOON + 32)


def test_bounces_and_deferrals_are_grouped_with_what_came_and_went() -> None:
    ledger = book(
        *(tried(n, b"AAAAA%02d" % n, DEFERRED, b"none") for n in range(10)),
        tried(700, b"AAAAA00", b"sent (250 ok)"),
        removed(700, b"AAAAA00"),
        tried(701, b"AAAAA01", DEFERRED, b"none"),
        *(tried(702, b"BBBBB%02d" % n, b"bounced (host mx[192.0.2.1] said: 550 5.7.1 S3150)") for n in range(3)),
    )

    (waiting,) = ledger.deferrals(NOON)
    assert (waiting.waiting, waiting.came, waiting.went) == (9, 10, 1)
    assert (waiting.hop, waiting.next_hop, waiting.first, waiting.last) == (Hop.REMOTE, b"x.test", NOON, NOON + 9)
    (later,) = ledger.deferrals(NOON + 600)
    assert (later.waiting, later.came, later.went) == (9, 0, 1)
    (bounced,) = ledger.bounces(NOON)
    assert (bounced.came, bounced.reason) == (3, b"host mx[192.0.2.1] said: 550 5.7.1 S3150")


def test_domains_at_one_provider_bounce_at_one_next_hop_as_in_a_listing() -> None:
    said = b"bounced (host mx%d.mail.outlook.test[192.0.2.%d] said: 550 5.7.1 S3150)"
    ledger = book(
        *(tried(n, b"AAAAA%02d" % n, said % (n, n), to=b"a@firm%d.test" % n) for n in range(9)),
        tried(9, b"BBBBBB1", b"bounced (mail for loop.x.test loops back to myself)", b"none", b"a@y.test"),
        tried(9, b"BBBBBB2", b"bounced (TLS is required, but was not offered)", b"none", b"a@z.test"),
        ledger=Ledger(reduce=lambda reason: normalise(reason).text),
    )

    assert {reason.next_hop: reason.came for reason in ledger.bounces(NOON)} == {
        b"outlook.test": 9,
        b"x.test": 1,
        b"z.test": 1,
    }


def test_like_reasons_come_together() -> None:
    ledger = book(
        tried(1, b"AAAAAA1", b"deferred (try 1)", b"none"),
        tried(1, b"AAAAAA2", b"deferred (try 2)", b"none"),
        ledger=Ledger(reduce=lambda reason: reason.rstrip(b"0123456789")),
    )

    assert [(reason.reason, reason.waiting) for reason in ledger.deferrals(NOON)] == [(b"try ", 2)]


def test_our_own_probes_are_left_out() -> None:
    ledger = book(
        client(0, b"AAAAAA1", b"192.0.2.200"),
        tried(1, b"AAAAAA1", b"sent (250 ok)"),
        line(1, b"postfix/smtpd[1]: NOQUEUE: reject: RCPT from x[192.0.2.200]: 554 5.7.1 <a@b>: Relay access denied; from=<> to=<a@b> proto=SMTP helo=<x>"),
        line(1, b"postfix/smtpd[1]: NOQUEUE: reject: RCPT from x[192.0.2.7]: 554 5.7.1 <a@b>: Relay access denied; from=<> to=<a@b> proto=SMTP helo=<x>"),
        ledger=Ledger(ignore_clients=("192.0.2.200",)),
    )  # fmt: skip
    found = figures(ledger)

    assert found["postfix_accepted_total"] == 0
    assert found["postfix_deliveries_total{hop=remote,status=sent}"] == 0
    assert found["postfix_rejects_total{code=554}"] == 1
    assert [(reason.reason, reason.count) for reason in ledger.refusals.reasons()] == [(b"Relay access denied", 1)]


def test_a_bounce_notification_is_not_accepted_mail() -> None:
    ledger = book(
        client(0, b"AAAAAA1"),
        line(1, b"postfix/cleanup[1]: BBBBBB1: message-id=<x@mail1>"),
        line(1, b"postfix/bounce[1]: AAAAAA1: sender non-delivery notification: BBBBBB1"),
        active(1, b"BBBBBB1", sender=b""),
    )

    assert ledger.accepted == 1
    shadow = ledger.entry(QueueId("BBBBBB1"))
    assert shadow is not None
    assert shadow.sender == b""


def test_the_book_is_bounded() -> None:
    ledger = Ledger(max_live=10)
    book(*(client(n, b"AAAA%03d" % n) for n in range(100)), ledger=ledger)
    book(client(1500, b"AAAA999"), ledger=ledger)

    assert (ledger.live, ledger.evicted) == (10, 91)


LINES = (
    *through_the_filter(0, b"AAAAAA1", b"BBBBBB1"),
    tried(2, b"BBBBBB1", DEFERRED, b"none"),
    tried(2, b"BBBBBB1", b"bounced (no)"),
    tried(3, b"BBBBBB1", b"sent (250 ok)"),
    removed(3, b"BBBBBB1"),
    line(2, b"postfix/postsuper[9]: BBBBBB1: placed on hold"),
    line(2, b"postfix/pickup[9]: BBBBBB1: uid=0 from=<s@client.test> orig_id=AAAAAA1"),
)


@given(st.lists(st.sampled_from(LINES), max_size=25))
def test_lines_in_any_order_break_nothing(lines: list[bytes]) -> None:
    ledger = book(*lines, cuts=3)
    ledger.settle(float("inf"))

    assert all(reason.waiting >= 0 for reason in ledger.deferrals(0))
    assert all(sample.value >= 0 for sample in counts(ledger, NOON))
    assert sum(reason.waiting for reason in ledger.deferrals(0)) <= 2
    assert ledger.live == len(list(ledger.ids())) == len(list(ledger.shadows()))


def test_mail_that_is_proven_late_counts_when_it_was_accepted() -> None:
    """Thirty mails of an old burst, proven only now, are no rush of now."""
    burst = [client(0, b"4TqX2m6bYzz%03d" % number, b"10.0.0.9") for number in range(30)]
    ledger = book(*burst)
    ledger.settle(NOON + 600)

    assert ledger.accepted == 30
    assert ledger.accepted_rate(NOON + 30) == 30 / 60
    assert ledger.accepted_rate(NOON + 600) == 0.0


def test_mail_that_waits_for_its_proof_is_the_last_accepted_as_soon_as_it_is_in_the_rate() -> None:
    ledger = book(client(0, b"4TqX2m6bYzz3F", b"203.0.113.9"), client(10, b"4TqX2m6bYzz3G", b"10.0.0.9"))

    assert (ledger.accepted, ledger.accepted_rate(NOON + 16)) == (1, 2 / 66)
    assert (ledger.last_accepted(NOON + 14), ledger.last_accepted(NOON + 16)) == (NOON, NOON + 10)


def test_a_re_injection_is_no_part_of_the_rate() -> None:
    ledger = book(*through_the_filter(0, b"4TqX2m6bYzz3F", b"4TqX2m7cQzz3G"))

    assert ledger.accepted_rate(NOON + 20) == 1 / 60
