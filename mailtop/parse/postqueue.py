"""Postfix's queue as `postqueue -j` lists it.

Source: postqueue(1), JSON OBJECT FORMAT; showq(8). One JSON object a line, not an array. `forced_expire` from 3.5,
`orig_address` and `bounce_reason` from 3.11. The queue moves while it is listed: a message may appear twice.
"""

from __future__ import annotations

import json
import re
from array import array
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import compress
from typing import Annotated, NamedTuple

import msgspec
from msgspec import Meta, Struct

from mailtop.model.errors import ParseError
from mailtop.model.mail import Key, Queue, QueueEntry, QueueId
from mailtop.model.text import Foreign
from mailtop.model.topology import Hop
from mailtop.parse.columns import Interned, Table, Texts, encoded, kept
from mailtop.parse.listed_reasons import Reasons

QUEUES = tuple(Queue)
"""Queue codes in a listing's cells are indexes into this."""

NAMED = 8
"""Recipients of one message that are kept by name; all are counted."""

OTHER_DOMAINS = b"(other domains)"
"""Stands for all recipient domains past the first 65,536 of a listing; their recipients still name them."""

_LARGE = 0xFFFFFFFF  # bytes of a message; the largest that four bytes can tell
_SENDERS = 65_536
_DOMAINS = 65_536
_RECIPIENT_BYTES = 48 << 20  # beyond this only the first recipient of a message is kept by name
_NULL_SENDER = "MAILER-DAEMON"  # in JSON too, seen from 3.7.11 and 3.10.13; an address always has its @
_IDS = re.compile(rb"[0-9A-Za-z]{6,32}(?:\n[0-9A-Za-z]{6,32})*")
_CODES = {queue.value: code for code, queue in enumerate(QUEUES)}


class _Recipient(Struct, gc=False):
    address: str
    delay_reason: str = ""
    bounce_reason: str = ""
    other_reason: str = ""


class _Message(Struct, gc=False):
    queue_name: str
    queue_id: str
    arrival_time: Annotated[int, Meta(ge=0, le=0xFFFFFFFF)]
    message_size: Annotated[int, Meta(ge=0, le=0xFFFFFFFFFFFF)]
    sender: str = ""
    recipients: list[_Recipient] = []


_message = msgspec.json.Decoder(_Message)  # here, once: two threads that look at a Struct first crash msgspec


class Cell(NamedTuple):
    """What many messages share: queue code, index of the reason, index of the recipient's domain."""

    queue: int
    reason: int
    domain: int


@dataclass(frozen=True, slots=True, eq=False)
class Listing:
    """A queue at one moment, in columns; row numbers are its own. Nobody writes to it once it is read.

    `at`: when it was taken, `arrival`: seconds since the epoch, `size`: bytes. `recipients` holds the waiting
    recipient first and up to `NAMED` in all, NUL between them; `partial` counts messages with more. `cells` are the
    distinct (queue, reason, domain), `cell` each row's. `unreadable` lines were counted, not guessed at; `cut` says
    that the answer ended before the listing did.
    """

    at: float
    ids: Texts
    recipients: Texts
    arrival: array[int]
    size: array[int]
    sender: array[int]
    count: array[int]
    cell: array[int]
    cells: tuple[Cell, ...]
    senders: Table
    reasons: Table
    domains: Table
    counts: Mapping[Queue, int]
    bytes: int
    unreadable: int = 0
    twice: int = 0
    partial: int = 0
    cut: bool = False

    def __len__(self) -> int:
        return len(self.arrival)

    @property
    def whole(self) -> bool:
        """Does it hold the whole queue? If not, a message that it lacks may be there all the same."""
        return not self.cut and not self.unreadable

    def entry(self, row: int, target: str, hop: Hop | None = None) -> QueueEntry:
        """Return one row as a noun."""
        cell = self.cells[self.cell[row]]
        return QueueEntry(
            key=Key(target, QueueId(self.ids[row].decode("ascii"))),
            queue=QUEUES[cell.queue],
            arrival=float(self.arrival[row]),
            size=self.size[row],
            sender=Foreign(self.senders[self.sender[row]]),
            recipient=Foreign(self.recipients[row].partition(b"\0")[0]),
            recipients=self.count[row],
            reason=Foreign(self.reasons[cell.reason]),
            hop=hop,
        )

    def oldest(self, queue: Queue) -> float | None:
        """Return the arrival of the oldest message in a queue, None where it is empty."""
        code = QUEUES.index(queue)
        of = bytes(cell.queue == code for cell in self.cells)
        return min(compress(self.arrival, map(of.__getitem__, self.cell)), default=None)


class _Cells(dict[tuple[int, int, int], int]):
    def __missing__(self, cell: tuple[int, int, int]) -> int:
        index = self[cell] = len(self)
        return index


class ListingReader:
    """Reads `postqueue -j` from pieces of any size, straight into columns.

    >>> reader = ListingReader()
    >>> reader.feed(b'{"queue_name":"hold","queue_id":"E9D0B208259","arrival_time":1795487763,')
    >>> reader.feed(b'"message_size":887,"sender":"","recipients":[]}')
    >>> reader.finish(1795487800.0).counts[Queue.HOLD]
    1
    """

    def __init__(self) -> None:
        self._decoder = _message
        self._rest = b""
        self._ids = Texts()
        self._recipients = Texts()
        self._arrival = array("I")
        self._size = array("I")  # until one message is larger than 4 GiB
        self._sender = array("I")
        self._count = array("I")
        self._cell = array("I")
        self._senders = Interned(_SENDERS)
        self._domains = Interned(_DOMAINS, OTHER_DOMAINS)
        self._reasons = Reasons()
        self._cells = _Cells()
        self._named = 0
        self._partial = 0
        self.unreadable = 0

    def __len__(self) -> int:
        """How many messages were read so far: the progress of a listing."""
        return len(self._arrival)

    def feed(self, octets: bytes) -> None:
        """Take the next piece."""
        end = octets.rfind(b"\n") + 1
        if not end:
            self._rest += octets
            return
        self._lines(self._rest + octets[:end])
        self._rest = octets[end:]

    def finish(self, at: float, cut: bool = False) -> Listing:
        """Return the listing. `at`: when it was taken; `cut`: the answer was longer than its limit.

        Raises ParseError where lines came and not one is readable: that is no empty queue.
        """
        if self._rest.strip():
            self._lines(self._rest)  # a last line without a newline counts if it is whole
            self._rest = b""
        if self.unreadable and not len(self):
            raise ParseError("postqueue -j", f"not a listing: none of {self.unreadable} lines is readable")
        cells = tuple(Cell(*cell) for cell in self._cells)
        self._cells.clear()
        self._reasons.clear()
        senders, domains, reasons = self._senders.table(), self._domains.table(), Table(self._reasons.texts)
        keep = _last_of_each(self._ids)
        twice = 0 if keep is None else keep.count(0)
        if keep is not None:
            self._ids, self._recipients = self._ids.kept(keep), self._recipients.kept(keep)
            self._arrival, self._size = kept(self._arrival, keep), kept(self._size, keep)
            self._sender, self._count = kept(self._sender, keep), kept(self._count, keep)
            self._cell = kept(self._cell, keep)
        counts = dict.fromkeys(QUEUES, 0)
        for index, count in Counter(self._cell).items():
            counts[QUEUES[cells[index].queue]] += count
        return Listing(
            at=at,
            ids=self._ids,
            recipients=self._recipients,
            arrival=self._arrival,
            size=self._size,
            sender=self._sender,
            count=self._count,
            cell=self._cell,
            cells=cells,
            senders=senders,
            reasons=reasons,
            domains=domains,
            counts=counts,
            bytes=sum(self._size),
            unreadable=self.unreadable,
            twice=twice,
            partial=self._partial,
            cut=cut,
        )

    def _lines(self, lines: bytes) -> None:
        try:
            messages = self._decoder.decode_lines(lines)
            self._take(messages)
        except (msgspec.DecodeError, UnicodeDecodeError, ParseError):
            self._take(list(self._one_by_one(lines)))

    def _one_by_one(self, lines: bytes) -> Iterator[_Message]:
        for line in lines.split(b"\n"):
            if not line.strip():
                continue
            try:
                message = self._decoder.decode(line)
            except (msgspec.DecodeError, UnicodeDecodeError):
                found = _not_utf8(line)
                if found is None:
                    self.unreadable += 1
                    continue
                message = found
            if _IDS.fullmatch(encoded(message.queue_id)) and message.queue_name in _CODES:
                yield message
            else:
                self.unreadable += 1

    def _take(self, messages: list[_Message]) -> None:
        """Add rows, all or, with ParseError, none."""
        if not messages:
            return
        ids = [message.queue_id for message in messages]
        queues = [_CODES.get(message.queue_name, -1) for message in messages]
        if not _IDS.fullmatch(encoded("\n".join(ids))) or -1 in queues:
            raise ParseError("postqueue -j", "a queue id or a queue's name is none")
        recipients, domains, reasons = self._waiting(messages)
        self._ids.extend(ids)
        self._recipients.extend(recipients)
        self._arrival.extend([message.arrival_time for message in messages])
        sizes = [message.message_size for message in messages]
        if self._size.typecode == "I" and max(sizes) > _LARGE:
            self._size = array("Q", self._size)
        self._size.extend(sizes)
        self._count.extend([len(message.recipients) for message in messages])
        senders = ["" if message.sender == _NULL_SENDER else message.sender for message in messages]
        self._sender.extend(map(self._senders.__getitem__, senders))
        cells = zip(queues, map(self._reasons.__getitem__, reasons), domains, strict=True)
        self._cell.extend(map(self._cells.__getitem__, cells))

    def _waiting(self, messages: list[_Message]) -> tuple[list[str], list[int], list[str]]:
        """Return of each message its recipients by name, the index of its domain, and its reason.

        The first recipient with a reason stands for the message: whoever waits is what the operator asks about.
        """
        names: list[str] = []
        domains: list[int] = []
        reasons: list[str] = []
        for message in messages:
            address = reason = ""
            for recipient in message.recipients:
                reason = recipient.delay_reason or recipient.bounce_reason or recipient.other_reason
                if reason:
                    address = recipient.address
                    break
            else:
                if message.recipients:
                    address = message.recipients[0].address
            reasons.append(reason)
            domain = address.rpartition("@")
            domains.append(self._domains[domain[2].lower() if domain[1] else ""])
            names.append(address if len(message.recipients) < 2 else self._names(address, message.recipients))
        return names, domains, reasons

    def _names(self, first: str, recipients: list[_Recipient]) -> str:
        if len(recipients) > NAMED or self._named > _RECIPIENT_BYTES:
            self._partial += 1
        if self._named > _RECIPIENT_BYTES:
            return first
        rest = [recipient.address for recipient in recipients if recipient.address != first][: NAMED - 1]
        names = "\0".join([first, *rest])
        self._named += len(names)
        return names


def _not_utf8(line: bytes) -> _Message | None:
    """Read a line with bytes that are not UTF-8, which JSON forbids and a stranger's address may hold."""
    try:
        return msgspec.convert(json.loads(line.decode("utf-8", "surrogateescape")), _Message)
    except (ValueError, RecursionError):  # msgspec's ValidationError is a ValueError too
        return None


def _last_of_each(ids: Texts) -> bytes | None:
    """Return a mask of the last row of each id, or None where no id is there twice.

    A set of a million ids would cost as much memory as the whole listing. A byte for each of some hash values finds
    the few ids that may be there twice, and only those are compared.
    """
    slots = 1 << max(8, (8 * len(ids)).bit_length())
    seen = bytearray(slots)
    suspects: set[bytes] = set()
    for text in ids:
        slot = hash(text) & (slots - 1)
        if seen[slot]:
            suspects.add(text)
        else:
            seen[slot] = 1
    del seen
    if not suspects:
        return None
    last: dict[bytes, int] = {}
    keep: bytearray | None = None
    for row, text in enumerate(ids):
        if text in suspects:
            if text in last:
                keep = keep or bytearray(b"\1") * len(ids)
                keep[last[text]] = 0
            last[text] = row
    return None if keep is None else bytes(keep)
