"""What a recorder writes down, and what it never does."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from mailtop.model.ask import Answer, Chunk, Command, Engine, Follow, Put
from mailtop.model.errors import ConfigError, Denied, NotRecorded, Unreachable, UsageError
from mailtop.model.topology import Target
from mailtop.transport.record import Recorder
from mailtop.transport.recording import (
    SCHEMA,
    Answered,
    Asked,
    Entry,
    Header,
    LinkChanged,
    LogEnded,
    Logged,
    Piece,
    Recording,
    Tape,
)
from mailtop.transport.replay import ReplaySource

NOON = 1795521600.0
HEADER = Header(SCHEMA, "0.1.0", NOON, "example.com mail", ("mail1",), (Target("mail1", "postfix"),))
POSTQUEUE = Command(("postqueue", "-j"))


class Ticking:
    """A clock that moves one second whenever it is read."""

    def __init__(self) -> None:
        self.at = NOON

    def __call__(self) -> float:
        self.at += 1
        return self.at


def recorded(source: ReplaySource) -> tuple[Recorder, list[Entry]]:
    entries: list[Entry] = []
    recorder = Recorder(source, "mail1", entries.append, Ticking())
    recorder.connect()
    return recorder, entries


def test_an_answer_is_written_with_who_asked_what_and_when() -> None:
    recorder, entries = recorded(ReplaySource({("postfix", "postqueue -j"): b"{}\n"}))

    recorder.ask("postfix", POSTQUEUE, "postfix_queue")

    assert entries[1] == Answered(
        NOON + 3, NOON + 2, "mail1", "postfix", "postfix_queue", "postqueue -j", Answer(b"{}\n")
    )


def test_the_same_answer_again_is_not_written_twice() -> None:
    recorder, entries = recorded(ReplaySource({("postfix", "postqueue -j"): b"{}\n"}))

    for _ in range(3):
        recorder.ask("postfix", POSTQUEUE, "postfix_queue")

    answers = [entry.answer for entry in entries if isinstance(entry, Answered)]
    assert answers == [Answer(b"{}\n"), None, None]


def test_an_error_is_written_and_raised() -> None:
    recorder, entries = recorded(ReplaySource({("postfix", "postqueue -j"): Denied("postqueue", "no", "add a group")}))

    with pytest.raises(Denied):
        recorder.ask("postfix", POSTQUEUE, "postfix_queue")

    assert isinstance(entries[1], Answered)
    assert entries[1].failure is not None
    assert entries[1].failure.kind == "Denied"


def test_stdin_of_an_act_is_in_no_file(tmp_path: Path) -> None:
    source = ReplaySource({("postfix", "postsuper -h -"): Answer(b"", b"postsuper: Placed on hold: 1 message\n")})
    tape = Tape(tmp_path / "it.mailtop", HEADER)
    recorder = Recorder(source, "mail1", tape.write, Ticking())
    recorder.connect()
    recorder.ask("postfix", Put(("postsuper", "-h", "-"), b"4TqX2m6bYzz3F\n"), "act")
    tape.close()

    entries = Recording.read(tmp_path / "it.mailtop").entries

    assert isinstance(entries[1], Answered)
    assert entries[1].put
    assert b"4TqX2m6bYzz3F" not in repr(entries).encode()


def test_a_log_is_written_as_it_is_handed_on() -> None:
    source = ReplaySource({})
    recorder, entries = recorded(source)
    source.feed("postfix", b"one\n", NOON)

    log = recorder.follow("postfix", Follow())
    chunks = [next(log), next(log)]
    source.lose()
    with pytest.raises(Exception, match="closed"):
        next(log)

    assert [chunk.lines for chunk in chunks] == [b"", b"one\n"]  # followed, and then what it says
    assert [type(entry) for entry in entries] == [LinkChanged, Logged, Logged, LogEnded]


def test_a_lost_connection_is_written_once() -> None:
    source = ReplaySource({})
    recorder, entries = recorded(source)
    source.lose()

    assert not recorder.alive()
    assert not recorder.alive()
    recorder.close()

    assert [(entry.up, entry.note) for entry in entries if isinstance(entry, LinkChanged)] == [
        (True, ""),
        (False, "connection lost"),
    ]


def test_a_connection_that_was_not_made_says_why() -> None:
    entries: list[Entry] = []
    source = ReplaySource({}, unreachable=Unreachable("mail1", "no route to host"))

    with pytest.raises(Unreachable):
        Recorder(source, "mail1", entries.append, Ticking()).connect()

    assert entries == [LinkChanged(NOON + 1, "mail1", False, "mail1: no route to host")]


def everything(log_lines: int) -> Iterator[Entry]:
    yield LinkChanged(NOON, "mail1", True)
    yield Answered(NOON + 1, NOON + 1, "mail1", "postfix", "queue", "postqueue -j", Answer(b"\x00\xff raw", took=0.1))
    for number in range(log_lines):
        line = b"Nov 24 12:00:00 mail1 postfix/qmgr[7]: %d removed\n" % number
        yield Logged(NOON + 2 + number, "mail1", "postfix", "docker", Chunk(line, f"{number}", NOON + number))
    yield Asked(NOON + 3, "mail1", "passphrase for id_ed25519")
    yield LogEnded(NOON + 4, "mail1", "postfix", "docker")


def test_what_is_written_is_read(tmp_path: Path) -> None:
    tape = Tape(tmp_path / "it.mailtop", HEADER)
    for entry in everything(3):
        tape.write(entry)
    tape.close()

    recording = Recording.read(tmp_path / "it.mailtop")

    assert recording == Recording(HEADER, tuple(everything(3)), whole=True)


def test_a_recording_that_was_cut_off_is_read_as_far_as_it_goes(tmp_path: Path) -> None:
    path = tmp_path / "it.mailtop"
    tape = Tape(path, HEADER)
    for entry in everything(5000):
        tape.write(entry)
    tape.close()
    octets = path.read_bytes()
    path.write_bytes(octets[: len(octets) // 2])

    recording = Recording.read(path)

    assert not recording.whole
    assert 100 < len(recording.entries) < 5000
    assert recording.entries == tuple(everything(5000))[: len(recording.entries)]


def test_a_running_recording_can_be_read_within_a_second(tmp_path: Path) -> None:
    path = tmp_path / "it.mailtop"
    tape = Tape(path, HEADER)
    tape.write(LinkChanged(NOON, "mail1", True))

    assert tape.flushed.wait(10)
    assert Recording.read(path).entries == (LinkChanged(NOON, "mail1", True),)
    tape.close()


def test_the_same_answer_is_whole_again_when_read(tmp_path: Path) -> None:
    tape = Tape(tmp_path / "it.mailtop", HEADER)
    recorder = Recorder(ReplaySource({("", "/info"): b'{"ID":"x"}'}), "mail1", tape.write, Ticking())
    recorder.ask("", Engine("/info", ("ID",)), "docker")
    recorder.ask("", Engine("/info", ("ID",)), "docker")
    tape.close()

    answers = [entry.answer for entry in Recording.read(tmp_path / "it.mailtop").entries if isinstance(entry, Answered)]

    assert answers == [Answer(b'{"ID":"x"}')] * 2


@pytest.mark.parametrize("content", [b"", b"plain text", b"\x1f\x8b\x08\x00garbage"])
def test_what_is_no_recording_says_so(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "it").write_bytes(content)

    with pytest.raises(UsageError, match="not a recording"):
        Recording.read(tmp_path / "it")


def test_a_recording_of_a_later_schema_says_so(tmp_path: Path) -> None:
    Tape(tmp_path / "it", Header(99, "9.0", NOON, "")).close()

    with pytest.raises(UsageError, match="schema 99"):
        Recording.read(tmp_path / "it")


def test_no_file_is_overwritten_and_none_is_readable_by_others(tmp_path: Path) -> None:
    Tape(tmp_path / "it", HEADER).close()

    with pytest.raises(ConfigError, match="File exists"):
        Tape(tmp_path / "it", HEADER)
    assert (tmp_path / "it").stat().st_mode & 0o777 == 0o600


def test_a_source_of_a_test_lacks_what_it_was_not_given() -> None:
    with pytest.raises(NotRecorded, match="postqueue -j"):
        ReplaySource({}).ask("postfix", POSTQUEUE)


def test_a_large_answer_is_written_piece_by_piece_each_time_it_comes() -> None:
    recorder, entries = recorded(ReplaySource({("postfix", "postqueue -j"): b"{}\n"}))
    taken: list[bytes] = []

    for _ in range(2):
        recorder.ask("postfix", Command(("postqueue", "-j"), large=True, sink=taken.append), "queue")

    assert taken == [b"{}\n", b"{}\n"]
    pieces = [entry for entry in entries if isinstance(entry, Piece)]
    answers = [entry for entry in entries if isinstance(entry, Answered)]
    assert [one.octets for one in pieces] == taken
    assert [one.began for one in pieces] == [one.began for one in answers]
    assert [one.answer for one in answers] == [Answer(b""), Answer(b"")]
