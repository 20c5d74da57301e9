"""Read a log from end to end: parse, correlate, count; print the figures. What `bench_log.py` runs as mailtop.

python tests/bench/read_log.py FILE
"""

from __future__ import annotations

import sys
from pathlib import Path

from mailtop.ledger.book import Ledger
from mailtop.ledger.counts import counts
from mailtop.parse.postfix_log import PostfixLog
from mailtop.parse.stamp import Stamps

_CHUNK = 1 << 18


def main(path: Path) -> None:
    """Read in chunks of whole lines, as the engine does."""
    book, reader, rest = Ledger(), PostfixLog(Stamps(path.stat().st_mtime)), b""
    with path.open("rb", buffering=0) as log:
        while chunk := log.read(_CHUNK):
            end = chunk.rfind(b"\n") + 1
            book.feed(reader.read(b"".join((rest, memoryview(chunk)[:end]))))
            rest = chunk[end:]
    book.feed(reader.read(rest))
    book.settle(float("inf"))
    print(*counts(book, book.last_at), sep="\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
