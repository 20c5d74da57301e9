"""The systemd journal, followed by its cursor. No program is left running: journalctl is asked again and again.

It is asked for the entry at the cursor and all after it. Where the first is another one, the journal has thrown away
what was in between: a gap. What journald itself did not keep (its rate limit) it says, and how many lines those were.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Generator, Iterator

from mailtop.model.ask import Answer, Chunk, Command
from mailtop.model.errors import CommandFailed, Denied, Garbled, LinkLost, Missing, ParseError
from mailtop.model.text import Foreign
from mailtop.parse.journal import DROPPED, FIELDS, Entry, cursor_time, denied, entry, matches, same

PACE = 1.0  # seconds between two questions at the least …
COST = 100.0  # … and so many times what one takes: opening many journals takes its time
SLOWEST = 10.0  # seconds
ENTRIES = 5_000  # a question's answer at most
CHUNK = 256 << 10
_NOT_THERE = re.compile(rb"not found|No journal files")
REMEDY = "add the user to group systemd-journal"


class Journal:
    """`ask` runs a command where the journal is; `selector` as in `journald:SELECTOR`; `thing` names it in errors.

    `wait` returns False when it is all over. The resume point is the last entry's cursor, or `@SECONDS` before there
    was one.
    """

    def __init__(
        self, ask: Callable[[Command], Answer], selector: str, thing: str, wait: Callable[[float], bool]
    ) -> None:
        self._ask = ask
        self._matches, self._identifiers = matches(selector)
        self._thing = thing
        self._wait = wait
        self._cursor = ""
        self._since = 0.0
        self._pace = PACE
        self._gap = 0.0
        self._lost = 0

    def follow(self, since: int = 0, resume: str = "") -> Iterator[Chunk]:
        """Yield what was and will be logged, from `resume`, else from `since`, else from now on; see Source.follow."""
        newest = self._newest()
        if resume.startswith("@"):
            self._since = _seconds(resume, self._thing)
        elif resume:
            self._cursor = resume
        elif since:
            self._since = float(since)
        elif newest is not None:
            self._cursor = newest.cursor
        known = cursor_time(self._cursor) if self._cursor else self._since
        yield Chunk(b"", self._token, newest.at if newest is not None and newest.at > known else 0.0)
        while True:
            more = yield from self._read_on()
            if not more and not self._wait(self._pace):
                raise LinkLost(self._thing, "closed")

    @property
    def _token(self) -> str:
        return self._cursor or f"@{self._since:.0f}"

    def _newest(self) -> Entry | None:
        entries = self._entries("--lines=1", first=1)
        return entries[-1] if entries else None

    def _read_on(self) -> Generator[Chunk, None, bool]:
        """Read what there is by now, as far as one answer goes; return whether there is more."""
        place = f"--cursor={self._cursor}" if self._cursor else f"--since=@{self._since:.0f}"
        entries = self._entries(place, first=ENTRIES)
        full = len(entries) >= ENTRIES
        if self._cursor and entries:
            if same(entries[0].cursor, self._cursor):
                entries = entries[1:]
            else:
                self._gap += max(0.0, entries[0].at - cursor_time(self._cursor))
        lines: list[bytes] = []
        size = 0
        for number, one in enumerate(entries, 1):
            self._lost += one.dropped
            if not one.rate_limit and self._wanted(one):
                lines.append(one.line)
                size += len(one.line)
            self._cursor = one.cursor
            if size and (size >= CHUNK - (64 << 10) or number == len(entries)):
                gap, lost, self._gap, self._lost = self._gap, self._lost, 0.0, 0
                yield Chunk(b"".join(lines), one.cursor, one.at, gap, lost=lost)
                lines, size = [], 0
        return full

    def _wanted(self, one: Entry) -> bool:
        return not self._identifiers or one.identifier.startswith(self._identifiers)

    def _entries(self, place: str, first: int) -> list[Entry]:
        """Ask for entries from a place on, the first so many of them."""
        argv = ("journalctl", "--output=json", "--all", "--no-pager", f"--output-fields={FIELDS}", place)
        dropped = ("+", f"MESSAGE_ID={DROPPED}") if first > 1 else ()
        head = ("head", "-n", str(first))
        answer = self._ask(Command((*argv, *self._matches, *dropped), pipe=(head,), limit=32 << 20))
        self._pace = min(SLOWEST, max(PACE, COST * answer.took))
        if denied(answer.stderr):
            raise Denied(self._thing, "only root and group systemd-journal see all of the journal", REMEDY)
        words = [line for line in answer.stderr.splitlines() if line and not line.startswith(b"-- ")]
        if words and not answer.stdout:
            raise (Missing if _NOT_THERE.search(words[-1]) else CommandFailed)(self._thing, Foreign(words[-1]))
        try:
            return [entry(line) for line in answer.stdout.splitlines() if line.startswith(b"{")]
        except ParseError as error:
            raise Garbled(self._thing, error.reason) from error


def _seconds(resume: str, thing: str) -> float:
    try:
        return float(resume[1:])
    except ValueError as error:
        raise Garbled(thing, f"{resume[:60]!r} is no resume point of a journal") from error
