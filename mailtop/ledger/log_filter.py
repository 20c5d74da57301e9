"""What of the logs is wanted, as typed: `host:mail1 daemon:smtp level:error id:4TqX words !not ~fuzzy`.

Words match the line's program and text, whatever their case, and all terms must hold.
"""

from __future__ import annotations

from collections.abc import Callable

from mailtop.model.errors import UsageError
from mailtop.model.log import Level, LogLine

KEYS = ("host", "daemon", "level", "id")

_LEVELS = {
    "error": frozenset({Level.ERROR}),
    "warning": frozenset({Level.ERROR, Level.WARNING}),
    "info": frozenset(Level),
}
Test = Callable[[LogLine], bool]


class LogFilter:
    """A filter, ready to be used. Raises UsageError for a term that means nothing.

    `of(target)`: may any line of that log match? `needle`: what every line that matches holds, in small letters, and
    `levels`, the levels it may have; empty and None where nothing is known of all of them. So most need not be split.
    """

    def __init__(self, where: str) -> None:
        self.where = where
        self.needle = b""
        self.levels: frozenset[Level] | None = None
        self._tests: list[Test] = []
        self._logs: list[Callable[[str], bool]] = []
        longest = ""
        for term in where.split():
            negated, word = term.startswith("!"), term.lstrip("!")
            key, colon, value = word.partition(":")
            if colon and key in KEYS:
                self._add_key(key, value, negated)
                if key == "id" and not negated:
                    longest = max(longest, value, key=len)
            elif word.startswith("~") and word[1:]:
                self._add(_fuzzy(word[1:]), negated)
            elif word:
                self._add(_holds(word), negated)
                if not negated:
                    longest = max(longest, word, key=len)
        self.needle = _small(longest)

    @property
    def of_lines(self) -> bool:
        """Is anything asked of the lines themselves, and not only of whose they are?"""
        return bool(self._tests)

    def of(self, target: str) -> bool:
        """May a line of this log match?"""
        return all(test(target) for test in self._logs)

    def __call__(self, line: LogLine) -> bool:
        return all(test(line) for test in self._tests)

    def _add(self, test: Test, negated: bool) -> None:
        self._tests.append((lambda line: not test(line)) if negated else test)

    def _add_key(self, key: str, value: str, negated: bool) -> None:
        if not value:
            raise UsageError(f"{key}:", "names nothing", f"write {key}:{'error' if key == 'level' else 'name'}")
        if key == "host":
            self._logs.append(lambda target: (target.partition("/")[0] == value) is not negated)
        elif key == "level":
            if value not in _LEVELS:
                raise UsageError(f"level:{value}", "there is no such level", f"known: {', '.join(_LEVELS)}")
            levels = frozenset(Level) - _LEVELS[value] if negated else _LEVELS[value]
            self.levels = levels if self.levels is None else self.levels & levels
            self._add(lambda line: line.level in levels, negated=False)
        elif key == "id":
            word = value.encode("utf-8", "surrogateescape")
            self._add(lambda line: line.text.find(word) >= 0, negated)
        else:
            word = _small(value)
            self._add(
                lambda line: line.program.lower().find(word) >= 0 or value.lower() in _container(line.target), negated
            )


def _container(target: str) -> str:
    return target.partition("/")[2].lower()


def _small(word: str) -> bytes:
    """A word as it is compared with a line's bytes: only ASCII has small letters there."""
    return word.encode("utf-8", "surrogateescape").lower()


def _holds(word: str) -> Test:
    wanted = _small(word)
    return lambda line: line.text.lower().find(wanted) >= 0 or line.program.lower().find(wanted) >= 0


def _fuzzy(word: str) -> Test:
    letters = _small(word)

    def test(line: LogLine) -> bool:
        found = iter(line.text.lower())
        return all(letter in found for letter in letters)

    return test
