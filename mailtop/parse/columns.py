"""Columns for a million rows: texts in blocks, and tables of the few texts that many rows share.

An object per row costs 500 bytes and more; a column costs what its bytes cost.
"""

from __future__ import annotations

import re
from array import array
from collections.abc import Callable, Iterable, Iterator
from itertools import accumulate, chain, compress, islice, repeat

BLOCK = 1024
"""Rows a block: small enough that one row is cut out in microseconds, large enough that its overhead is nothing."""

_SPARSE = 200  # hits a block: up to here finding them is faster than cutting the block into rows
_LETTERS = 65_536  # different rows of letters that are kept while a column is searched
_HIT = b"\1"  # no text has one, or else its block is searched row by row
_NO_HIT = bytes(set(range(256)) - {*_HIT, *b"\n"})
_LOWER = bytes(range(256)).lower()
_LINE_BREAK = str.maketrans({"\n": "\\n", "\r": "\\r"})


class Texts:
    """A column of short texts, a block of rows each one bytes object with newlines between its rows."""

    def __init__(self) -> None:
        self._blocks: list[bytes] = []
        self._tail: list[bytes] = []
        self._cut: tuple[int, list[bytes]] = (-1, [])

    def __len__(self) -> int:
        return len(self._blocks) * BLOCK + len(self._tail)

    def __getitem__(self, row: int) -> bytes:
        block = row // BLOCK
        if block == len(self._blocks):
            return self._tail[row % BLOCK]
        if self._cut[0] != block:
            self._cut = (block, self._blocks[block].split(b"\n"))
        return self._cut[1][row % BLOCK]

    def __iter__(self) -> Iterator[bytes]:
        return chain(chain.from_iterable(block.split(b"\n") for block in self._blocks), self._tail)

    def extend(self, texts: list[str]) -> None:
        """Append texts. A line break inside one, which no address has a use for, is written out."""
        rows = encoded("\n".join(texts)).split(b"\n") if texts else []
        if len(rows) != len(texts):
            rows = [encoded(text.translate(_LINE_BREAK)) for text in texts]
        self._append(rows)

    def kept(self, keep: bytes) -> Texts:
        """Return the column of the rows whose byte in `keep` is 1."""
        column = Texts()
        rows = compress(self, keep)
        while block := list(islice(rows, BLOCK)):
            column._append(block)
        return column

    def holding(self, needle: bytes) -> bytes:
        """Return a mask, one byte a row: 1 where the row holds `needle` (lower case) in any case."""
        masks: list[bytes] = []
        for block in self._lowered():
            hits = block.count(needle)
            if hits > _SPARSE:
                masks.append(_dense(block, needle))
            else:
                masks.append(_sparse(block, needle) if hits else bytes(block.count(b"\n") + 1))
        return b"".join(masks)

    def fuzzy(self, needle: bytes) -> bytes:
        """Return a mask of the rows that hold the letters of `needle` (lower case) in this order, in any case.

        All other letters are struck out first: what is left of a million rows are a few thousand different ones.
        """
        others = bytes(set(range(256)) - {*needle, *needle.upper(), *b"\n"})
        verdicts = _Verdicts(needle)
        blocks = (*self._blocks, b"\n".join(self._tail)) if self._tail else self._blocks
        return b"".join(
            bytes(map(verdicts.__getitem__, block.translate(_LOWER, others).split(b"\n"))) for block in blocks
        )

    def matching(self, match: Callable[[bytes], object]) -> bytes:
        """Return a mask of the rows for which `match` (of the lower-case text) is true."""
        return b"".join(bytes([match(row) is not None for row in block.split(b"\n")]) for block in self._lowered())

    def _lowered(self) -> Iterator[bytes]:
        for block in self._blocks:
            yield block.lower()
        if self._tail:
            yield b"\n".join(self._tail).lower()

    def _append(self, rows: list[bytes]) -> None:
        self._tail += rows
        while len(self._tail) >= BLOCK:
            self._blocks.append(b"\n".join(self._tail[:BLOCK]))
            del self._tail[:BLOCK]


class Interned(dict[str, int]):
    """A table of texts that many rows share: `table[text]` is its index, new texts are added.

    Past `most` different texts (a newsletter with a sender address for each recipient) the rest is kept without
    looking for equals, at the cost of its bytes; or, where `other` is given, that one text stands for all of it.
    """

    def __init__(self, most: int, other: bytes | None = None) -> None:
        super().__init__()
        self.most = most
        self._other = other
        self._first: list[bytes] = []
        self._rest = Texts()

    def __missing__(self, text: str) -> int:
        if len(self._first) < self.most:
            index = self[text] = len(self._first)
            self._first.append(encoded(text))
            return index
        if self._other is None:
            self._rest.extend([text])
        elif not self._rest:
            self._rest.extend([self._other.decode()])
        return self.most + len(self._rest) - 1

    def table(self) -> Table:
        """Return what was added, in order; the look-up by text is given up."""
        self.clear()
        return Table(self._first, self._rest)


class Table:
    """The texts of an `Interned`, by index."""

    def __init__(self, first: Iterable[bytes], rest: Texts | None = None) -> None:
        self._first = list(first)
        self._rest = rest if rest is not None else Texts()

    def __len__(self) -> int:
        return len(self._first) + len(self._rest)

    def __getitem__(self, index: int) -> bytes:
        return self._first[index] if index < len(self._first) else self._rest[index - len(self._first)]

    def __iter__(self) -> Iterator[bytes]:
        return chain(self._first, self._rest)

    @property
    def shared(self) -> int:
        """How many of the texts are surely different: equal ones may follow behind them."""
        return len(self._first)


class _Verdicts(dict[bytes, bool]):
    """Does a row hold the letters in their order? Each different row is looked through once."""

    def __init__(self, letters: bytes) -> None:
        super().__init__()
        self._test = in_order(letters)

    def __missing__(self, row: bytes) -> bool:
        verdict = self._test(row) is not None
        if len(self) < _LETTERS:
            self[row] = verdict
        return verdict


def in_order(letters: bytes) -> Callable[[bytes], re.Match[bytes] | None]:
    """Return what finds letters in their order with anything between; nothing in it goes back to try again."""
    sets = (b"\\" + bytes([letter]) if letter in b"]^\\-[" else bytes([letter]) for letter in letters)
    runs = (b"[^" + own + b"]*" + re.escape(bytes([letter])) for own, letter in zip(sets, letters, strict=True))
    return re.compile(b"".join(runs)).match


def _dense(block: bytes, needle: bytes) -> bytes:
    """The mask of a block with many hits: each is made one byte, all else but the rows' ends is struck out."""
    if _HIT in block or b"\n" in needle:
        return bytes([needle in row for row in block.split(b"\n")])
    hits = block.replace(needle, _HIT).translate(None, _NO_HIT)
    while _HIT * 2 in hits:
        hits = hits.replace(_HIT * 2, _HIT)
    return (hits + b"\n").replace(_HIT + b"\n", b"\1").replace(b"\n", b"\0")


def _sparse(block: bytes, needle: bytes) -> bytes:
    """The mask of a block with few hits: rows are counted, not cut out."""
    parts = block.split(needle)
    mask = bytearray(block.count(b"\n") + 1)
    for row in accumulate(map(bytes.count, parts[:-1], repeat(b"\n"))):
        mask[row] = 1
    return bytes(mask)


def encoded(text: str) -> bytes:
    """Return the bytes a text was written with; surrogates stand for bytes that were not UTF-8."""
    try:
        return text.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:  # a lone surrogate from a JSON escape
        return text.encode("utf-8", "backslashreplace")


def kept(column: array[int], keep: bytes) -> array[int]:
    """Return the column of the rows whose byte in `keep` is 1."""
    return array(column.typecode, compress(column, keep))
