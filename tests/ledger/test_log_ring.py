"""The ring of log lines: merged by time, bounded, filtered and searched, against a plain list of lines."""

from __future__ import annotations

import tracemalloc
from array import array
from datetime import timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailtop.ledger.log_ring import LogRing
from mailtop.model.errors import UsageError
from mailtop.model.log import Level, LogPage, LogWindow

START = 1_800_000_000.0
ALL = LogWindow(back=1000)


def texts(page: LogPage) -> list[str]:
    return [line.text.decode() for line in page.lines]


def filled() -> LogRing:
    ring = LogRing()
    ring.add("mail1/postfix", b"2027-01-15T08:00:01Z mail postfix/smtpd[1]: connect from a\n", START + 1)
    ring.add(
        "mail1/amavis", b"<5>(1) Passed CLEAN\n<3>(1) no scanner\n", START + 3, array("d", (START, START + 3)).tobytes()
    )
    ring.add(
        "mail2/postfix",
        b"2027-01-15T08:00:02Z m2 postfix/smtp[7]: 4TqX2m: status=sent\n"
        b"2027-01-15T08:00:04Z m2 postfix/smtp[7]: warning: x\n",
        START + 4,
    )
    return ring


def test_logs_are_merged_by_time_whatever_order_they_came_in() -> None:
    assert texts(filled().page("", ALL)) == [
        *("(1) Passed CLEAN", "connect from a", "4TqX2m: status=sent", "(1) no scanner", "warning: x"),
    ]


@pytest.mark.parametrize(
    ("where", "found"),
    [
        ("host:mail2", ["4TqX2m: status=sent", "warning: x"]),
        ("!host:mail2 daemon:smtpd", ["connect from a"]),
        ("daemon:amavis", ["(1) Passed CLEAN", "(1) no scanner"]),
        ("level:error", ["(1) no scanner"]),
        ("level:warning", ["(1) no scanner", "warning: x"]),
        ("id:4TqX2m", ["4TqX2m: status=sent"]),
        ("passed", ["(1) Passed CLEAN"]),
        ("!passed !connect !warning", ["4TqX2m: status=sent", "(1) no scanner"]),
        ("~stsnt", ["4TqX2m: status=sent"]),
        ("SMTP", ["connect from a", "4TqX2m: status=sent", "warning: x"]),
    ],
)
def test_a_filter_narrows_to_host_daemon_level_id_and_words(where: str, found: list[str]) -> None:
    assert texts(filled().page(where, ALL)) == found


def test_a_window_stands_where_its_anchor_is_and_says_whether_there_is_more() -> None:
    ring = filled()
    middle = ring.page("", ALL).lines[2]

    page = ring.page("", LogWindow(middle.place, back=1, ahead=2))

    assert texts(page) == ["connect from a", "4TqX2m: status=sent", "(1) no scanner"]
    assert (page.more_before, page.more_after) == (True, True)
    assert not ring.page("", LogWindow(middle.place, back=2, ahead=3)).more_before


def test_the_next_error_and_the_line_before_that_holds_a_word_are_found() -> None:
    ring = filled()
    first = ring.page("", ALL).lines[0]

    error = ring.page("", LogWindow(first.place, ahead=1, seek=1))
    word = ring.page("", LogWindow(error.found, ahead=1, seek=-1, find="connect"))

    assert texts(error) == ["(1) no scanner"]
    assert texts(word) == ["connect from a"]
    assert ring.page("", LogWindow(first.place, seek=-1)).found is None


def test_a_noisy_log_pushes_out_its_own_lines_and_nobody_else_s() -> None:
    ring = LogRing(room=300_000)
    ring.add("mail1/dovecot", b"Nov 24 03:00:00 imap: Info: quiet\n", START)
    for number in range(40):
        ring.add("mail1/postfix", b"noise\n" * 2000, START + number)

    page = ring.page("daemon:dovecot", ALL)

    assert texts(page) == ["Info: quiet"]
    assert page.held + page.dropped == 80_001
    assert page.dropped > 0
    assert page.held * 6 <= 300_000 + 34


def test_a_clock_that_is_ahead_is_taken_out_of_the_lines_own_stamps() -> None:
    ring = LogRing()
    ring.add("mail1/postfix", b"2027-01-15T08:00:30Z mail postfix/qmgr[1]: x\n", START + 1, ahead=29.0)

    assert [line.at for line in ring.page("", ALL).lines] == [START + 1]


def test_a_stamp_without_a_zone_is_read_in_the_zone_of_who_wrote_it() -> None:
    ring = LogRing()
    ring.add("m/x", b"Jan 15 03:00:01 m postfix/qmgr[1]: one\n", START + 1, zone=timezone(timedelta(hours=-5)))
    ring.add("m/x", b"2027-01-15T08:00:02Z m postfix/qmgr[1]: two\n", START + 2)
    ring.add("m/x", b"Jan 15 03:00:03 m postfix/qmgr[1]: three\n", START + 3)

    assert [line.at - START for line in ring.page("", ALL).lines] == [1, 2, 3]


def test_a_line_keeps_its_place_whatever_comes_after_it() -> None:
    ring = LogRing()
    for second in range(0, 30, 10):  # a clock that runs before ours, and nobody knows
        ring.add("m/x", b"2027-01-15T08:05:%02dZ m postfix/qmgr[1]: x\n" % second, START + second)
        assert [line.at - START for line in ring.page("", ALL).lines] == list(range(0, second + 1, 10))


def test_a_trace_cut_at_the_beginning_does_not_move_the_lines_behind_it() -> None:
    ring = LogRing()
    ring.add(
        "m/x", b"  at java.lang.Thread\n2027-01-15T08:00:01Z m a[1]: x\n2027-01-15T08:00:02Z m a[1]: y\n", START + 9
    )

    assert [line.at - START for line in ring.page("", ALL).lines] == [1, 1, 2]


@pytest.mark.parametrize("line", [b"<11>(1) broken\n", b"2027-01-15T08:00:01Z m app: err: broken\n"])
def test_whatever_counts_as_an_error_is_found_as_one(line: bytes) -> None:
    ring = LogRing()
    ring.add("m/x", line, START + 1)

    assert len(ring.page("level:error", ALL).lines) == 1
    assert ring.page("", LogWindow(back=1, seek=-1)).found == (START + 1, 1)


def test_a_word_with_letters_beyond_ascii_is_found_as_it_is_written() -> None:
    ring = LogRing()
    ring.add("m/x", "Übung\n".encode(), START)

    assert texts(ring.page("Übung", ALL)) == ["Übung"]


@pytest.mark.parametrize("times", [b"", array("d", [START]).tobytes()])
def test_lines_that_are_nearly_nothing_take_no_more_room_than_others(times: bytes) -> None:
    tracemalloc.start()
    try:
        ring, before = LogRing(room=1 << 20), tracemalloc.get_traced_memory()[0]
        for number in range(100):
            ring.add(f"m/{number % 3}", b"\n" * 4096, START + number, times * 4096)
        ring.page("level:error", ALL)
        ring.page("!x", ALL)
        taken = tracemalloc.get_traced_memory()[0] - before
    finally:
        tracemalloc.stop()

    assert ring.page("", LogWindow()).dropped > 0
    assert taken < 1.3 * (1 << 20)


def test_many_small_logs_take_no_more_room_than_one_that_is_large() -> None:
    ring = LogRing(room=200_000)
    for number in range(100):
        ring.add(f"m/{number}", b"a" * 10_000 + b"\n", START + number)

    page = ring.page("", ALL)

    assert page.held < 20
    assert page.held + page.dropped == 100
    assert page.lines[-1].target == "m/99"


def test_a_look_pauses_often_and_what_comes_meanwhile_is_not_in_it() -> None:
    ring = LogRing()
    for number in range(200):
        ring.add("m/x", b"2027-01-15T08:00:00Z m a[1]: x\n" * 500, START + number)
    before = ring.page("", LogWindow(back=2000)).lines

    looking, pauses, page = ring.look("", LogWindow(back=2000)), 0, None
    while page is None:
        try:
            next(looking)
        except StopIteration as ended:
            page = ended.value
        pauses += 1
        ring.add("m/x", b"2027-01-15T08:09:00Z m a[1]: later\n", START + 1000)

    assert page.lines == before
    assert pauses > 3


@pytest.mark.parametrize("where", ["level:loud", "host:", "id:"])
def test_a_term_that_means_nothing_is_said_in_a_line(where: str) -> None:
    with pytest.raises(UsageError):
        LogRing().page(where, ALL)


Pieces = st.lists(
    st.tuples(
        st.sampled_from(["a/x", "a/y", "b/x"]),
        st.lists(
            st.tuples(st.integers(0, 30), st.sampled_from([b"one", b"error: two", b"three"])), min_size=1, max_size=8
        ),
    ),
    max_size=12,
)


@given(
    pieces=Pieces,
    at=st.integers(0, 60),
    back=st.integers(0, 9),
    ahead=st.integers(0, 9),
    where=st.sampled_from(["", "e", "host:a", "!three"]),
)
def test_every_window_equals_that_of_a_sorted_list(
    pieces: list[tuple[str, list[tuple[int, bytes]]]], at: int, back: int, ahead: int, where: str
) -> None:
    ring, number = LogRing(), 0
    lines: list[tuple[float, int, str, str]] = []
    for target, piece in pieces:
        times = array("d", sorted(START + second for second, _ in piece))
        ring.add(target, b"".join(text + b"\n" for _, text in piece), times[-1], times.tobytes())
        for time, (_, text) in zip(times, piece, strict=True):
            number += 1
            lines.append((time, number, target, text.decode()))
    kept = sorted(
        line
        for line in lines
        if {"": True, "e": "e" in line[3], "host:a": line[2][0] == "a", "!three": line[3] != "three"}[where]
    )
    anchor = (START + at / 2, 0)
    before = [line for line in kept if line[:2] < anchor]
    after = [line for line in kept if line[:2] >= anchor]

    page = ring.page(where, LogWindow(anchor, back, ahead))

    assert [(line.at, line.number, line.target, line.text.decode()) for line in page.lines] == [
        *(before[-back:] if back else []),
        *after[:ahead],
    ]
    assert page.more_before == (len(before) > back)
    assert page.more_after == (len(after) > ahead)
    assert [(line.number) for line in ring.page(where, LogWindow(back=99)).lines] == [line[1] for line in kept]
    assert all(line.level is Level.ERROR or line.text.find(b"error") < 0 for line in page.lines)
