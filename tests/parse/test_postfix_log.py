# ruff: noqa: E501 — log lines are as long as they are
from __future__ import annotations

import re
from datetime import UTC, datetime
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailtop.parse.batch import Batch, Trouble
from mailtop.parse.postfix_log import PostfixLog
from mailtop.parse.stamp import Stamps

REFERENCE = datetime(2026, 11, 24, 12, tzinfo=UTC).timestamp()
AT = datetime(2026, 11, 24, 2, 36, 1, tzinfo=UTC).timestamp()
HEAD = b"Nov 24 02:36:01 mail1 "


def read(*texts: bytes, head: bytes = HEAD) -> Batch:
    return PostfixLog(Stamps(REFERENCE)).read(b"".join(head + text + b"\n" for text in texts))


def delivery(text: bytes, program: bytes = b"postfix/smtp[176]: ") -> tuple[object, ...]:
    (row,) = read(program + text).deliveries
    return row


def test_a_delivery_has_its_columns() -> None:
    row = delivery(
        b"B6C532080F1: to=<x@soft.test>, orig_to=<y@soft.test>, relay=amavis[172.28.0.37]:10024, conn_use=2, delay=1, "
        b"delays=0.01/0.76/0/0.23, dsn=2.0.0, status=sent (250 2.0.0 from MTA(smtp:[172.28.0.30]:10025): 250 2.0.0 Ok: queued as BD3F22080C)"
    )

    assert row == (
        AT, b"B6C532080F1", b"x@soft.test", b"y@soft.test", b"amavis[172.28.0.37]:10024", b"1", b"0.01/0.76/0/0.23",
        b"2.0.0", b"sent", b"250 2.0.0 from MTA(smtp:[172.28.0.30]:10025): 250 2.0.0 Ok: queued as BD3F22080C", b"smtp",
    )  # fmt: skip


def test_tls_between_delays_and_dsn_is_no_obstacle() -> None:
    row = delivery(
        b"4TqX2m6bYzz3F: to=<a@x.test>, relay=mx.x.test[192.0.2.1]:25, delay=0.1, delays=0/0/0.1/0, tls=verified, dsn=2.0.0, status=sent (250 ok)"
    )

    assert row[1] == b"4TqX2m6bYzz3F"
    assert row[7:10] == (b"2.0.0", b"sent", b"250 ok")


@pytest.mark.parametrize("word", [b"deferred", b"bounced", b"SOFTBOUNCE", b"expired", b"force-expired"])
def test_every_status_word_is_read(word: bytes) -> None:
    line = b"ABCDEF1: to=<a@x.test>, relay=none, delay=3, delays=1/0/2/0, dsn=4.4.1, status=%s (a (b, c) (d))" % word

    assert delivery(line)[8:10] == (word, b"a (b, c) (d)")


def test_address_probes_are_not_mail() -> None:
    line = b"ABCDEF1: to=<a@x.test>, relay=none, delay=3, delays=1/0/2/0, dsn=2.0.0, status=%s (verified)"
    batch = read(b"postfix/smtp[1]: " + line % b"deliverable", b"postfix/smtp[1]: " + line % b"undeliverable")

    assert (batch.deliveries, batch.probes, batch.unreadable) == ([], 2, 0)


def test_a_line_that_syslog_cut_is_still_a_delivery() -> None:
    line = b"ABCDEF1: to=<a@x.test>, relay=none, delay=3, delays=1/0/2/0, dsn=4.4.1, status=deferred (host x said: 4"

    assert delivery(line)[9] == b"host x said: 4"


def test_transports_and_instances_are_named_by_the_tag() -> None:
    line = b"ABCDEF1: to=<a@x.test>, relay=none, delay=3, delays=1/0/2/0, dsn=4.4.1, status=deferred (x)"

    assert delivery(line, b"postfix/smtp-amavis/smtp[7]: ")[10] == b"smtp-amavis/smtp"
    assert delivery(line, b"postfix-incoming/lmtp[7]: ")[10] == b"lmtp"
    assert delivery(line, b"our.mail/relay/smtp[7]: ")[10] == b"relay/smtp"


def test_clients_come_with_login_and_former_id() -> None:
    batch = read(
        b"postfix/smtpd[108]: 95E8E2080A5: client=unknown[172.28.0.1]",
        b"postfix/submission/smtpd[181]: E691F2083BB: client=unknown[2001:db8::1], sasl_method=PLAIN, sasl_username=alice@example.test",
        b"postfix/submission/smtpd[181]: E691F2083BC: client=unknown[192.0.2.1], sasl_method=PLAIN, sasl_username=<bob>",
        b"postfix/smtpd[108]: 4TqX2m7cQzz3G: client=localhost[127.0.0.1], orig_queue_id=95E8E2080A5, orig_client=unknown[172.28.0.1]",
        b"postfix/smtpd[108]: NOQUEUE: client=unknown[172.28.0.1]",
    )

    assert batch.clients == [
        (AT, b"95E8E2080A5", b"unknown[172.28.0.1]", b"", b"", b"smtpd"),
        (AT, b"4TqX2m7cQzz3G", b"localhost[127.0.0.1]", b"", b"95E8E2080A5", b"smtpd"),
        (AT, b"E691F2083BB", b"unknown[2001:db8::1]", b"alice@example.test", b"", b"submission/smtpd"),
        (AT, b"E691F2083BC", b"unknown[192.0.2.1]", b"bob", b"", b"submission/smtpd"),
    ]


def test_the_life_of_an_id() -> None:
    batch = read(
        b"postfix/pickup[105]: 5FE392080: uid=0 from=<sender@client.test>",
        b"postfix/pickup[105]: 5FE392081: uid=107 from=<a@b.test> orig_id=4F0A12080",
        b"postfix/cleanup[175]: 5FE392080: message-id=<20261124.5FE@mail1.example.test>",
        b"postfix/cleanup[175]: 5FE392081: message-id=",
        b"postfix/qmgr[106]: 5FE392080: from=<a>, size=1, nrcpt=2 (q@x.test>, size=463, nrcpt=3 (queue active)",
        b"postfix/bounce[188]: CAA6B2080: sender non-delivery notification: CC66E2080",
        b"postfix/qmgr[106]: 5FE392080: from=<a@b.test>, status=expired, returned to sender",
        b"postfix/qmgr[106]: 5FE392080: removed",
        b"postfix/postsuper[325]: E9D0B2080: placed on hold",
        b"postfix/postsuper[325]: Placed on hold: 1 message",
        b"postfix/master[104]: daemon started -- version 3.7.11, configuration /etc/postfix",
    )

    assert [row[1:] for row in batch.pickups] == [
        (b"5FE392080", 0, b"sender@client.test", b""),
        (b"5FE392081", 107, b"a@b.test", b"4F0A12080"),
    ]
    assert [row[2] for row in batch.messages] == [b"20261124.5FE@mail1.example.test", b""]
    assert batch.active == [(AT, b"5FE392080", b"a>, size=1, nrcpt=2 (q@x.test", 463, 3)]
    assert batch.notices == [(AT, b"CAA6B2080", b"CC66E2080", b"sender non-delivery")]
    assert batch.expired == [(AT, b"5FE392080", b"a@b.test", b"expired")]
    assert batch.removed == [(AT, b"5FE392080")]
    assert batch.handled == [(AT, b"E9D0B2080", "hold")]
    assert [row.what for row in batch.masters] == ["started"]
    assert (batch.unreadable, batch.foreign, batch.lines) == (0, 0, 11)


def test_refusals_of_smtpd_and_postscreen_and_milters() -> None:
    batch = read(
        b"postfix/smtpd[108]: NOQUEUE: reject: RCPT from unknown[172.28.0.1]: 550 5.1.1 <nobody@example.test>: Recipient address rejected: User unknown; from=<s@client.test> to=<nobody@example.test> proto=ESMTP helo=<client.test>",
        b"postfix/postscreen[9]: NOQUEUE: reject: RCPT from [2001:db8::9]:4711: 550 5.7.1 Service unavailable; client [2001:db8::9] blocked using zen.test; from=<>, to=<a@b.test>, proto=ESMTP, helo=<h>",
        b"postfix/postscreen[9]: NOQUEUE: reject: CONNECT from [192.0.2.7]:41: too many connections",
        b"postfix/cleanup[9]: ABCDEF1: milter-reject: END-OF-MESSAGE from x.test[192.0.2.7]: 4.7.1 Try again; from=<s@x.test> to=<a@b.test> proto=ESMTP helo=<x>",
        b"postfix/smtpd[108]: NOQUEUE: reject: MAIL from unknown[172.28.0.1]: 552 5.3.4 Message size exceeds fixed limit; from=<a@client.test> proto=ESMTP helo=<client.test>",
        b"postfix/smtpd[108]: NOQUEUE: reject_warning: RCPT from unknown[172.28.0.1]: 550 5.1.1 x; from=<a> to=<b> proto=ESMTP helo=<c>",
        b"postfix/smtpd[108]: NOQUEUE: lost connection after RCPT from unknown[172.28.0.1]",
    )

    assert sorted((row.stage, row.code, row.dsn, row.sender, row.recipient) for row in batch.rejects) == [
        (b"CONNECT", 0, b"", b"", b""),
        (b"END-OF-MESSAGE", 0, b"4.7.1", b"s@x.test", b"a@b.test"),
        (b"MAIL", 552, b"5.3.4", b"a@client.test", b""),
        (b"RCPT", 550, b"5.1.1", b"s@client.test", b"nobody@example.test"),
        (b"RCPT", 550, b"5.7.1", b"", b"a@b.test"),
    ]
    assert batch.unreadable == 0


def test_failed_logins_and_the_warnings_that_matter() -> None:
    batch = read(
        b"postfix/submission/smtpd[181]: warning: unknown[172.28.0.1]: SASL PLAIN authentication failed: (reason unavailable), sasl_username=alice@example.test",
        b"postfix/smtpd[181]: warning: x.test[192.0.2.1]: SASL LOGIN authentication failed: UGFzc3dvcmQ6",
        b'postfix/master[95]: warning: service "smtp" (25) has reached its process limit "100": new clients may experience noticeable delays',
        b"postfix/master[95]: warning: /usr/lib/postfix/sbin/smtpd: bad command startup -- throttling",
        b"postfix/submission/smtpd[353]: fatal: no SASL authentication mechanisms",
        b"postfix/cleanup[3]: warning: ABCDEF1: write queue file: No space left on device",
        b"postfix/proxymap[482]: warning: connect to mysql server maildb: Can't connect to server on 'maildb' (115)",
        b"postfix/smtpd[1]: warning: hostname no.space.throttling does not resolve to address 192.0.2.1",
    )

    assert [(row.client, row.method, row.user) for row in batch.sasl_failures] == [
        (b"unknown[172.28.0.1]", b"PLAIN", b"alice@example.test"),
        (b"x.test[192.0.2.1]", b"LOGIN", b""),
    ]
    assert sorted(row.kind for row in batch.alarms) == [
        Trouble.FATAL, Trouble.LOOKUP, Trouble.SPACE, Trouble.LIMIT, Trouble.THROTTLED,
    ]  # fmt: skip


def test_other_programs_lines_are_foreign_and_broken_ones_unreadable() -> None:
    batch = read(
        b"dovecot: imap-login: Login: user=<a>",
        b"clamd[811]: SelfCheck: Database status OK.",
        b"postfix/smtp[1]: ABCDEF1: to=<a@x.test>, relay=none, nonsense",
        b"postfix/smtpd[1]: ABCDEF1: what is this",
        b"postfix/smtp[1]: connect to refused.test[172.28.0.2]:25: Connection refused",
    )

    assert (batch.foreign, batch.unreadable, len(batch.samples)) == (2, 2, 2)


def test_docker_puts_its_own_stamp_before_the_lines() -> None:
    batch = read(
        b"Nov 24 02:36:01 mail1 postfix/qmgr[106]: 5FE392080: removed",
        b"Nov  4 02:36:01 mail1 postfix/qmgr[106]: 5FE392081: removed",
        b"updating /etc/hosts => /var/spool/postfix//etc/hosts",
        head=b"2026-11-24T02:36:01.128485069Z ",
    )

    assert [row[1] for row in batch.removed] == [b"5FE392080", b"5FE392081"]
    assert (batch.foreign, batch.lines) == (1, 3)


FAKE = (
    b"ABCDEF9: to=<v@x.test>, relay=mx[192.0.2.9]:25, delay=1, delays=0/0/1/0, dsn=2.0.0, status=sent (250 ok)",
    b">, relay=mx[192.0.2.9]:25, delay=1, delays=0/0/1/0, dsn=2.0.0, status=sent (250 2.0.0 ok)",
    b"Nov 24 02:36:01 mail1 postfix/smtp[1]: ABCDEF9: to=<v@x.test>, relay=mx[192.0.2.9]:25, delay=1, delays=0/0/1/0, dsn=2.0.0, status=sent (250 ok)",
    b"ABCDEF9: client=mx[192.0.2.9]",
    b"ABCDEF9: removed",
)


@pytest.mark.parametrize("fake", FAKE)
@pytest.mark.parametrize(
    "line",
    [
        b"postfix/smtpd[1]: NOQUEUE: reject: RCPT from u[192.0.2.1]: 550 5.1.1 <%s>: no; from=<a> to=<b> proto=ESMTP helo=<c>",
        b"postfix/smtpd[1]: NOQUEUE: reject: RCPT from u[192.0.2.1]: 550 5.1.1 <a>: no; from=<a> to=<b> proto=ESMTP helo=<%s>",
        b"postfix/smtpd[1]: warning: non-SMTP command from unknown[192.0.2.1]: %s",
        b"postfix/cleanup[1]: ABCDEF1: message-id=<%s>",
        b"postfix/cleanup[1]: ABCDEF1: warning: header Subject: %s from u[192.0.2.1]; from=<a> to=<b> proto=ESMTP helo=<c>",
        b"postfix/qmgr[1]: ABCDEF1: from=<%s>, size=1, nrcpt=1 (queue active)",
        b"dovecot: imap-login: Login: user=<%s>",
        b"postfix/smtp[1]: ABCDEF1: host mx[192.0.2.1] said: 450 %s (in reply to RCPT TO command)",
    ],
)
def test_a_strangers_words_make_no_delivery(line: bytes, fake: bytes) -> None:
    batch = read(line % fake)

    assert (batch.deliveries, batch.clients, batch.removed) == ([], [], [])


@pytest.mark.parametrize("fake", FAKE)
def test_an_address_or_an_answer_never_turns_a_bounce_into_a_delivery(fake: bytes) -> None:
    end = b"relay=none, delay=3, delays=1/0/2/0, dsn=5.1.1, status=bounced (%s)"
    batch = read(
        b'postfix/smtp[1]: ABCDEF1: to=<"%s"@x.test>, ' % fake + end % b"no",
        b"postfix/smtp[1]: ABCDEF2: to=<%s@x.test>, " % fake + end % b"no",
        b"postfix/smtp[1]: ABCDEF3: to=<a@x.test>, orig_to=<%s>, " % fake + end % b"no",
        b"postfix/smtp[1]: ABCDEF4: to=<a@x.test>, " + end % b"host x said: 550 %s" % fake,
    )

    assert {row[8] for row in batch.deliveries} <= {b"bounced"}
    assert len(batch.deliveries) + batch.unreadable == 4


def test_rows_of_several_programs_come_in_the_order_of_time() -> None:
    line = (
        b"postfix/%s[1]: ABCDEF1: to=<a@x.test>, relay=none, delay=3, delays=1/0/2/0, dsn=4.4.1, status=deferred (x)\n"
    )
    lines = b"".join(
        b"Nov 24 02:36:%02d mail1 " % second + line % program
        for second, program in enumerate((b"smtp", b"lmtp", b"smtp", b"virtual"))
    )

    rows = PostfixLog(Stamps(REFERENCE)).read(lines).deliveries

    assert [row[10] for row in rows] == [b"smtp", b"lmtp", b"smtp", b"virtual"]


LINES = (
    b"postfix/smtpd[108]: 95E8E2080A5: client=unknown[172.28.0.1]",
    b"postfix/smtpd[108]: connect from unknown[172.28.0.1]",
    b"postfix/qmgr[106]: 95E8E2080A5: from=<sender@client.test>, size=463, nrcpt=1 (queue active)",
    b"postfix/lmtp[170]: 95E8E2080A5: to=<a@x.test>, relay=dovecot[172.28.0.81]:24, delay=0.1, delays=0.02/0.02/0.03/0.04, dsn=2.0.0, status=sent (250 2.0.0 <a@x.test> x Saved)",
    b"postfix/qmgr[106]: 95E8E2080A5: removed",
    b"dovecot: imap-login: Login: user=<a>",
    b"not a log line",
    b"",
)


def totals(batches: list[Batch]) -> tuple[int, ...]:
    names = ("clients", "active", "deliveries", "removed", "lines", "foreign", "unreadable", "connects")
    return tuple(
        sum(len(held) if isinstance(held := getattr(batch, name), list) else held for batch in batches)
        for name in names
    )


@given(st.lists(st.sampled_from(LINES), max_size=30), st.lists(st.integers(0, 30), max_size=5))
def test_chunks_may_end_after_any_line(texts: list[bytes], cuts: list[int]) -> None:
    lines = [HEAD + text + b"\n" for text in texts]
    whole = [PostfixLog(Stamps(REFERENCE)).read(b"".join(lines))]
    log = PostfixLog(Stamps(REFERENCE))
    ends = [0, *sorted(min(cut, len(lines)) for cut in cuts), len(lines)]
    parts = [log.read(b"".join(lines[start:end])) for start, end in pairwise(ends)]

    assert totals(whole) == totals(parts)


PROGRAMS = (
    b"smtpd",
    b"cleanup",
    b"qmgr",
    b"smtp",
    b"lmtp",
    b"bounce",
    b"pickup",
    b"postsuper",
    b"postscreen",
    b"master",
)


@given(st.binary())
def test_no_bytes_raise(lines: bytes) -> None:
    batch = PostfixLog(Stamps(REFERENCE)).read(lines)

    assert batch.lines == lines.count(b"\n") + (lines[-1:] not in (b"", b"\n"))


@given(
    st.lists(
        st.tuples(st.sampled_from(PROGRAMS), st.sampled_from(LINES + FAKE), st.binary(max_size=20), st.integers(0, 99))
    )
)
def test_no_text_of_any_program_raises(parts: list[tuple[bytes, bytes, bytes, int]]) -> None:
    texts = [
        b"postfix/%s[1]: %s" % (program, re.sub(rb"\n", b"", known[:cut] + noise + known[cut:]))
        for program, known, noise, cut in parts
    ]
    batch = read(*texts)

    assert batch.lines == len(texts)


def test_a_line_of_busyboxs_syslogd_is_read_behind_its_level() -> None:
    # BusyBox 1.35, syslogd -O
    batch = PostfixLog(Stamps(1795507572.0)).read(
        b"Nov 24 08:06:12 mail3 mail.info postfix/discard[944]: 4jYb3m47THzDxtN: to=<x@sent.test>, relay=none, "
        b"delay=0.07, delays=0.06/0.02/0/0, dsn=2.0.0, status=sent (gone)\n"
        b"Nov 24 08:06:12 mail3 mail.info postfix/qmgr[924]: 4jYb3m47THzDxtN: removed\n"
    )

    assert (len(batch.deliveries), len(batch.removed), batch.foreign) == (1, 1, 0)


def test_of_a_log_that_instances_share_only_the_wanted_ones_lines_are_read() -> None:
    sent = b"4jYVWS68jQzDHCG: to=<a@b.test>, relay=x[192.0.2.1]:25, delay=1, delays=0/0/0/1, dsn=2.0.0, status=sent (250 ok)"
    lines = b"".join(HEAD + name + b"/smtp[7]: " + sent + b"\n" for name in (b"postfix", b"postfix-out", b"postfix"))

    out = PostfixLog(Stamps(REFERENCE), lambda name: name == b"postfix-out").read(lines)
    default = PostfixLog(Stamps(REFERENCE), lambda name: name != b"postfix-out").read(lines)
    assert (len(out.deliveries), len(default.deliveries)) == (1, 2)
    assert out.unreadable == default.unreadable == 0
