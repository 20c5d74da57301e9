"""Docker's frames and stamps: real bytes in, lines out, and every line once."""

from __future__ import annotations

import struct
from array import array
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailtop.model.errors import ParseError
from mailtop.parse.docker_log import LINE_LIMIT, LogReader, Position, demux, epoch

HERE = Path(__file__).parent
DOVECOT = (HERE / "docker_log_dovecot.bin").read_bytes()  # five lines, Engine 20.10
PIECES = (HERE / "docker_log_pieces.bin").read_bytes()  # 40,000 x in three pieces, stderr between them, no last newline
TTY = (HERE / "docker_log_tty.bin").read_bytes()  # the same from a container with a TTY


def frame(stamp: str, text: bytes, stream: int = 1) -> bytes:
    message = b"2026-11-24T02:46:" + stamp.encode() + b"Z " + text
    return struct.pack(">BxxxL", stream, len(message)) + message


def read(
    octets: bytes, position: Position | None = None, tty: bool = False, step: int = 1 << 20
) -> tuple[bytes, LogReader]:
    reader = LogReader(position, tty)
    lines = b"".join(reader.feed(octets[at : at + step]) for at in range(0, len(octets), step))
    return lines + reader.end(), reader


def test_lines_come_without_frames_and_stamps() -> None:
    lines, reader = read(DOVECOT)

    assert lines.startswith(b"Nov 24 02:46:32 lmtp(alice@example.test)<773><2KNFKoj6BGsFAwAAkzG9Ng>: Info: msgid=")
    assert lines.count(b"\n") == 5
    assert reader.position == Position(b"2026-11-24T02:46:39.516185769Z", 1, 0)


@pytest.mark.parametrize("step", [1, 7, 8, 200])
def test_it_does_not_matter_where_the_stream_was_cut_into_pieces(step: int) -> None:
    assert read(DOVECOT, step=step)[0] == read(DOVECOT)[0]
    assert read(PIECES, step=step)[0] == read(PIECES)[0]


@pytest.mark.parametrize(("octets", "tty"), [(PIECES, False), (TTY, True)])
def test_a_line_that_docker_split_is_one_line(octets: bytes, tty: bool) -> None:
    lines = read(octets, tty=tty)[0].split(b"\n")

    assert sorted(lines, key=len) == [b"", b"b", b"nonewline", b"x" * 40000]


def test_a_line_longer_than_the_limit_is_cut() -> None:
    octets = b"".join(frame("32.000000001", b"x" * 16384) for _ in range(20)) + frame("32.000000001", b"end\n")

    lines, _ = read(octets + frame("33.000000000", b"next\n"))

    assert [len(line) for line in lines.split(b"\n")] == [LINE_LIMIT, 4, 0]


def test_a_program_that_ended_without_a_newline_does_not_join_the_next() -> None:
    lines, _ = read(frame("32.000000001", b"dying") + frame("34.000000000", b"started\n"))

    assert lines == b"dying\nstarted\n"


@pytest.mark.parametrize(
    ("stamp", "normal"),
    [
        (b"2026-11-24T02:46:32Z", b"2026-11-24T02:46:32.000000000Z"),
        (b"2026-11-24T02:46:32.5Z", b"2026-11-24T02:46:32.500000000Z"),
        (b"2026-11-24T04:46:32.123456789+02:00", b"2026-11-24T02:46:32.123456789Z"),
    ],
)
def test_stamps_of_other_engines_are_made_the_same(stamp: bytes, normal: bytes) -> None:
    message = stamp + b" hello\n"

    lines, reader = read(struct.pack(">BxxxL", 1, len(message)) + message)

    assert lines == b"hello\n"
    assert reader.position == Position(normal, 1, 0)
    assert epoch(normal) == pytest.approx(1795488392, abs=0.6)


LOG = [  # two lines share a stamp; stderr's line was stamped before stdout's and written behind it
    ("31.000000000", b"one\n", 1),
    ("32.000000005", b"two\n", 1),
    ("32.000000005", b"three\n", 2),
    ("32.000000004", b"four\n", 2),
    ("32.900000000", b"five\n", 1),
    ("34.000000000", b"six\n", 1),
]


@pytest.mark.parametrize("read_before", range(1, 7))
def test_resuming_behind_any_line_loses_none_and_repeats_none(read_before: int) -> None:
    frames = [frame(*line) for line in LOG]
    before, reader = read(b"".join(frames[:read_before]))
    assert reader.position is not None
    position = Position.of(reader.position.token)

    again = [octets for octets, (stamp, _, _) in zip(frames, LOG, strict=True) if float(stamp) >= position.since % 60]
    after, resumed = read(b"".join(again), position)

    assert before + after == b"".join(text for _, text, _ in LOG)
    assert resumed.lost_until == b""


@given(st.lists(st.integers(0, 3), min_size=1, max_size=40), st.data())
def test_whatever_the_stamps_every_line_is_read_once(steps: list[int], data: st.DataObject) -> None:
    nanos, frames = 0, []
    for number, step in enumerate(steps):
        nanos += step  # 0: the same stamp again
        late = data.draw(st.integers(0, 2))  # written behind a later one
        stamp = f"32.{max(0, nanos - late):09}"
        frames.append(frame(stamp, b"%d\n" % number))
    cut = data.draw(st.integers(1, len(frames)))
    before, reader = read(b"".join(frames[:cut]))

    after, _ = read(b"".join(frames), reader.position)

    assert before + after == b"".join(b"%d\n" % number for number in range(len(steps)))


def test_a_resume_point_that_is_no_longer_in_the_log_is_said() -> None:
    lines, reader = read(frame("40.000000000", b"later\n"), Position(b"2026-11-24T02:46:32.000000005Z", 1, 0))

    assert lines == b"later\n"
    assert reader.lost_until == b"2026-11-24T02:46:40.000000000Z"


def test_from_a_stamp_alone_all_later_lines_are_new_and_none_is_missed() -> None:
    octets = b"".join(frame(*line) for line in LOG)

    lines, reader = read(octets, Position(b"2026-11-24T02:46:32.000000005Z"))

    assert lines == b"five\nsix\n"
    assert reader.lost_until == b""


def test_a_clock_that_was_set_back_starts_anew() -> None:
    _, reader = read(frame("59.000000000", b"a\n") + b"")
    reader.feed(frame("59.500000000", b"b\n").replace(b"T02:46", b"T01:46"))

    assert reader.position == Position(b"2026-11-24T01:46:59.500000000Z", 1, 0)


@pytest.mark.parametrize("token", ["", "x", "2026 1 0", "2026-11-24T02:46:32.000000005Z x 0", "start 1"])
def test_a_foreign_resume_point_is_refused(token: str) -> None:
    with pytest.raises(ParseError):
        Position.of(token)


def test_the_beginning_is_a_position() -> None:
    assert Position.of(Position().token) == Position()
    assert Position().since == 0
    assert read(DOVECOT, Position())[0] == read(DOVECOT)[0]


@pytest.mark.parametrize(
    "octets",
    [
        b"HTTP/1.1 200 OK\r\n",
        b"\1\0\0\0\xff\xff\xff\xff",
        struct.pack(">BxxxL", 1, 9) + b"no stamp\n",
        struct.pack(">BxxxL", 3, 24) + b"error grabbing logs: EOF",
    ],
)
def test_junk_is_said_to_be_junk(octets: bytes) -> None:
    with pytest.raises(ParseError):
        LogReader().feed(octets)


def test_an_error_of_the_daemon_within_the_stream_is_told() -> None:
    with pytest.raises(ParseError, match="error grabbing logs: EOF"):
        demux(struct.pack(">BxxxL", 3, 24) + b"error grabbing logs: EOF")


@given(st.binary(max_size=300))
def test_any_bytes_are_parsed_or_refused(octets: bytes) -> None:
    for tty in (False, True):
        reader = LogReader(None, tty)
        try:
            lines = reader.feed(octets) + reader.end()
        except ParseError:
            continue
        assert lines == b"" or lines.endswith(b"\n")


def test_each_line_that_is_returned_has_its_own_time() -> None:
    reader = LogReader()

    lines = reader.feed(DOVECOT)

    times = array("d", reader.times)
    assert len(times) == lines.count(b"\n")
    assert list(times) == sorted(times)
    assert times[-1] == epoch(b"2026-11-24T02:46:39.516185769Z")

    again = LogReader(Position(b"2026-11-24T02:46:39.516185769Z", 1, 0))
    assert again.feed(DOVECOT) == b""
    assert again.times == b""
