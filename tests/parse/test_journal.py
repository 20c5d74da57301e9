"""The journal as journalctl writes it: real entries, odd ones, cursors, selectors."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailtop.model.errors import ParseError
from mailtop.parse.batch import Batch
from mailtop.parse.journal import DROPPED, cursor_time, denied, entry, matches, same
from mailtop.parse.postfix_log import PostfixLog
from mailtop.parse.stamp import Stamps

# systemd 252, Debian 12: journalctl -o json SYSLOG_FACILITY=2
REAL = (
    b'{"__MONOTONIC_TIMESTAMP":"3073575944","_CMDLINE":"/usr/lib/postfix/sbin/master -w","MESSAGE":"fatal: daemon '
    b'initialization failure -- see logs for details","_BOOT_ID":"0d14578db2af45bc97361b1446a09f4d","SYSLOG_TIMESTAMP":'
    b'"Nov 24 08:03:04 ","_PID":"2649","SYSLOG_FACILITY":"2","__CURSOR":"s=be9dff55324f4e44816b302961249508;i=9;'
    b'b=0d14578db2af45bc97361b1446a09f4d;m=b7330c08;t=6610123d82ed7;x=e4225bb50630e384","_HOSTNAME":"mail3","_UID":"0",'
    b'"PRIORITY":"2","_COMM":"master","__REALTIME_TIMESTAMP":"1795507384495831","SYSLOG_IDENTIFIER":"postfix/master",'
    b'"SYSLOG_PID":"2649","_TRANSPORT":"syslog"}'
)


def made(**fields: object) -> bytes:
    known = {"__CURSOR": "s=a;i=1", "__REALTIME_TIMESTAMP": "1795507384495831", "_HOSTNAME": "mail3"}
    return json.dumps({**known, **fields}).encode()


def test_a_real_entry_is_a_line_as_syslog_has_it() -> None:
    found = entry(REAL)

    assert found.line == (
        b"2026-11-24T08:03:04.495831+00:00 mail3 postfix/master[2649]: "
        b"fatal: daemon initialization failure -- see logs for details\n"
    )
    assert found.at == cursor_time(found.cursor) == 1795507384.495831
    assert found.identifier == b"postfix/master"


def test_a_message_that_is_not_utf_8_comes_as_its_bytes() -> None:
    text = b"4TqX2m6bYzz3F: to=<\xe9\xff@a.test>, relay=none, delay=1, delays=1/0/0/0, dsn=2.0.0, status=sent (ok)"
    line = entry(made(MESSAGE=list(text), SYSLOG_IDENTIFIER="postfix/smtp", SYSLOG_PID="7")).line

    batch: Batch = PostfixLog(Stamps(1795507384.0)).read(line)
    assert batch.deliveries[0][2] == b"\xe9\xff@a.test"


def test_a_message_of_several_lines_stays_one_and_one_that_is_missing_is_empty() -> None:
    assert entry(made(MESSAGE="one\ntwo\n", SYSLOG_IDENTIFIER="x")).line.endswith(b" x: one#012two\n")
    assert entry(made(MESSAGE=None, _COMM="master", _PID="3")).line.endswith(b" mail3 master[3]: \n")
    assert entry(made(MESSAGE=["first", "second"], SYSLOG_IDENTIFIER="x")).line.endswith(b" x: first\n")


def test_what_journald_suppressed_of_postfix_is_counted_and_of_others_not() -> None:
    said = entry(made(MESSAGE="Suppressed 1234 messages from postfix@-.service", MESSAGE_ID=DROPPED))
    other = entry(made(MESSAGE="Suppressed 9 messages from cron.service", MESSAGE_ID=DROPPED))

    assert (said.dropped, said.rate_limit, other.dropped, other.rate_limit) == (1234, True, 0, True)


def test_cursors_name_one_entry_by_its_file_and_number() -> None:
    assert same("s=ab;i=7;b=c;m=1;t=2;x=3", "s=ab;i=7;b=c;m=9;t=2;x=4")
    assert not same("s=ab;i=7", "s=cd;i=7")
    assert cursor_time("whatever") == 0.0


def test_a_selector_is_a_facility_a_match_or_names_of_instances() -> None:
    assert matches("") == matches("mail") == (["SYSLOG_FACILITY=2"], ())
    assert matches("local3") == (["SYSLOG_FACILITY=19"], ())
    assert matches("_SYSTEMD_UNIT=postfix.service") == (["_SYSTEMD_UNIT=postfix.service"], ())
    assert matches("postfix,postfix-out") == (["SYSLOG_FACILITY=2"], (b"postfix/", b"postfix-out/"))


def test_a_journal_that_is_kept_from_us_says_so() -> None:
    assert denied(b"Hint: You are currently not seeing messages from other users and the system.\n")
    assert denied(b"No journal files were opened due to insufficient permissions.\n")
    assert not denied(b"")


@given(st.binary(max_size=80))
def test_any_bytes_are_an_entry_or_a_parse_error(line: bytes) -> None:
    try:
        entry(line)
    except ParseError:
        return


@given(st.one_of(st.none(), st.text(), st.integers(), st.lists(st.one_of(st.integers(), st.text()))))
def test_any_value_of_a_field_is_one_line(value: object) -> None:
    line = entry(made(MESSAGE=value, SYSLOG_IDENTIFIER=value, _HOSTNAME=value)).line
    assert line.endswith(b"\n")


def test_what_is_no_json_is_a_parse_error() -> None:
    with pytest.raises(ParseError, match="no entry of a journal"):
        entry(b"-- No entries --")
