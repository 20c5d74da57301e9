"""Lines of every service of the platform, as it really writes them: who, how bad, what."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailtop.model.log import Level
from mailtop.parse.log_line import parts

E, W, I = Level.ERROR, Level.WARNING, Level.INFO  # noqa: E741


@pytest.mark.parametrize(
    ("line", "stamp", "program", "level", "text"),
    [
        (
            b"Nov 24 02:35:14 mail1 postfix/smtpd[108]: connect from mail1.intranet-net[172.28.0.11]\n",
            *(b"Nov 24 02:35:14", b"postfix/smtpd", I, b"connect from mail1.intranet-net[172.28.0.11]"),
        ),
        (
            b"Nov 24 02:36:02 mail1 postfix/submission/smtpd[181]: warning: unknown[172.28.0.1]: SASL PLAIN failed",
            *(b"Nov 24 02:36:02", b"postfix/submission/smtpd", W, b"warning: unknown[172.28.0.1]: SASL PLAIN failed"),
        ),
        (
            b"2026-11-24T02:46:39.928987+00:00 piler piler[35]: ERROR: cant connect to manticore:9306",
            *(b"2026-11-24T02:46:39.928987+00:00", b"piler", E, b"ERROR: cant connect to manticore:9306"),
        ),
        (
            b"Nov 24 03:02:13 lmtp(alice@example.test)<25><ISHxEzX+BGsZAAAAyODNqw>: Info: msgid=<1@c>: saved to INBOX",
            *(b"Nov 24 03:02:13", b"lmtp", I, b"Info: msgid=<1@c>: saved to INBOX"),
        ),
        (
            b"Nov 24 02:57:48 auth-worker(78): Error: mysql(maildb): Connect failed to database (mail)",
            *(b"Nov 24 02:57:48", b"auth-worker", E, b"Error: mysql(maildb): Connect failed to database (mail)"),
        ),
        (
            b"Nov 24 02:34:50.901 [7] info: spamd: server pid: 7",
            *(b"Nov 24 02:34:50", b"", I, b"info: spamd: server pid: 7"),
        ),
        (
            b"2026-11-24  2:42:06 18 [ERROR] Slave SQL: Could not execute Write_rows_v1 event on table mail.mailbox",
            *(
                b"2026-11-24T02:42:06",
                b"",
                E,
                b"[ERROR] Slave SQL: Could not execute Write_rows_v1 event on table mail.mailbox",
            ),
        ),
        (
            b"[Tue Nov 24 02:34:49.476 2026] [7] using config file '/lab/sphinx.conf'...",
            *(b"2026-11-24T02:34:49", b"", I, b"using config file '/lab/sphinx.conf'..."),
        ),
        (
            b"Tue Nov 24 02:41:22 2026 -> Database correctly reloaded (2 signatures)",
            *(b"2026-11-24T02:41:22", b"", I, b"Database correctly reloaded (2 signatures)"),
        ),
        (
            b"Tue Nov 24 07:59:08 2026 -> SelfCheck: Database status OK.",
            *(b"2026-11-24T07:59:08", b"", I, b"SelfCheck: Database status OK."),
        ),
        (
            b"Tue Nov  3 02:35:32 2026: Starting Keepalived v2.2.7 (01/16,2022)",
            *(b"2026-11-03T02:35:32", b"", I, b"Starting Keepalived v2.2.7 (01/16,2022)"),
        ),
        (
            b"2026/11/24 02:34:51 [error] 7#7: *1 connect() failed (111: Connection refused) while connecting",
            *(
                b"2026-11-24T02:34:51",
                b"",
                E,
                b"[error] 7#7: *1 connect() failed (111: Connection refused) while connecting",
            ),
        ),
        (
            b'127.0.0.1 - - [24/Nov/2026:07:28:09 +0000] "GET / HTTP/1.1" 502 150 "-" "curl/7.88.1"',
            *(b"", b"", E, b'127.0.0.1 - - [24/Nov/2026:07:28:09 +0000] "GET / HTTP/1.1" 502 150 "-" "curl/7.88.1"'),
        ),
        (b"<5>(00025-02) Passed CLEAN {RelayedInbound}", b"", b"", I, b"(00025-02) Passed CLEAN {RelayedInbound}"),
        (b"<3>(!)DENIED ACCESS", b"", b"", E, b"(!)DENIED ACCESS"),
        (
            b"LibClamAV Warning: ***  The virus database is older",
            b"",
            b"",
            W,
            b"LibClamAV Warning: ***  The virus database is older",
        ),
        (b"", b"", b"", I, b""),
    ],
)
def test_a_line_is_split_into_who_how_bad_and_what(
    line: bytes, stamp: bytes, program: bytes, level: Level, text: bytes
) -> None:
    assert parts(line) == (stamp, program, level, text)


def test_a_stranger_s_words_further_on_make_no_error_of_a_line() -> None:
    line = b"Nov 24 02:35:14 mail1 postfix/cleanup[1]: 4TqX: warning: header Subject: fatal: error"

    assert parts(line).level is Level.INFO


@given(st.binary(max_size=300))
def test_any_bytes_are_read_and_none_are_lost_from_the_end(line: bytes) -> None:
    read = parts(line)

    assert line.rstrip(b"\r\n").endswith(read.text)
