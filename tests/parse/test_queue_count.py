"""Counts of queue directories: whole, or not at all."""

from __future__ import annotations

import pytest

from mailtop.model.ask import Answer
from mailtop.model.errors import Denied, Missing, ParseError
from mailtop.model.mail import Queue
from mailtop.parse.queue_count import command, counted, samples, spool_of

BOTH = (Queue.DEFERRED, Queue.HOLD)


def test_counts_and_the_oldest_by_name() -> None:
    now, found = counted(Answer(b"now 1795495300 -\ndeferred 3 4jYVWS68jQzDHCG\nhold 0 -\n"), BOTH)

    assert now == 1_795_495_300
    assert found[Queue.HOLD] == (0, None)
    assert found[Queue.DEFERRED].messages == 3
    assert found[Queue.DEFERRED].oldest == pytest.approx(15.13, abs=0.01)


def test_short_ids_tell_no_age() -> None:
    assert counted(Answer(b"now 1795495300 -\nhold 2 -\n"), [Queue.HOLD])[1][Queue.HOLD].oldest is None


def test_an_awk_that_does_not_tell_the_time_sets_no_clock() -> None:
    names = [sample.name for sample in samples(Answer(b"now 0 -\nhold 2 -\n"), [Queue.HOLD])]

    assert names == ["postfix_queue_messages"]


def test_an_awk_that_counts_in_nanoseconds_tells_the_same_time() -> None:
    """As mawk 1.3.4 20250131 says it."""
    now, found = counted(Answer(b"now 1795495300534469888 -\nhold 1 4jYVWS68jQzDHCG\n"), [Queue.HOLD])

    assert now == 1_795_495_300
    assert found[Queue.HOLD].oldest == pytest.approx(15.13, abs=0.01)


def test_a_directory_that_was_not_looked_at_is_no_zero() -> None:
    with pytest.raises(ParseError, match="hold"):
        counted(Answer(b"now 1795495300 -\ndeferred 3 -\n"), BOTH)


def test_a_denied_directory_is_denied_though_the_pipe_succeeded() -> None:
    answer = Answer(b"now 1 -\ndeferred 0 -\n", "find: ‘/var/spool/postfix/deferred’: Permission denied\n".encode())

    with pytest.raises(Denied, match="root"):
        counted(answer, [Queue.DEFERRED])


def test_a_host_without_find_lacks_it() -> None:
    with pytest.raises(Missing):
        counted(Answer(b"now 1 -\n", b"sh: 1: find: not found\n"), [Queue.HOLD])


def test_a_file_that_vanished_meanwhile_is_no_complaint() -> None:
    answer = Answer(b"now 1 -\nhold 1 -\n", b"find: '/var/spool/postfix/hold/AAAAAA1': No such file or directory\n")

    assert counted(answer, [Queue.HOLD])[1][Queue.HOLD].messages == 1


def test_the_queue_may_be_anywhere() -> None:
    ask = command("/srv/mail/spool-2", BOTH)

    assert ask.argv == ("find", "/srv/mail/spool-2/deferred", "/srv/mail/spool-2/hold")
    assert "NF==5" in ask.pipe[0][2]
    assert "$5" in ask.pipe[0][2]


@pytest.mark.parametrize("printed", [b"", b"postconf: warning\n", b"/a\n/b\n", b"relative\n"])
def test_a_queue_directory_that_is_no_path_is_not_used(printed: bytes) -> None:
    with pytest.raises(ParseError):
        spool_of(Answer(printed))
