"""The journal, followed by its cursor, through vacuuming and cuts: nothing lost that it keeps, nothing twice."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailtop.client.journal import ENTRIES, Journal
from mailtop.model.ask import Answer, Command
from mailtop.model.errors import Denied, LinkLost, Missing

BEGIN = 1795500000


class Journald:
    """A journal that answers as journalctl does: entries from a cursor on, or from the next that it still has."""

    def __init__(self) -> None:
        self.entries: list[dict[str, str]] = []
        self.number = 0
        self.stderr = b""

    def log(self, count: int = 1, **fields: str) -> None:
        for _ in range(count):
            self.number += 1
            at = (BEGIN + self.number) * 1_000_000
            cursor = f"s=ab;i={self.number:x};b=c;m=1;t={at:x};x=9"
            known = {"__CURSOR": cursor, "__REALTIME_TIMESTAMP": str(at), "_HOSTNAME": "mail3"}
            known |= {"MESSAGE": str(self.number), "SYSLOG_IDENTIFIER": "postfix/smtp"}
            self.entries.append(known | fields)

    def vacuum(self, keep: int) -> None:
        self.entries = self.entries[len(self.entries) - keep :] if keep else []

    def ask(self, command: Command) -> Answer:
        (place,) = [word for word in command.argv if word.startswith(("--cursor=", "--since=@", "--lines="))]
        how, _, value = place.partition("=")
        found = self.entries
        if how == "--cursor":
            at = int(value.partition(";t=")[2].partition(";")[0], 16)
            found = [one for one in found if int(one["__REALTIME_TIMESTAMP"]) >= at]
        elif how == "--since":
            found = [one for one in found if int(one["__REALTIME_TIMESTAMP"]) >= int(value[1:]) * 1_000_000]
        else:
            found = found[-1:]
        lines = [json.dumps(one) for one in found[: int(command.pipe[0][2])]]
        return Answer("".join(f"{line}\n" for line in lines).encode(), self.stderr)


class Reader:
    def __init__(self, journal: Journald, since: int = 0, selector: str = "") -> None:
        self.journal, self.since, self.selector = journal, since, selector
        self.resume = ""
        self.lines: list[int] = []
        self.gap, self.lost = 0.0, 0
        self.cut()

    def cut(self) -> None:
        self.log = Journal(self.journal.ask, self.selector, "mail3: journal", lambda _: False)
        self.first = next(self.log.follow(self.since, self.resume))
        self.resume = self.resume or self.first.resume

    def look(self) -> None:
        for chunk in self.log._read_on():
            self.lines += [int(line.rpartition(b" ")[2]) for line in chunk.lines.splitlines()]
            self.gap += chunk.gap
            self.lost += chunk.lost
            self.resume = chunk.resume


@given(st.lists(st.one_of(st.integers(1, 4), st.sampled_from(("look", "cut", "vacuum")))))
def test_nothing_is_lost_that_is_kept_nothing_comes_twice_and_what_is_gone_is_a_gap(happens: list[int | str]) -> None:
    journal = Journald()
    journal.log()
    reader = Reader(journal)
    gone: set[int] = set()
    for what in happens:
        if isinstance(what, int):
            journal.log(what)
        elif what == "vacuum":
            kept = journal.entries[len(journal.entries) // 2 :]
            read = max(reader.lines, default=1)
            gone |= {int(one["MESSAGE"]) for one in journal.entries if one not in kept} - set(range(read + 1))
            journal.vacuum(len(kept))
        elif what == "cut":
            reader.cut()
        else:
            reader.look()
    journal.log()
    reader.look()

    assert reader.lines == [number for number in range(2, journal.number + 1) if number not in gone]
    assert (reader.gap > 0) >= bool(gone)
    assert not reader.gap or reader.gap >= len(gone)


def test_what_is_read_back_goes_beyond_one_answer() -> None:
    journal = Journald()
    journal.log(ENTRIES + 10)
    reader = Reader(journal, since=BEGIN + 3)
    assert reader.first.stamp == BEGIN + ENTRIES + 10
    reader.look()
    reader.look()

    assert reader.lines == list(range(3, ENTRIES + 11))


def test_an_empty_journal_is_followed_from_its_first_line_on() -> None:
    journal = Journald()
    reader = Reader(journal, since=BEGIN)
    reader.cut()
    journal.log(2)
    reader.look()
    reader.cut()
    reader.look()

    assert (reader.lines, reader.gap) == ([1, 2], 0.0)


def test_the_lines_of_other_instances_are_passed_over() -> None:
    journal = Journald()
    journal.log()
    reader = Reader(journal, selector="postfix-out")
    journal.log(SYSLOG_IDENTIFIER="postfix-out/smtp")
    journal.log(SYSLOG_IDENTIFIER="postfix/smtp")
    reader.look()

    assert reader.lines == [2]


def test_lines_that_journald_suppressed_are_counted_with_the_next_one() -> None:
    journal = Journald()
    journal.log()
    reader = Reader(journal)
    journal.log(MESSAGE="Suppressed 77 messages from postfix@-.service", MESSAGE_ID="a596d6fe7bfa4994828e72309e95d61e")
    reader.look()
    assert reader.lost == 0
    journal.log()
    reader.look()

    assert (reader.lines, reader.lost) == ([3], 77)


def test_a_right_that_is_missing_and_a_journal_that_is_missing_are_one_line_each() -> None:
    journal = Journald()
    journal.stderr = b"Hint: You are currently not seeing messages from other users and the system.\n"
    with pytest.raises(Denied, match=r"mail3: journal: .*; add the user to group systemd-journal"):
        Reader(journal)
    journal.stderr = b"sh: 1: exec: journalctl: not found\n"
    with pytest.raises(Missing, match="not found"):
        Reader(journal)
    following = Journal(Journald().ask, "", "mail3: journal", lambda _: False).follow()
    next(following)
    with pytest.raises(LinkLost, match="closed"):
        next(following)
