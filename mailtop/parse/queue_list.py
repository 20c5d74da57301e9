"""Asking for the whole queue, so that neither the wire nor our memory feels it.

`postqueue -j` prints about 400 bytes a message: a million are 400 MB. What is longer than a few thousand messages is
compressed on the host, to about a tenth, and unpacked here piece by piece.
"""

from __future__ import annotations

import re
import zlib

from mailtop.model.ask import Answer, Asking, Command
from mailtop.model.errors import Garbled
from mailtop.parse.postfix_instance import instance_words
from mailtop.parse.postqueue import Listing, ListingReader

SMALL = 2_000_000
"""Bytes that are taken as they are printed: some 5,000 messages."""

REMEDY = "add the user to group postdrop, or allow it in authorized_mailq_users"

_HEAD, _GZIP = ("head", "-c", str(SMALL)), ("gzip", "-1", "-c")
_PIECE = 1 << 18
_FATAL = re.compile(rb": (?:fatal|panic|error): |not found|Terminated|Killed")
_EMPTY = 64  # bytes: gzip's idea of nothing is shorter


def listed(config_directory: str = "") -> Asking[Listing]:
    """List the queue of one instance (empty: the default one). Its time is for whoever asked to put on it."""
    command, reader = ("postqueue", *instance_words(config_directory), "-j"), ListingReader()
    ask = Command(command, pipe=(_HEAD,), timeout=30.0, limit=SMALL)  # a kept shell saves an exec, 70 ms
    answer = yield ask
    _complain(answer)
    if len(answer.stdout) < SMALL:
        reader.feed(answer.stdout)
        return reader.finish(0.0, answer.cut or answer.took >= ask.timeout)
    ask = Command(command, pipe=(_GZIP,), timeout=600.0, large=True, limit=256 << 20)
    answer = yield ask
    _complain(answer)
    whole = _unpacked(answer.stdout, reader)  # a pipe whose first program was ended by its deadline ends well
    return reader.finish(0.0, answer.cut or not whole or answer.took >= ask.timeout)


def _complain(answer: Answer) -> None:
    """A pipe's status is its last program's: what postqueue has to say is on stderr, and then it has not listed all.

    A warning (`main.cf: overriding earlier entry`) is no complaint, and neither is that `head` has had enough.
    """
    answer.ok("postqueue -j", REMEDY)
    said = [line for line in answer.stderr.splitlines() if line.strip() and b": warning: " not in line]
    packed_nothing = answer.stdout.startswith(b"\x1f\x8b") and len(answer.stdout) < _EMPTY
    if answer.stdout and not packed_nothing:
        enough = len(answer.stdout) >= SMALL
        said = [line for line in said if _FATAL.search(line) and not (enough and b"Broken pipe" in line)]
    if said:
        Answer(b"", b"\n".join(said), 127 if b"not found" in said[-1] else 1).ok("postqueue -j", REMEDY)


def _unpacked(packed: bytes, reader: ListingReader) -> bool:
    """Feed the listing piece by piece; was it whole?"""
    gzip = zlib.decompressobj(wbits=31)
    try:
        for at in range(0, len(packed), _PIECE):
            piece = packed[at : at + _PIECE]
            while piece:
                reader.feed(gzip.decompress(piece, 8 * _PIECE))
                piece = gzip.unconsumed_tail
    except zlib.error as error:
        raise Garbled("postqueue -j", "what came is not what gzip wrote") from error
    return gzip.eof
