# ruff: noqa: E501 — log lines are as long as they are
"""What flows: messages and not attempts, hops and not mail; from lines as Postfix writes them."""

from __future__ import annotations

from pathlib import Path

import pytest

from mailtop.ledger.book import Ledger
from mailtop.ledger.flow import Part, merged, part
from mailtop.ledger.top import Top
from mailtop.model.flow import Flow, Ranked
from mailtop.model.topology import Hop
from mailtop.parse.postfix_log import PostfixLog
from mailtop.parse.stamp import Stamps
from tests.ledger.test_book import DEFERRED, NOON, active, book, client, line, removed, through_the_filter, tried

LOGS = Path(__file__).parent / "logs"
NOW = NOON + 600.0
SENT = b"sent (250 2.0.0 Ok)"


def flow(*lines: bytes, now: float = NOW, cuts: int = 1) -> Flow:
    return merged([part(book(*lines, cuts=cuts), now)], now)


def totals(told: Flow) -> dict[str, int]:
    return {one.name: one.total for one in told.streams if one.total}


def ranks(told: Flow, table: str) -> list[Ranked]:
    return [row for row in told.ranks if row.table == table]


def shares(told: Flow) -> dict[str, tuple[int, int, int]]:
    return {one.name: (one.part, one.of, one.own) for one in told.shares}


def test_a_mail_through_the_filter_and_to_the_archive_is_one_mail_and_two_hops() -> None:
    told = flow(
        *through_the_filter(1, b"AAAAAA1", b"BBBBBB1"),
        tried(2, b"BBBBBB1", SENT),
        tried(2, b"BBBBBB1", SENT, b"piler[192.0.2.30]:2525", b"copy@archive.local"),
        removed(3, b"BBBBBB1"),
    )
    assert totals(told) == {"accepted": 1, "sent": 1, "filter": 1, "archive": 1}
    assert [(row.name, row.count) for row in ranks(told, "destinations")] == [(b"x.test", 1)]
    assert [(row.name, row.count) for row in ranks(told, "clients")] == [(b"192.0.2.1", 1)]
    assert [(row.name, row.count) for row in ranks(told, "senders")] == [(b"s@client.test", 1)]


@pytest.mark.parametrize("cuts", [1, 4, 7])
def test_a_message_that_is_tried_again_is_put_off_once_and_its_retries_are_apart(cuts: int) -> None:
    tries = [tried(60 * n, b"AAAAAA1", DEFERRED, delays=b"%d/0/1/0" % (60 * n)) for n in range(1, 5)]
    told = flow(client(1, b"AAAAAA1"), active(1, b"AAAAAA1"), *tries, tried(400, b"AAAAAA1", SENT), cuts=cuts)
    assert totals(told) == {"accepted": 1, "sent": 1, "deferred": 1}
    assert shares(told)["failing"] == (1, 1, 0)
    (row,) = ranks(told, "destinations")
    assert (row.count, row.deferred, row.bounced, row.last) == (1, 1, 0, NOON + 400)
    assert [(one.hop, one.retry) for one in told.delays] == [(Hop.REMOTE, False), (Hop.REMOTE, True)]
    first, again = told.delays
    assert first.a[1] < 70 < again.a[1]


def test_a_destination_that_only_bounces_has_no_last_success() -> None:
    refused = b"bounced (host mx.x.test[192.0.2.9] said: 550 5.7.1 blocked (S3150))"
    told = flow(client(1, b"AAAAAA1"), active(1, b"AAAAAA1"), tried(2, b"AAAAAA1", refused))
    (row,) = ranks(told, "destinations")
    assert (row.count, row.bounced, row.last) == (0, 1, 0.0)
    assert totals(told)["bounced"] == 1


def test_a_submission_in_clear_is_seen_and_one_that_was_refused_is_not() -> None:
    def gone(service: bytes, address: bytes, did: bytes) -> bytes:
        return line(5, b"postfix/%s[1]: disconnect from x.test[%s] %s quit=1 commands=4" % (service, address, did))

    told = flow(
        client(5, b"AAAAAA1"),
        gone(b"submission/smtpd", b"192.0.2.7", b"ehlo=2 starttls=1 auth=1 mail=1 rcpt=1 data=1"),
        gone(b"submission/smtpd", b"192.0.2.8", b"ehlo=1 auth=1 mail=1 rcpt=1 data=1"),
        gone(b"submission/smtpd", b"192.0.2.8", b"ehlo=1 mail=0/1"),
        gone(b"submission/smtpd", b"172.18.0.5", b"ehlo=1 auth=1 mail=1 rcpt=1 data=1"),
        gone(b"smtps/smtpd", b"192.0.2.7", b"ehlo=1 auth=1 mail=1 rcpt=1 data=1"),
        gone(b"smtpd", b"192.0.2.9", b"ehlo=1 mail=1 rcpt=1 data=1"),
        gone(b"smtpd", b"192.0.2.9", b"ehlo=1 auth=0/1"),
    )
    assert shares(told)["submission"] == (2, 3, 1)
    assert shares(told)["in"] == (0, 1, 0)


def test_tls_to_remotes_is_unknown_where_postfix_does_not_log_it() -> None:
    mail = [client(1, b"AAAAAA1"), active(1, b"AAAAAA1"), tried(2, b"AAAAAA1", SENT)]
    spoken = line(2, b"postfix/smtp[1]: Untrusted TLS connection established to mx.x.test[192.0.2.9]:25: TLSv1.3 with cipher X")  # fmt: skip
    assert "out" not in shares(flow(*mail))
    assert shares(flow(spoken, *mail))["out"] == (1, 1, 0)


def test_refusals_logins_and_postscreen_are_ranked() -> None:
    told = flow(
        line(1, b"postfix/smtpd[1]: NOQUEUE: reject: RCPT from x.test[192.0.2.5]: 554 5.7.1 <a@b.test>: Relay access denied; from=<s@x.test> to=<a@b.test> proto=ESMTP helo=<x>"),
        line(2, b"postfix/smtpd[1]: NOQUEUE: reject: RCPT from x.test[192.0.2.5]: 451 4.3.0 <a@b.test>: Temporary lookup failure; from=<s@x.test> to=<a@b.test> proto=ESMTP helo=<x>"),
        line(3, b"postfix/submission/smtpd[1]: warning: x.test[192.0.2.6]: SASL LOGIN authentication failed: UGFzc3dvcmQ6, sasl_username=admin"),
        line(4, b"postfix/postscreen[1]: PASS NEW [192.0.2.1]:4711"),
        line(4, b"postfix/postscreen[1]: PREGREET 14 after 0.1 from [192.0.2.2]:4711: EHLO x"),
        line(5, b"postfix/master[1]: warning: service \"smtp\" (25) has reached its process limit \"100\": new clients may experience noticeable delays"),
    )  # fmt: skip
    assert totals(told) == {"rejected": 2}
    assert [row.name for row in ranks(told, "refused")] == [b"192.0.2.5"]
    assert [row.name for row in ranks(told, "guessed")] == [b"admin"]
    assert {row.name for row in ranks(told, "postscreen")} == {b"passed, new", b"spoke too early"}
    assert [row.name for row in ranks(told, "warnings")] == [b"process limit"]


def test_two_books_add_up_and_an_hour_later_nothing_is_left() -> None:
    one = part(book(client(1, b"AAAAAA1"), active(1, b"AAAAAA1"), tried(2, b"AAAAAA1", SENT)), NOW)
    both = merged([one, one], NOW)
    assert totals(both) == {"accepted": 2, "sent": 2}
    late = NOON + 8000
    assert not totals(flow(client(1, b"AAAAAA1"), active(1, b"AAAAAA1"), tried(2, b"AAAAAA1", SENT), now=late))


@pytest.mark.parametrize("name", ["postfix-3.7.log", "postfix-3.10.log", "next-hop-gone.log"])
def test_of_real_logs_the_streams_are_what_the_book_has_counted(name: str) -> None:
    ledger = Ledger()
    ledger.feed(PostfixLog(Stamps(NOON)).read((LOGS / name).read_bytes()))
    found: Part = part(ledger, ledger.last_at)
    ledger.settle(float("inf"))
    told = totals(merged([found], ledger.last_at))
    span = 61 * 60
    if ledger.last_at - ledger.first_at < span and told:
        assert told.get("accepted", 0) <= ledger.accepted
        assert told.get("sent", 0) <= ledger.messages[2 * 8]
        assert told.get("rejected", 0) <= ledger.refusals.codes.total()


def test_a_table_is_bounded_and_counts_the_rest_as_other() -> None:
    top: Top[bytes] = Top(b"other")
    for start in range(0, 5000, 100):
        top.add(100.0, [b"%d" % number for number in range(start, start + 100)])
    assert len(top.sums(100.0)) <= 1001
    assert top.sums(100.0).total() == 5000
