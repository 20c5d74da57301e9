"""A log file through every kind of rotation, with the connection cut at any moment: nothing lost, nothing twice."""

from __future__ import annotations

from contextlib import suppress

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mailtop.client.log_file import CHUNK, LINE_LIMIT, LogFile
from mailtop.model.ask import Chunk
from mailtop.model.errors import Garbled, LinkLost, Missing
from tests.client.disk import BEGIN, PATH, Disk


class Reader:
    """Follows the disk's log one look at a time, and keeps what it read."""

    def __init__(self, disk: Disk, since: int = 0, resume: str = "") -> None:
        self.disk = disk
        self.since = since
        self.resume = resume
        self.lines: list[bytes] = []
        self.gap = 0.0
        self.cut()

    def cut(self) -> None:
        """Lose the connection, and begin again where the last chunk ended."""
        self.log: LogFile | None = None
        log = LogFile(self.disk, PATH, "mail3: log", lambda _: False)
        self.first = next(log.follow(self.since, self.resume))
        self.log = log
        assert not self.first.lines
        self.resume = self.resume or self.first.resume

    def look(self, times: int = 1) -> None:
        """Look at the log."""
        for _ in range(times):
            if self.log is None:
                self.cut()
            assert self.log is not None
            for chunk in self.log._read_on():
                assert chunk.lines.endswith(b"\n")
                assert len(chunk.lines) <= CHUNK
                self.lines += chunk.lines.splitlines(keepends=True)
                self.gap += chunk.gap
                self.resume = chunk.resume


ROTATIONS = st.sampled_from(("rename", "rename without create", "copytruncate", "reopen", "pack"))
HAPPENS = st.lists(
    st.one_of(
        st.tuples(st.just("write"), st.integers(1, 5)),
        st.tuples(st.sampled_from(("look", "look", "cut", "half")), st.just(1)),
        st.tuples(ROTATIONS, st.just(1)),
    ),
    max_size=40,
)


def happen(disk: Disk, reader: Reader, what: str, times: int) -> None:
    match what:
        case "write":
            disk.write(times)
        case "half":
            disk.begin()
        case "look":
            with suppress(Missing):  # no log at all: said, and tried again
                reader.look()
        case "cut":
            with suppress(Missing):
                reader.cut()
        case "rename":
            disk.rename()
        case "rename without create":
            disk.rename(create=False)
        case "copytruncate":
            if not disk.half:  # a daemon writes whole lines at once
                disk.copytruncate()
        case "reopen":
            disk.reopen()
        case "pack":
            disk.pack()


def come_to_rest(disk: Disk, reader: Reader) -> None:
    disk.reopen()
    disk.write()
    reader.look(3)


@settings(max_examples=300, deadline=None)
@given(HAPPENS)
def test_nothing_is_lost_and_nothing_read_twice_as_long_as_the_files_are_kept(happens: list[tuple[str, int]]) -> None:
    disk = Disk()
    disk.write()
    reader = Reader(disk)
    for what, times in happens:
        happen(disk, reader, what, times)
    come_to_rest(disk, reader)

    assert reader.lines == disk.written[1:]
    assert reader.gap == 0.0


@settings(max_examples=200, deadline=None)
@given(HAPPENS, st.integers(1, 2))
def test_what_was_thrown_away_is_a_gap_and_nothing_else_is_lost(happens: list[tuple[str, int]], keep: int) -> None:
    disk = Disk(keep=keep)
    disk.write()
    reader = Reader(disk)
    for what, times in happens:
        happen(disk, reader, what, times)
    come_to_rest(disk, reader)

    there = iter(disk.written[1:])
    assert all(line in there for line in reader.lines)  # in order, each once
    assert disk.written[-1] == reader.lines[-1]
    if len(reader.lines) < len(disk.written) - 1:
        assert reader.gap >= len(disk.written) - 1 - len(reader.lines)


@settings(max_examples=150, deadline=None)
@given(HAPPENS, st.integers(0, 60))
def test_what_was_written_since_a_moment_is_read_back_wherever_it_was_rotated(
    happens: list[tuple[str, int]], since: int
) -> None:
    disk = Disk()
    disk.write()
    moved = Reader(disk)
    for what, times in happens:
        happen(disk, moved, what, times)
    disk.reopen()
    disk.write()
    reader = Reader(disk, since=int(BEGIN) + since)
    reader.look(3)

    assert reader.lines == disk.written[max(0, since - 1) :]
    assert reader.gap == 0.0


def test_the_beginning_is_found_in_a_long_file_by_a_few_looks() -> None:
    disk = Disk()
    disk.fill(40_000)
    assert len(disk.nodes[PATH].octets) > 2 << 20
    disk.looks = 0
    reader = Reader(disk, since=int(BEGIN) + 39_990)
    reader.look()

    assert reader.lines == disk.written[39_989:]
    assert disk.looks < 12


def test_the_first_chunk_says_what_is_still_to_come() -> None:
    disk = Disk()
    disk.write(3)

    assert Reader(disk).first == Chunk(b"", Reader(disk).first.resume, 0.0)
    assert Reader(disk, since=int(BEGIN)).first.stamp == BEGIN + 3
    assert Reader(disk, since=int(BEGIN) + 60).first.stamp == 0.0


def test_an_unchanged_file_costs_one_look_and_is_not_read() -> None:
    disk = Disk()
    disk.write(3)
    reader = Reader(disk, since=int(BEGIN) + 60)
    reader.look(2)
    disk.looks = 0
    reader.look(10)

    assert disk.looks == 10


def test_a_line_longer_than_any_is_cut_and_those_after_it_are_read() -> None:
    disk = Disk()
    disk.write()
    reader = Reader(disk)
    disk.daemon.octets += b"x" * (3 * CHUNK) + b"\n"
    disk.write()
    reader.look()

    assert reader.lines[-1] == disk.written[-1]
    assert max(map(len, reader.lines)) == LINE_LIMIT + 1


def test_a_copy_with_the_same_content_under_another_inode_is_the_same_log() -> None:
    disk = Disk()
    disk.write(3)
    reader = Reader(disk)
    disk.daemon = disk.nodes[PATH] = disk.node(disk.nodes[PATH].octets)  # sed -i, an editor, a restored backup
    disk.write()
    reader.look()

    assert reader.lines == disk.written[3:]


def test_traditional_stamps_are_read_in_the_zone_that_the_files_own_time_tells() -> None:
    disk = Disk()
    disk.daemon.octets = b"Nov 24 08:28:57 mail3 postfix/qmgr[1]: one\nNov 24 08:28:58 mail3 postfix/qmgr[1]: two\n"
    disk.daemon.mtime = 1795505338.0  # 07:28:58 UTC
    reader = Reader(disk, since=1795505338)
    reader.look()

    assert reader.lines == [b"Nov 24 08:28:58 mail3 postfix/qmgr[1]: two\n"]
    assert reader.first.stamp == 1795505338.0


def test_a_log_that_is_not_there_and_a_foreign_resume_point_are_one_line_each() -> None:
    disk = Disk()
    disk.nodes.clear()
    with pytest.raises(Missing, match="no such file"):
        Reader(disk)
    with pytest.raises(Garbled, match="mail3: log: '2026-11-24T02' is none of a log file"):
        Reader(Disk(), resume="2026-11-24T02")
    following = LogFile(Disk(), PATH, "mail3: log", lambda _: False).follow()
    next(following)
    with pytest.raises(LinkLost, match="closed"):
        next(following)
