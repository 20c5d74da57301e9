"""Reasons as Postfix and providers write them, and what is left when all that differs is out."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailtop.parse.reason import normalise, site

CASES = (Path(__file__).parent / "reasons.tsv").read_bytes().splitlines()[1:]
REASONS = [tuple(line.split(b"\t")) for line in CASES]


@pytest.mark.parametrize(("raw", "text", "code", "next_hop", "stage"), REASONS)
def test_a_reason_says_what_where_and_when(raw: bytes, text: bytes, code: bytes, next_hop: bytes, stage: bytes) -> None:
    assert normalise(raw) == (text, code.decode(), next_hop, stage.decode())


def test_no_reason_is_no_reason() -> None:
    assert normalise(b"") == (b"", "", b"", "")


@pytest.mark.parametrize("code", [b"S3150", b"S775", b"TSS04"])
def test_the_codes_that_providers_put_for_a_cause_stay(code: bytes) -> None:
    reply = b"host mx[1.2.3.4] said: 451 4.7.650 [%b] limited (%b) 4jYVWS68jQzDHCG (in reply to MAIL FROM command)"

    assert normalise(reply % (code, code)).text == b"451 4.7.650 [%b] limited (%b) *" % (code, code)


def test_two_sessions_with_one_provider_are_one_reason() -> None:
    one, other = (
        b"host mx%d.g.test[203.0.113.%d] said: 421-4.7.0 [192.0.2.10      15] Our system has detected an unusual rate "
        b"of 421-4.7.0 unsolicited mail. To protect our users 421-4.7.0 see https://g.test/mail/?p=%d 421 4.7.0 "
        b"d9443c01a73%d-22ac4e3bfbesi12%d - gsmtp (in reply to end of DATA command)" % (n, n, n, n, n)
        for n in (1, 2)
    )

    assert normalise(one).text == normalise(other).text
    assert normalise(one).text.count(b"unusual rate of unsolicited mail") == 1


def test_hosts_and_stamps_inside_an_answer_are_out() -> None:
    reply = (
        b"host x.o.test[1.1.1.1] said: 550 5.7.1 block list (S3150). [%b.prod.o.test 2026-11-24T02:36:03.1Z 08DC%b] "
        b"(in reply to MAIL FROM command)"
    )

    assert (
        normalise(reply % (b"BL0GCC02FT022", b"1234ABCD5678")).text
        == normalise(reply % (b"AM7EUR3", b"99990000AAAA")).text
    )


def test_a_normalised_reason_stays_as_it_is() -> None:
    for raw, text, *_ in REASONS:
        assert normalise(text).text == text, raw


@given(st.binary(max_size=300))
def test_no_text_of_a_stranger_breaks_it(raw: bytes) -> None:
    assert len(normalise(raw).text) <= 310


def test_a_long_and_nasty_reason_is_cut_before_it_costs_anything() -> None:
    for raw in (b"a" * 10**6, b"1." * 10**5, b"host x[1] said: " + b"450-4.1.1 " * 10**5, b":" * 10**5, b"<" * 10**5):
        assert len(normalise(raw).text) <= 310


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        (b"mx3.mail.outlook.test", b"outlook.test"),
        (b"MX.Outlook.test.", b"outlook.test"),
        (b"mx.firm.co.uk", b"firm.co.uk"),
        (b"mx.firm.com.au", b"firm.com.au"),
        (b"a.b.de", b"b.de"),
        (b"amavis", b"amavis"),
        (b"192.0.2.1", b"192.0.2.1"),
        (b"private/dovecot-lmtp", b"private/dovecot-lmtp"),
        (b"", b""),
    ],
)
def test_hosts_of_one_provider_are_one_next_hop(host: bytes, expected: bytes) -> None:
    assert site(host) == expected
