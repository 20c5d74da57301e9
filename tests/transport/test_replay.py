"""A recording played: the right answers at the right time, and no others."""

from __future__ import annotations

import threading

import pytest

from mailtop.model.ask import Answer, Chunk, Command, Engine, Follow, Look, Put
from mailtop.model.errors import Denied, LinkLost, NotRecorded, Unreachable
from mailtop.transport.recording import (
    SCHEMA,
    Answered,
    Entry,
    Failure,
    Header,
    LinkChanged,
    LogEnded,
    Logged,
    Piece,
    Recording,
)
from mailtop.transport.replay import Due, Player, Replay, ReplaySource

NOON = 1795521600.0
POSTQUEUE = Command(("postqueue", "-j"))


def player(*entries: Entry) -> Player:
    return Player(Recording(Header(SCHEMA, "0.1.0", NOON, "example.com mail", ("mail1",)), entries))


def answered(at: float, by: str, ask: str, octets: bytes, began: float | None = None) -> Answered:
    began = NOON + (at if began is None else began)
    return Answered(NOON + at, began, "mail1", "postfix", by, ask, Answer(octets))


def logged(at: float, lines: bytes) -> Logged:
    return Logged(NOON + at, "mail1", "postfix", "docker", Chunk(lines, str(at), NOON + at))


def test_an_ask_gets_the_newest_answer_up_to_now() -> None:
    film = player(answered(10, "queue", "postqueue -j", b"first"), answered(20, "queue", "postqueue -j", b"second"))
    mail1 = Replay(film, "mail1")

    film.advance(NOON + 15)
    assert mail1.ask("postfix", POSTQUEUE, "queue").stdout == b"first"
    film.advance(NOON + 20)
    assert mail1.ask("postfix", POSTQUEUE, "queue").stdout == b"second"


@pytest.mark.parametrize(
    ("container", "ask"),
    [
        ("postfix", Command(("mailq",))),
        ("dovecot", POSTQUEUE),
        ("postfix", Put(("postsuper", "-h", "-"), b"x")),
        ("postfix", Engine("/info", ())),
    ],
)
def test_what_was_not_recorded_is_no_answer(container: str, ask: Look | Put) -> None:
    film = player(answered(1, "queue", "postqueue -j", b"{}"), answered(1, "act", "postsuper -h -", b"{}"))
    film.advance(NOON + 5)

    with pytest.raises(NotRecorded):
        Replay(film, "mail1").ask(container, ask, "queue")


def test_before_its_first_answer_an_ask_is_not_recorded() -> None:
    with pytest.raises(NotRecorded):
        Replay(player(answered(10, "queue", "postqueue -j", b"")), "mail1").ask("postfix", POSTQUEUE, "queue")


def test_another_asker_of_the_same_command_gets_its_answer() -> None:
    film = player(answered(1, "queue", "postqueue -j", b"{}"))
    film.advance(NOON + 1)

    assert Replay(film, "mail1").ask("postfix", POSTQUEUE, "trace").stdout == b"{}"


def test_what_was_raised_is_raised() -> None:
    failure = Failure("Denied", "postqueue", "permission denied", "add the user to group postdrop")
    film = player(Answered(NOON, NOON, "mail1", "postfix", "queue", "postqueue -j", failure=failure))

    with pytest.raises(Denied, match="postqueue: permission denied; add the user to group postdrop"):
        Replay(film, "mail1").ask("postfix", POSTQUEUE, "queue")


def test_probes_come_due_in_the_order_of_their_answers_each_once() -> None:
    film = player(
        answered(1, "queue", "postqueue -j", b"a"),
        answered(2, "disk", "df -P", b"b"),
        answered(11, "queue", "postqueue -j", b"c"),
        answered(12, "", "true", b""),
    )

    assert film.advance(NOON + 0.5) == []
    assert film.next_due == NOON + 1
    assert film.advance(NOON + 5) == [Due("mail1", "postfix", "queue"), Due("mail1", "postfix", "disk")]
    assert film.advance(NOON + 100) == [Due("mail1", "postfix", "queue")]
    assert film.next_due is None


def test_a_probe_with_two_asks_is_due_when_both_are_answered() -> None:
    film = player(
        answered(1.0, "search", "version", b"3", began=0.9),
        answered(1.2, "search", "status", b"ok", began=1.01),
        answered(11.0, "search", "version", b"3", began=10.9),
        answered(11.2, "search", "status", b"slow", began=11.01),
    )
    mail1 = Replay(film, "mail1")

    assert film.advance(NOON + 1.1) == []
    assert film.advance(NOON + 1.2) == [Due("mail1", "postfix", "search")]
    assert mail1.ask("postfix", Command(("status",)), "search").stdout == b"ok"
    assert film.next_due == NOON + 11.2


def test_a_second_ask_that_timed_out_is_of_the_same_run() -> None:
    late = Answered(
        NOON + 11, NOON + 1.01, "mail1", "postfix", "search", "status", failure=Failure("TimedOut", "x", "y")
    )
    film = player(answered(1.0, "search", "version", b"3", began=0.9), late)

    assert film.next_due == NOON + 11


def test_a_log_waits_for_the_player() -> None:
    film = player(logged(1, b"one\n"), logged(2, b"two\n"), LogEnded(NOON + 3, "mail1", "postfix", "docker"))
    log = Replay(film, "mail1").follow("postfix", Follow())
    read: list[bytes] = []
    first, ended = threading.Event(), threading.Event()

    def follow() -> None:
        for chunk in log:
            read.append(chunk.lines)
            if chunk.lines:
                first.set()
        ended.set()

    thread = threading.Thread(target=follow, daemon=True)
    thread.start()
    film.advance(NOON + 1)
    assert first.wait(5)
    assert read == [b"", b"one\n"]
    film.advance(NOON + 9)
    assert ended.wait(5)
    assert read == [b"", b"one\n", b"two\n"]


def test_a_log_goes_on_where_it_was_read_to_over_a_lost_connection() -> None:
    film = player(
        LinkChanged(NOON, "mail1", True),
        logged(1, b"one\n"),
        LinkChanged(NOON + 2, "mail1", False, "connection lost"),
        LinkChanged(NOON + 5, "mail1", True),
        logged(6, b"two\n"),
    )
    before = Replay(film, "mail1")
    film.advance(NOON + 3)
    log = before.follow("postfix", Follow())

    assert [next(log).lines, next(log).lines] == [b"", b"one\n"]
    with pytest.raises(LinkLost):
        next(log)
    assert not before.alive()
    with pytest.raises(Unreachable, match="connection lost"):
        Replay(film, "mail1").connect()
    film.advance(NOON + 6)
    after = Replay(film, "mail1")
    after.connect()
    again = after.follow("postfix", Follow())
    assert [next(again).lines, next(again).lines] == [b"", b"two\n"]


def test_closing_wakes_who_follows() -> None:
    film = player(logged(100, b"late\n"))
    mail1 = Replay(film, "mail1")
    lost = threading.Event()

    def follow() -> None:
        with pytest.raises(LinkLost):
            list(mail1.follow("postfix", Follow()))
        lost.set()

    threading.Thread(target=follow, daemon=True).start()
    mail1.close()

    assert lost.wait(5)


def test_a_source_of_a_test_keeps_every_act_it_was_sent() -> None:
    hold = Put(("postsuper", "-h", "-"), b"4TqX2m6bYzz3F\n")
    source = ReplaySource({("postfix", "postsuper -h -"): lambda ask: Answer(b"", b"on hold: 1\n")})

    assert source.ask("postfix", hold).stderr == b"on hold: 1\n"
    with pytest.raises(NotRecorded):
        source.ask("dovecot", hold)
    assert source.sent == [hold, hold]


def piece(began: float, octets: bytes) -> Piece:
    return Piece(NOON + began, NOON + began, "mail1", "postfix", "queue", "postqueue -j", octets)


def test_a_large_answer_comes_in_the_pieces_that_it_came_in() -> None:
    film = player(
        piece(5, b"one"), piece(5, b"two"), answered(10, "queue", "postqueue -j", b"", began=5), piece(15, b"three")
    )
    film.advance(NOON + 15)
    pieces: list[bytes] = []
    streamed = Command(("postqueue", "-j"), large=True, sink=pieces.append)

    assert Replay(film, "mail1").ask("postfix", streamed, "queue").stdout == b""
    assert pieces == [b"one", b"two"]
    assert Replay(film, "mail1").ask("postfix", POSTQUEUE, "queue").stdout == b"onetwo"


def test_an_answer_that_was_recorded_whole_is_given_to_a_sink_too() -> None:
    film = player(answered(10, "queue", "postqueue -j", b"whole"))
    film.advance(NOON + 15)
    pieces: list[bytes] = []

    Replay(film, "mail1").ask("postfix", Command(("postqueue", "-j"), large=True, sink=pieces.append), "queue")

    assert pieces == [b"whole"]
