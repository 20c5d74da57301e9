"""The frame around a command's answer on a shell's stdout or stderr: a mark, the octets, a mark with the exit status.

    MARK+⏎ octets ⏎MARK=STATUS⏎

The newline before the second mark is the frame's own, so an answer need not end with one, and may be any octets.
Octets are kept, or handed to a sink as soon as they are known not to be the mark's beginning.
"""

from __future__ import annotations

from mailtop.model.ask import Sink
from mailtop.model.errors import Garbled
from mailtop.model.text import Foreign

_LAST_WORDS = 300  # octets of what came before the mark that are kept for an error message


class Framed:
    """One stream between two marks. `limit`: octets that are kept, or handed to `sink`, which then keeps none here;
    `junk`: octets that may come before the mark."""

    def __init__(self, mark: str, limit: int, junk: int = 0, sink: Sink | None = None) -> None:
        self._first = mark.encode() + b"+\n"
        self._last = b"\n" + mark.encode() + b"="
        self._limit = limit
        self._junk = junk
        self._sink = sink
        self._octets = bytearray()
        self._seen = 0  # octets that were searched for the last mark, or that came before the first
        self.begun = False
        self.ended = False
        self.cut = False
        self.status = 0

    def feed(self, octets: bytes) -> None:
        """Take the next piece; raises Garbled where it breaks the frame."""
        if not octets:
            return
        if self.ended:
            raise Garbled("shell", "more came after the answer's end")
        self._octets += octets
        if not self.begun:
            self._begin()
        if self.begun:
            self._end()

    def octets(self) -> bytes:
        """What came between the marks so far, at most `limit` octets."""
        return bytes(self._octets[: self._limit]) if self.begun else b""

    def last_words(self) -> Foreign:
        """The last line that came before the mark, if any: why a login shell ended instead of obeying."""
        line = b"" if self.begun else bytes(self._octets).strip().rpartition(b"\n")[2]
        return Foreign(b"" if self._first.startswith(line) else line)

    def _begin(self) -> None:
        at = self._octets.find(self._first)
        before = self._seen + (at if at >= 0 else max(0, len(self._octets) - len(self._first)))
        if before > self._junk or (self._junk == 0 and not self._first.startswith(self._octets[: len(self._first)])):
            remedy = "make the login's start-up files silent where there is no terminal" if self._junk else ""
            raise Garbled("shell", f"{before or 1} bytes or more came before the answer", remedy)
        if at >= 0:
            del self._octets[: at + len(self._first)]
            self._seen = 0
            self.begun = True
        elif (surplus := len(self._octets) - _LAST_WORDS) > 0:
            del self._octets[:surplus]
            self._seen += surplus

    def _end(self) -> None:
        at = self._octets.find(self._last, self._seen)
        self._seen = max(0, len(self._octets) - len(self._last)) if at < 0 else at
        if (at if at >= 0 else self._seen) > self._limit:
            self.cut = True
            self._hand(self._limit)
            return
        if at < 0:
            self._hand(self._seen)
        stop = self._octets.find(b"\n", at + len(self._last)) if at >= 0 else -1
        if stop < 0:
            return
        status = bytes(self._octets[at + len(self._last) : stop])
        if stop + 1 != len(self._octets) or not (status.isdigit() or not status):
            raise Garbled("shell", "the answer's end is followed by something else")
        self.status = int(status or b"0")
        del self._octets[at:]
        self._hand(at)
        self.ended = True

    def _hand(self, size: int) -> None:
        """Hand so many octets on, where somebody takes them."""
        if self._sink is not None and size:
            octets = bytes(memoryview(self._octets)[:size])
            del self._octets[:size]
            self._seen -= min(self._seen, size)
            self._limit -= size
            self._sink(octets)
