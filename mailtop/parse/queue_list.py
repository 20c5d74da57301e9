"""Asking for the whole queue, so that neither the wire nor our memory feels it.

`postqueue -j` prints about 400 bytes a message: a million are 400 MB. What is longer than a few thousand messages is
compressed on the host, to about a tenth, and unpacked here piece by piece.
"""

from __future__ import annotations

import zlib

from mailtop.model.ask import Answer, Asking, Command
from mailtop.model.errors import Garbled
from mailtop.parse.postqueue import Listing, ListingReader

SMALL = 2_000_000
"""Bytes that are taken as they are printed: some 5,000 messages."""

REMEDY = "add the user to group postdrop, or allow it in authorized_mailq_users"

_DEFAULT_INSTANCE = "/etc/postfix"
_HEAD, _GZIP = ("head", "-c", str(SMALL)), ("gzip", "-1", "-c")
_PIECE = 1 << 18
_EMPTY = 64  # bytes: gzip's idea of nothing is shorter


def listed(config_directory: str = "") -> Asking[Listing]:
    """List the queue of one instance (empty: the default one). Its time is for whoever asked to put on it."""
    config = () if config_directory in ("", _DEFAULT_INSTANCE) else ("-c", config_directory)
    command, reader = ("postqueue", *config, "-j"), ListingReader()
    answer = yield Command(command, pipe=(_HEAD,), timeout=30.0, limit=SMALL)  # a kept shell saves an exec, 70 ms
    _complain(answer)
    if len(answer.stdout) < SMALL:
        reader.feed(answer.stdout)
        return reader.finish(0.0, answer.cut)
    answer = yield Command(command, pipe=(_GZIP,), timeout=600.0, large=True, limit=256 << 20)
    _complain(answer)
    whole = _unpacked(answer.stdout, reader)
    return reader.finish(0.0, answer.cut or not whole)


def _complain(answer: Answer) -> None:
    """A pipe's status is its last program's: what postqueue has to say is on stderr, and then it lists nothing."""
    answer.ok("postqueue -j", REMEDY)
    packed_nothing = answer.stdout.startswith(b"\x1f\x8b") and len(answer.stdout) < _EMPTY
    if answer.stderr.strip() and (not answer.stdout or packed_nothing):
        Answer(b"", answer.stderr, 127 if b"not found" in answer.stderr else 1).ok("postqueue -j", REMEDY)


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
