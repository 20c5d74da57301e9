"""From a reason, as Postfix wrote it, to the line an operator reads."""

from __future__ import annotations

import pytest

from mailtop.action import ACTIONS
from mailtop.diagnose import diagnose, rank, symptoms
from mailtop.model.snapshot import Cause
from mailtop.model.text import Foreign
from mailtop.model.topology import Hop
from mailtop.parse.reason import normalise, site


def cause(
    raw: bytes, next_hops: int = 1, hop: Hop | None = None, deferred: int = 5, growth: int = 0, active: int = 0
) -> Cause:
    reason = normalise(raw)
    next_hop = Foreign(site(reason.next_hop) if next_hops == 1 else b"")
    return Cause(
        "c",
        "t",
        hop,
        reason.text,
        reason.code,
        next_hop,
        Foreign(b"a@b.test"),
        3,
        deferred,
        active,
        growth=growth,
        next_hops=next_hops,
    )


SAID = b"host mx.o.test[1.2.3.4] said: %b (in reply to MAIL FROM command)"
DNS = b"Host or domain name not found. Name service error for name=x.test type=MX: Host not found, try again"


@pytest.mark.parametrize(
    ("raw", "next_hops", "symptom"),
    [
        (b"in delivery, no answer", 1, "filter hung"),
        (DNS, 30, "resolver down"),
        (DNS, 1, "DNS fails for one domain"),
        (b"connect to mx.o.test[1.2.3.4]:25: Connection timed out", 30, "uplink down"),
        (b"connect to mx.o.test[1.2.3.4]:25: Connection timed out", 1, "no connection"),
        (b"connect to amavis[172.18.0.5]:10024: Connection refused", 1, "connection refused"),
        (b"unable to look up host amavis: Name or service not known", 1, "next hop vanished"),
        (b"unable to look up host nosuch.invalid: Name or service not known", 1, "no such domain"),
        (b"lost connection with mx.o.test[1.2.3.4] while sending RCPT TO", 1, "connection lost"),
        (b"mail for example.test loops back to myself", 1, "mail loop"),
        (b"4.3.0 <x@y.test>: Temporary lookup failure", 1, "lookup fails"),
        (SAID % b"550 5.7.1 part of their network is on our block list (S3150)", 1, "blocked"),
        (SAID % b"451 4.7.650 The mail server has been temporarily rate limited (S775)", 1, "rate limited"),
        (SAID % b"421 4.7.0 [TSS04] Messages temporarily deferred due to unexpected volume", 1, "rate limited"),
        (SAID % b"450 4.7.1 Greylisted, please try again later", 1, "greylisted"),
        (SAID % b"452 4.2.2 The email account is over quota", 1, "over quota"),
        (SAID % b"550 5.1.1 User unknown in virtual mailbox table", 1, "no such user"),
        (SAID % b"552 5.3.4 Message size exceeds fixed limit", 1, "too large"),
        (SAID % b"450 4.3.0 Error: command failed", 1, "refused for now"),
        (
            b"host amavis[172.18.0.5] said: 451 4.5.0 Error in processing, virus_scan FAILED",
            1,
            "filter fails",
        ),
        (b"TLS is required, but was not offered by host mx.o.test[1.2.3.4]", 1, "TLS fails"),
        (b"mail transport unavailable", 1, "transport missing"),
    ],
)
def test_a_reason_means(raw: bytes, next_hops: int, symptom: str) -> None:
    diagnosis = diagnose(cause(raw, next_hops))

    assert diagnosis is not None
    assert diagnosis.symptom == symptom


def test_the_line_says_who_what_and_how_many() -> None:
    diagnosis = diagnose(cause(SAID % b"550 5.7.1 block list (S3150)"))

    assert diagnosis is not None
    assert diagnosis.line == "o.test blocks our address (5.7.1), 5 waiting"
    assert diagnosis.acts == ("queue.hold",)


def test_a_stranger_cannot_write_into_our_line() -> None:
    diagnosis = diagnose(cause(b"host mx[1.2.3.4] said: 450 4.3.0 \x1b[2J{where} oops"))

    assert diagnosis is not None
    assert "\x1b" not in diagnosis.line
    assert "{where}" in diagnosis.line


def test_what_is_not_understood_has_no_diagnosis() -> None:
    assert diagnose(cause(b"something nobody has seen")) is None


def test_a_silent_remote_is_not_our_filter() -> None:
    diagnosis = diagnose(cause(b"in delivery, no answer", hop=Hop.REMOTE))

    assert diagnosis is not None
    assert diagnosis.symptom == "next hop stalls"


def test_what_stops_all_mail_leads_then_growth_then_size() -> None:
    hung = cause(b"in delivery, no answer", deferred=0, active=8)
    burst = cause(SAID % b"550 5.7.1 block list (S3150)", deferred=90, growth=50)
    old = cause(SAID % b"452 4.2.2 over quota", deferred=900)

    assert [found for found, _ in rank([old, burst, hung])] == [hung, burst, old]


def test_every_symptom_proposes_acts_and_screens_that_are_there() -> None:
    keys = {action.key for action in ACTIONS}

    for symptom in symptoms():
        assert set(symptom.acts) <= keys
        assert symptom.see in {
            "overview",
            "queue",
            "flow",
            "filter",
            "sessions",
            "archive",
            "replication",
            "hosts",
            "logs",
        }
        assert symptom.weight in (1, 2, 3)
        assert symptom.advice
