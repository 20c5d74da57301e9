"""The whole queue, as `postqueue -j` lists it.

It costs the host a file read for each message, by one single-threaded showq: 45 to 65 µs of CPU with all in the page
cache, many times that from a cold disk. So it says what it cost, and the budget decides when it runs again; the
operator may ask for one at any time. A queue of more than a few thousand messages is compressed on the host: a
million are 400 MB as they are printed, and a tenth of that on the wire and in our memory.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterable

from mailtop.model.ask import Answer, Asking, Command
from mailtop.model.errors import Garbled
from mailtop.model.topology import Role, Target
from mailtop.parse.postqueue import Listing, ListingReader
from mailtop.probe import Found, Needs, Probe

COST = 60e-6
"""Seconds of host CPU a message."""

SMALL = 2_000_000
"""Bytes that are printed as they are: some 5,000 messages."""

REMEDY = "add the user to group postdrop, or allow it in authorized_mailq_users"

_LIST = ("postqueue", "-j")
_SOME = Command(_LIST, pipe=(("head", "-c", str(SMALL)),), timeout=60.0, large=True, limit=SMALL)
_ALL = Command(_LIST, pipe=(("gzip", "-1", "-c"),), timeout=600.0, large=True, limit=256 << 20)
_PIECE = 1 << 18


def run(target: Target) -> Asking[Iterable[Found]]:  # noqa: ARG001 — the same question to all
    """List what is printed in a moment; else all of it, compressed. The engine puts the time on the listing."""
    reader = ListingReader()
    answer = yield _SOME
    _complain(answer)
    if len(answer.stdout) < SMALL:
        reader.feed(answer.stdout)
        return (reader.finish(0.0, answer.cut),)
    answer = yield _ALL
    _complain(answer)
    whole = _unpacked(answer.stdout, reader)
    return (reader.finish(0.0, answer.cut or not whole),)


def _complain(answer: Answer) -> None:
    """A pipe's status is its last program's: what postqueue has to say is on stderr, and then it lists nothing."""
    answer.ok("postqueue -j", REMEDY)
    if answer.stderr.strip() and (
        not answer.stdout or (answer.stdout.startswith(b"\x1f\x8b") and len(answer.stdout) < 64)
    ):
        missing = b"not found" in answer.stderr
        Answer(b"", answer.stderr, 127 if missing else 1).ok("postqueue -j", REMEDY)


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


def cost(found: tuple[Found, ...], took: float) -> float:  # noqa: ARG001 — most of the time is the wire's
    """What the listing cost, from its length."""
    return 0.02 + COST * sum(len(one) for one in found if isinstance(one, Listing))


PROBE = Probe("postfix_listing", Role.MTA, run, every=10.0, needs=Needs(binary=("postqueue",)), cost=cost)
