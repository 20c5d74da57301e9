"""Asking for the whole queue, so that neither the wire nor our memory feels it.

`postqueue -j` prints about 400 bytes a message: a million are 400 MB. What is longer than a few thousand messages is
compressed on the host, to about a tenth, and unpacked and read here as it comes: nobody holds it whole.
"""

from __future__ import annotations

import re
import zlib
from typing import TYPE_CHECKING

from mailtop.model.ask import Answer, Asking, Command
from mailtop.model.errors import Garbled
from mailtop.parse.postfix_instance import instance_words

if TYPE_CHECKING:
    from mailtop.parse.postqueue import Listing, ListingReader

SMALL = 2_000_000
"""Bytes that are taken as they are printed: some 5,000 messages."""

REMEDY = "add the user to group postdrop, or allow it in authorized_mailq_users"

_HEAD, _GZIP = ("head", "-c", str(SMALL)), ("gzip", "-1", "-c")
_PIECE = 1 << 19  # bytes that are unpacked at a time: as long as reading them takes, others wait for the interpreter
_FATAL = re.compile(rb": (?:fatal|panic|error): |not found|Terminated|Killed")
_EMPTY = 64  # bytes: gzip's idea of nothing is shorter


def listed(config_directory: str = "") -> Asking[Listing]:
    """List the queue of one instance (empty: the default one). Its time is for whoever asked to put on it."""
    from mailtop.parse.postqueue import ListingReader  # 13 ms, which a face that only names acts does not have

    command, reader = ("postqueue", *instance_words(config_directory), "-j"), ListingReader()
    ask = Command(command, pipe=(_HEAD,), timeout=30.0, limit=SMALL)  # a kept shell saves an exec, 70 ms
    answer = yield ask
    _complain(answer, len(answer.stdout))
    if len(answer.stdout) < SMALL:
        reader.feed(answer.stdout)
        return reader.finish(0.0, answer.cut or answer.took >= ask.timeout)
    unpacked = _Unpacked(reader)
    ask = Command(command, pipe=(_GZIP,), timeout=600.0, large=True, limit=256 << 20, sink=unpacked.take)
    answer = yield ask
    _complain(answer, unpacked.came)
    # A pipe whose first program was ended by its deadline ends well.
    return reader.finish(0.0, answer.cut or not unpacked.whole or answer.took >= ask.timeout)


def _complain(answer: Answer, came: int) -> None:
    """A pipe's status is its last program's: what postqueue has to say is on stderr, and then it has not listed all.

    A warning (`main.cf: overriding earlier entry`) is no complaint, and neither is that `head` has had enough.
    """
    answer.ok("postqueue -j", REMEDY)
    said = [line for line in answer.stderr.splitlines() if line.strip() and b": warning: " not in line]
    if came >= _EMPTY:
        said = [line for line in said if _FATAL.search(line) and not (came >= SMALL and b"Broken pipe" in line)]
    if said:
        Answer(b"", b"\n".join(said), 127 if b"not found" in said[-1] else 1).ok("postqueue -j", REMEDY)


class _Unpacked:
    """Unpacks what gzip wrote on the host, and feeds a reader with it. `came`: packed bytes so far."""

    def __init__(self, reader: ListingReader) -> None:
        self._gzip = zlib.decompressobj(wbits=31)
        self._reader = reader
        self.came = 0

    @property
    def whole(self) -> bool:
        """Did gzip say that this was all? An answer that broke off never does."""
        return self._gzip.eof

    def take(self, octets: bytes) -> None:
        """Take the next piece; raises Garbled where it is not gzip's."""
        self.came += len(octets)
        try:
            while octets:
                self._reader.feed(self._gzip.decompress(octets, _PIECE))
                octets = self._gzip.unconsumed_tail
        except zlib.error as error:
            raise Garbled("postqueue -j", "what came is not what gzip wrote") from error
