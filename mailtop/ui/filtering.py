"""A filter as typed, on rows that are already here: words, `!` not, `~` fuzzy."""

from __future__ import annotations


def matches(where: str, words: str) -> bool:
    """Does a line match? Several terms must all match; letter case does not count.

    >>> matches("outlook !news", "outlook.test refuses us"), matches("~otlk", "outlook.test"), matches("!news", "news")
    (True, True, False)
    """
    line = words.lower()
    return all(_term(term, line) for term in where.lower().split())


def _term(term: str, line: str) -> bool:
    if term.startswith("!"):
        return not _term(term[1:], line) if term[1:] else True
    if term.startswith("~"):
        letters = iter(line)
        return all(letter in letters for letter in term[1:])
    return term in line
