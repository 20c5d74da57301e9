"""What logs tell: real lines of both versions in, figures out; and strangers' text that looks like a verdict."""

from __future__ import annotations

from pathlib import Path

import pytest

from mailtop.model.sample import Sample
from mailtop.probe import Listener, Table, listeners

LISTENERS = {listener.name: listener for listener in listeners()}
AMAVIS = (
    (
        b"<5>(00026-01) Passed CLEAN {RelayedInternal}, ORIGINATING LOCAL [172.28.0.1]:40864 <alice@example.test> "
        b"-> <bob@example.test>, Queue-ID: 4jYj9k1D53zFdGl, Message-ID: <043a@c.test>, mail_id: HitlZIyIqKuT, Hits: -"
        b"1, size: 472, queued_as: 4jYj9k2XfHzFdHB, 181 ms"
    ),
    (
        b"<5>(00027-02) Blocked INFECTED (Eicar-Test-Signature.UNOFFICIAL) {DiscardedInbound,Quarantined}, "
        b"[172.28.0.1]:50892 <sender@client.test> -> <bob@example.test>, quarantine: k/virus-kLS57B9A5wgh, Queue-ID: "
        b"A352F20815A, Message-ID: <1795@client.test>, mail_id: kLS57B9A5wgh, Hits: -, size: 891, 46 ms"
    ),
    (
        b"Nov 24 10:00:00 mail amavis[12]: (00025-01) Blocked SPAM {DiscardedInbound,Quarantined}, [172.28.0.1]:50886 "
        b"<sender@client.test> -> <carol@example.test>, quarantine: C/spam-C8OuIHmZHKZb.gz, Queue-ID: 9EABF208129, "
        b"Message-ID: <1795@client.test>, mail_id: C8OuIHmZHKZb, Hits: 999, size: 1101, 12003 ms"
    ),
)
DOVECOT_23 = (
    (
        b"Nov 24 14:24:33 imap-login: Info: Login: user=<bob@example.test>, method=PLAIN, rip=172.28.0.1, lip=172.28.0."
        b"31, mpid=2937, session=<gEUkeAZhHI+sHAAB>"
    ),
    (
        b"Nov 24 14:24:40 imap-login: Info: Disconnected: Connection closed (auth failed, 3 attempts in 7 secs): "
        b"user=<carol@example.test>, method=PLAIN, rip=203.0.113.9, lip=172.28.0.31, session=<x>"
    ),
    (
        b"Nov 24 14:24:41 imap-login: Info: Disconnected: Connection closed (no auth attempts in 0 secs): user=<>, "
        b"rip=127.0.0.1, lip=127.0.0.1, TLS, session=<y>"
    ),
    (
        b"Nov 24 14:24:33 lmtp(bob@example.test)<2931><6GmaIiGeBWtzCwAAkzG9Ng>: Info: msgid=<39@client.test>: saved m"
        b"ail to INBOX"
    ),
    b"Nov 24 02:57:58 auth-worker(78): Error: mysql(maildb): Connect failed to database (mail): Connection refused",
    (
        b"Nov 24 02:58:58 master: Warning: service(imap-login): process_limit (100) reached, client connections are b"
        b"eing dropped"
    ),
)
DOVECOT_24 = (
    (
        b"Nov 24 03:02:19 imap-login: Info: Logged in: user=<alice@example.test>, method=PLAIN, rip=172.28.0.1, "
        b"lip=172.28.0.81, mpid=30, session=<HxsJ8PxgiLqsHAAB>"
    ),
    (
        b"Nov 24 03:02:21 imap-login: Info: Login aborted: Connection closed (auth failed, 1 attempts in 2 secs) "
        b"(auth_failed): user=<alice@example.test>, method=PLAIN, rip=172.28.0.1, lip=172.28.0.81, session=<e>"
    ),
    (
        b"Nov 24 12:41:44 imap-login: Info: Login aborted: Connection closed (no auth attempts in 0 secs) "
        b"(no_auth_attempts): user=<>, rip=172.28.0.1, lip=172.28.0.81, session=<Bt1vCAVhVq6sHAAB>"
    ),
)
AT_LIMIT = (
    (
        b"Nov 24 18:18:04 imap-login: Info: Disconnected: Maximum number of connections from user+IP exceeded (mail_max"
        b"_userip_connections=2): user=<keep@x.test>, method=PLAIN, rip=127.0.0.1, lip=127.0.0.1, secured, session=<G>"
    ),
    (
        b"Nov 24 18:18:34 imap-login: Info: Login aborted: Maximum number of connections from user+IP exceeded (mail_ma"
        b"x_userip_connections=2) (connection limit reached, 1/1 successful auths in 0 secs) (connection_limit): "
        b"user=<keep@x.test>, method=PLAIN, rip=127.0.0.1, lip=127.0.0.1, secured, session=<uoILvQlhNoF/AAAB>"
    ),
)
LOCKS = (
    (
        b"Nov 24 18:20:44 imap(fi@x.test)<7><a>: Error: Mailbox INBOX: Timeout (2s) while waiting for lock for transact"
        b"ion log file /var/vmail/fi@x.test/Maildir/dovecot.index.log (WRITE lock held by pid 1797)"
    ),
    (
        b"Nov 24 18:20:44 imap(keep@x.test)<7><a>: Error: Mailbox INBOX: Broken file /var/vmail/keep@x.test/Maildir/dov"
        b"ecot-uidlist line 1: Corrupted header (invalid version number)"
    ),
    (
        b"Nov 24 18:20:44 imap(keep@x.test)<7><a>: Error: Mailbox INBOX: Deleting corrupted cache: Unsupported major ve"
        b"rsion (120)"
    ),
)
DELIVERED = (
    b"saved mail to INBOX",
    b"save failed to INBOX: Quota exceeded (mailbox for user is full)",
)
SIEVED = (
    b"msgid=<m@x>: discard action: Marked message to be discarded if not explicitly delivered (discard action)",
    b"msgid=<m@x>: reject action: rejected message from <s@x.test> (reject)",
    b"msgid=<m@x>: fileinto action: stored mail into mailbox 'Box'",
    b"msgid=<m@x>: redirect action: forwarded to <a@b.test>",
    b"msgid=<m@x>: stored mail into mailbox 'INBOX'",
    (
        b"Execution of script 'personal/.dovecot' failed, but implicit keep was successful (user logfile /var/vmail/rej"
        b"@x.test/.dovecot.sieve.log may reveal additional details)"
    ),
)
SPAMD = (
    (
        b"Nov 24 14:24:33.543 [9] info: spamd: result: . -1 - ALL_TRUSTED scantime=0.2,size=603,user=(unknown),uid=106,"
        b"required_score=5.0,mid=<392@client.test>,autolearn=disabled"
    ),
    b"Nov 24 14:24:33.543 [9] info: spamd: result: Y 10 - GTUBE,X scantime=1.5,size=603,user=(unknown)",
    b"Nov 24 14:24:33.567 [6] info: prefork: child states: BI",
)


def told(name: str, *lines: bytes, at: float = 1000.0, now: float = 1001.0) -> list[str]:
    listening = LISTENERS[name].begin()
    listening.read(lines, [at] * len(lines))
    found = listening.found(now)
    return [str(one) if isinstance(one, Sample) else f"{one.title} {one.lines[0].cells}" for one in found
            if isinstance(one, Sample | Table)]  # fmt: skip


def test_amavis_verdicts_scan_time_and_what_was_blocked_last() -> None:
    assert told("amavis_verdicts", *AMAVIS) == [
        "amavis_mails 3",
        "amavis_verdicts{verdict=Passed,what=CLEAN} 1",
        "amavis_verdicts{verdict=Blocked,what=INFECTED} 1",
        "amavis_verdicts{verdict=Blocked,what=SPAM} 1",
        "amavis_spam_ratio 0.333333",
        "amavis_unchecked 0",
        "amavis_scanners_failed 0",
        "amavis_scan_seconds{quantile=p95} 12.003",
        "last blocked (b'SPAM', b'sender@client.test', b'carol@example.test', b'hits 999')",
    ]


def test_scanners_that_all_failed_are_counted_and_so_is_what_passed_unchecked() -> None:
    lines = (
        b"<3>(00030-01) (!!)AV: ALL VIRUS SCANNERS FAILED",
        b"<5>(00030-01) Passed UNCHECKED {RelayedInbound}, [192.0.2.1]:1 <a@b.test> -> <c@d.test>, 30 ms",
    )

    found = told("amavis_verdicts", *lines)

    assert "amavis_unchecked 1" in found
    assert "amavis_scanners_failed 1" in found


@pytest.mark.parametrize(
    "line",
    [
        b"<5>(00030-01) ESMTP: RCPT TO:<Passed CLEAN (!!)AV: ALL VIRUS SCANNERS FAILED>",
        b"x (!!)AV: ALL VIRUS SCANNERS FAILED",
        b"",
        b"\xff\x1b[31m(1-1) Blocked SPAM",
    ],
)
def test_a_stranger_s_words_are_no_verdict(line: bytes) -> None:
    found = told("amavis_verdicts", line)

    assert found[0] == "amavis_mails 0"
    assert "amavis_scanners_failed 0" in found


def test_logins_failures_deliveries_and_limits_of_dovecot_2_3() -> None:
    assert told("dovecot_logins", *DOVECOT_23) == [
        "dovecot_logins{result=ok} 1",
        "dovecot_logins{result=failed} 3",
        "dovecot_failed_logins 3",
        "dovecot_failed_of_one 3",
        "dovecot_user_limit_refusals 0",
        "dovecot_limits_reached 1",
        "dovecot_lock_errors 0",
        "dovecot_errors 1",
        "failed logins (b'203.0.113.9', b'3', b'1', b'carol@example.test')",
    ]


def test_logins_and_failures_of_dovecot_2_4_and_no_attempt_is_no_failure() -> None:
    assert told("dovecot_logins", *DOVECOT_24)[:4] == [
        "dovecot_logins{result=ok} 1",
        "dovecot_logins{result=failed} 1",
        "dovecot_failed_logins 1",
        "dovecot_failed_of_one 1",
    ]


def test_a_user_s_name_is_no_login() -> None:
    line = (
        b"Nov 24 14:24:40 imap-login: Info: Disconnected: Connection closed (auth failed, 1 attempts in 7 secs): "
        b"user=<Login: user=<root>, method=PLAIN, rip=203.0.113.9, lip=172.28.0.31, session=<x>"
    )

    assert told("dovecot_logins", line)[:2] == ["dovecot_logins{result=ok} 0", "dovecot_logins{result=failed} 1"]


def test_who_is_refused_for_too_many_connections_is_named_in_either_version() -> None:
    found = told("dovecot_logins", *AT_LIMIT)

    assert "dovecot_user_limit_refusals 2" in found
    assert found[-1] == "at mail_max_userip_connections (b'keep@x.test', b'127.0.0.1', b'2')"


def test_locks_that_are_not_got_and_corrupted_files_are_told_apart_from_other_errors() -> None:
    found = told("dovecot_logins", *LOCKS)

    assert "dovecot_lock_errors 3" in found
    assert "dovecot_errors 0" in found


def test_what_became_of_mail_by_lmtp_and_sieve() -> None:
    who = b"Nov 24 18:20:31 lmtp(rej@x.test)<1636><K2JtNG7VBWtkBgAA6AZmTg>: "
    lines = [who + b"Info: msgid=<m@x>: " + what for what in DELIVERED]
    lines += [who + b"Info: sieve: " + what for what in SIEVED]
    lines += [who + b"Error: msgid=<m@x>: Temporarily failed to send rejection: Sendmail program returned error"]

    assert told("dovecot_deliveries", *lines) == [
        "dovecot_deliveries{result=saved} 3",
        "dovecot_deliveries{result=discarded} 1",
        "dovecot_deliveries{result=rejected} 1",
        "dovecot_deliveries{result=forwarded} 1",
        "dovecot_deliveries{result=failed} 1",
        "dovecot_deliveries{result=over quota} 1",
        "dovecot_deliveries_failed 1",
        "dovecot_sieve_failures 1",
        "mail not delivered as wanted (b'rej@x.test', b'over quota', b'1')",
    ]


def test_a_subject_or_a_message_id_is_no_outcome() -> None:
    who = b"lmtp(a@b.test)<1><x>: Info: "
    lines = (b"subject saved mail to INBOX", b"msgid=x: y: saved mail to INBOX", b"Connect from save failed to x")

    assert told("dovecot_deliveries", *(who + line for line in lines))[0] == "dovecot_deliveries{result=saved} 0"


def test_spamd_s_results_and_children() -> None:
    assert told("spamd_results", *SPAMD) == [
        "spamd_results{result=spam} 1",
        "spamd_results{result=ham} 1",
        "spamd_scan_seconds{quantile=p95} 1.5",
        "spamd_children_busy 1",
        "spamd_children_said 2",
        "spamd_full 0",
    ]


def test_a_proxy_s_visitors_and_what_failed_them_but_not_who_watches() -> None:
    stamp = b"[24/Nov/2026:02:50:39 +0000]"
    well = b'172.28.0.1 - - %b "GET / HTTP/1.1" 200 61 "-" "curl/7.88.1"' % stamp
    ill = b'2001:db8::1 - a user %b "POST /?x=\\x22 200 1 HTTP/1.1" 502 0 "-" "x" rt=12.345' % stamp
    ours = b'172.28.0.1 - - %b "GET / HTTP/1.1" 502 61 "-" "mailtop"' % stamp
    status = b'127.0.0.1 - - %b "GET /nginx_status HTTP/1.1" 200 97 "-" "curl/7.88.1"' % stamp
    error = b"2026/11/24 02:50:39 [info] 10#10: *3 client 172.28.0.1 closed keepalive connection"
    scan = b'172.28.0.1 - - %b "" 400 0 "-" "-"' % stamp

    assert told("proxy_requests", *[well] * 18, ill, ours, status, error, scan) == [
        "proxy_requests 20",
        "proxy_failed_ratio 0.05",
        "proxy_request_seconds 12.345",
    ]
    assert told("proxy_requests", well, ill)[:1] == ["proxy_requests 2"]
    assert "proxy_failed_ratio" not in " ".join(told("proxy_requests", well, ill))


@pytest.mark.parametrize("listener", LISTENERS.values(), ids=LISTENERS)
def test_what_is_long_ago_counts_no_more_and_a_megabyte_of_nonsense_costs_little(listener: Listener) -> None:
    lines = [*AMAVIS, *DOVECOT_23, *DOVECOT_24, *SPAMD]
    listening = listener.begin()
    listening.read(lines, [1000.0] * len(lines))
    listening.read(
        [b"(1-1) Blocked SPAM " + b"<" * 100_000, b"imap-login: Info: Login aborted" + b"(" * 100_000], [1.0, 1.0]
    )
    later = [one for one in listening.found(100_000.0) if isinstance(one, Sample)]

    assert all(one.value == 0 for one in later if "children" not in one.name)


@pytest.mark.parametrize("listener", LISTENERS.values(), ids=LISTENERS)
def test_a_listener_lives_in_a_file_of_its_name(listener: Listener) -> None:
    assert (Path(listeners.__wrapped__.__code__.co_filename).parent / f"{listener.name}.py").exists()
    for metric in listener.board.metrics:
        assert metric.means
