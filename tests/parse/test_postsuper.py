"""What postsuper and postcat printed, from Postfix 3.7.11."""

from __future__ import annotations

import pytest

from mailtop.parse.postsuper import envelopes, said

POSTCAT = b"""*** ENVELOPE RECORDS deferred/D/4jYVWS68jQzDHCG ***
message_size:             721             724               2               0             721               0
message_arrival_time: Tue Nov 24 04:41:24 2026
create_time: Tue Nov 24 04:41:24 2026
named_attribute: log_ident=4jYVWS68jQzDHCG
sender: q3@client.test
named_attribute: client_address_type=2
original_recipient: x3@refused.test
recipient: x3@refused.test
*** MESSAGE CONTENTS deferred/D/4jYVWS68jQzDHCG ***
*** HEADER EXTRACTED deferred/D/4jYVWS68jQzDHCG ***
original_recipient: archive@archive.local
done_recipient: archive@archive.local
*** MESSAGE FILE END deferred/D/4jYVWS68jQzDHCG ***
*** ENVELOPE RECORDS hold/E9D0B208259 ***
message_arrival_time: Tue Nov  3 02:36:03 2026
sender: 
done_recipient: x@servfail.test
*** MESSAGE CONTENTS hold/E9D0B208259 ***
*** MESSAGE FILE END hold/E9D0B208259 ***
"""  # noqa: W291


@pytest.mark.parametrize(
    ("stderr", "messages"),
    [
        (b"postsuper: 4jYVWS68jQzDHCG: placed on hold\npostsuper: Placed on hold: 1 message\n", 1),
        (b"postsuper: Released from hold: 12 messages\n", 12),
        (b"postsuper: warning: invalid mail queue id: bad id!\npostsuper: Placed on hold: 0 messages\n", 0),
        (b"", 0),
    ],
)
def test_the_count_is_what_postsuper_says(stderr: bytes, messages: int) -> None:
    assert said(stderr).messages == messages


def test_a_refusal_is_told_in_postfix_own_words() -> None:
    report = said(b"postsuper: fatal: use of this command is reserved for the superuser\n")

    assert (report.messages, report.fatal) == (0, b"use of this command is reserved for the superuser")


def test_envelopes_tell_queue_sender_arrival_and_who_still_waits() -> None:
    waits, ghost = envelopes(POSTCAT)

    assert waits == ("4jYVWS68jQzDHCG", "deferred", b"q3@client.test", 1795495284.0, 1)
    assert ghost == ("E9D0B208259", "hold", b"", 1793673363.0, 0)


def test_an_envelope_that_was_cut_short_is_none() -> None:
    assert list(envelopes(POSTCAT[:300])) == []
