"""Postfix's log: a chunk of whole lines in, a Batch out.

What it costs decides what mailtop may watch, so: bytes throughout; the chunk is split once; lines go into boxes by
program tag (known tags cost one look-up); then each box is read in one tight loop, in the order of a queue id's life.
No container is kept per line: the collector of cycles would walk through them all.
"""

from __future__ import annotations

from collections.abc import Callable
from operator import itemgetter
from typing import TypeVar, cast

from mailtop.parse import postfix_delivery, postfix_rare
from mailtop.parse.batch import Batch, Delivery, Master
from mailtop.parse.postfix_rare import LEVELS, NO_IDS
from mailtop.parse.postfix_tag import Box, Sorter
from mailtop.parse.stamp import Stamps

_SAMPLES = 3
_BY_TIME = itemgetter(0)
_MASTER = (
    (b"daemon started", "started"),
    (b"terminating on signal", "stopped"),
    (b"stopping the Postfix", "stopped"),
    (b"reload -- version", "reloaded"),
)
_Row = TypeVar("_Row")


class PostfixLog:
    """Reads one log, chunk by chunk; remembers nothing of it but tags and the last stamp.

    One per followed log and thread. Raises nothing, whatever the bytes are.
    """

    def __init__(self, stamps: Stamps) -> None:
        self.stamps = stamps
        self._sorter = Sorter()

    def read(self, lines: bytes) -> Batch:
        """Read whole lines, at best about 256 KiB of them."""
        batch, sorter = Batch(), self._sorter
        batch.lines, batch.foreign = self._sort(lines)
        for kind, read in (
            ("smtpd", self._smtpd),
            ("pickup", self._pickup),
            ("cleanup", self._cleanup),
            ("qmgr", self._qmgr),
            ("delivery", self._delivery),
            ("bounce", self._bounce),
            ("postsuper", self._postsuper),
            ("postscreen", self._postscreen),
            ("master", self._master),
            ("other", self._warnings),
        ):
            for box in sorter.of(kind):
                read(box, batch)
        batch.deliveries.sort(key=_BY_TIME)  # boxes are in order each, not among themselves
        sorter.clear()
        return batch

    def _sort(self, lines: bytes) -> tuple[int, int]:
        """Put the lines into the boxes; return how many there are, and how many are not Postfix's."""
        every = lines.split(b"\n")
        if not every[-1]:
            every.pop()
        strays = self._sort_rfc3339(every) if lines[:1].isdigit() else every
        if strays:
            strays = self._sort_mixed(strays)
        if strays:  # perhaps behind a carrier's stamp, as `docker logs -t` writes them
            carried = [line.partition(b" ")[2] for line in strays if line[:4].isdigit()]
            self._sort_mixed(carried)
        return len(every), len(every) - self._sorter.held()

    def _sort_rfc3339(self, lines: list[bytes]) -> list[bytes]:
        """Put lines with RFC 3339 stamps into the boxes; return those that have no tag where a tag should be."""
        sorter = self._sorter
        strays: list[bytes] = []
        pending = iter(lines)
        line = b""
        while True:  # a `try` around the loop costs nothing a line
            try:
                for line in pending:
                    stamp, _, tag, text = line.split(b" ", 3)
                    add_stamp, add_text = sorter[tag]
                    add_stamp(stamp)
                    add_text(text)
                return strays
            except ValueError:
                strays.append(line)

    def _sort_mixed(self, lines: list[bytes]) -> list[bytes]:
        """Do the same for lines of which each may have either stamp."""
        sorter = self._sorter
        strays: list[bytes] = []
        pending = iter(lines)
        line = b""
        while True:
            try:
                for line in pending:
                    if line[:1].isdigit():
                        stamp, _, tag, text = line.split(b" ", 3)
                    else:
                        _, _, tag, text = line[14:].split(b" ", 3)
                        stamp = line[:15]
                    add_stamp, add_text = sorter[tag]
                    add_stamp(stamp)
                    add_text(text)
                return strays
            except ValueError:
                strays.append(line)

    def _smtpd(self, box: Box, batch: Batch) -> None:
        connects = disconnects = tls = 0
        found: list[bytes] = []
        stamps: list[bytes] = []
        rest: list[int] = []
        for row, text in enumerate(box.texts):
            start = text[:9]
            if start == b"connect f":
                connects += 1
            elif start == b"disconnec":
                disconnects += 1
            elif b": client=" in text[:42]:
                found.append(text)
                stamps.append(box.stamps[row])
            elif b" TLS connection established from " in text[:60]:
                tls += 1
            else:
                rest.append(row)
        batch.connects += connects
        batch.disconnects += disconnects
        batch.tls += tls
        add, program = batch.clients.append, box.program
        for at, text in zip(self._times(stamps, batch), found, strict=True):
            id_, _, client = text.partition(b": client=")
            if not id_.isalnum() or id_ in NO_IDS:
                continue
            if b", " in client:
                client, user, original = _attributes(client)
                add((at, id_, client, user, original, program))
            else:
                add((at, id_, client, b"", b"", program))
        if rest:
            self._rest(box, rest, batch)

    def _cleanup(self, box: Box, batch: Batch) -> None:
        add = batch.messages.append
        rest: list[int] = []
        row = -1
        for at, text in zip(self._times(box.stamps, batch), box.texts, strict=True):
            row += 1
            id_, mark, message = text.partition(b": message-id=")
            if mark and id_.isalnum():
                add((at, id_, message[1:-1] if message[:1] == b"<" and message[-1:] == b">" else message))
            else:
                rest.append(row)
        if rest:
            self._rest(box, rest, batch)

    def _qmgr(self, box: Box, batch: Batch) -> None:
        removed, active = batch.removed.append, batch.active.append
        rest: list[int] = []
        row = -1
        for at, text in zip(self._times(box.stamps, batch), box.texts, strict=True):
            row += 1
            if text[-9:] == b": removed":
                id_ = text[:-9]
                if id_.isalnum():
                    removed((at, id_))
                    continue
            id_, _, tail = text.partition(b": from=<")
            sender, sized, tail = tail.rpartition(b">, size=")
            size, counted, count = tail.partition(b", nrcpt=")
            count = count.partition(b" ")[0]
            if counted and sized and id_.isalnum() and size.isdigit() and count.isdigit():
                active((at, id_, sender, int(size), int(count)))
            else:
                rest.append(row)
        if rest:
            self._rest(box, rest, batch)

    def _delivery(self, box: Box, batch: Batch) -> None:
        program, plain = box.program, postfix_delivery.PLAIN
        add = batch.deliveries.append
        slow: list[int] = []
        row = -1
        for at, text in zip(self._times(box.stamps, batch), box.texts, strict=True):
            row += 1
            found = plain(text)
            if found is not None:
                id_, to, relay, delay, delays, dsn, status, reason = found.groups()
                if b", status=" not in reason:  # else it may read two ways
                    add((at, id_, to, b"", relay, delay, delays, dsn, status, reason, program))
                    continue
            slow.append(row)
        if slow:
            self._careful(box, slow, batch)

    def _careful(self, box: Box, rows: list[int], batch: Batch) -> None:
        """Read deliveries with further fields, or that may read two ways, and what else the agents say."""
        rest: list[int] = []
        for at, row in zip(self._times([box.stamps[row] for row in rows], batch), rows, strict=True):
            text = box.texts[row]
            if not postfix_delivery.STARTS(text):
                rest.append(row)
            elif fields := postfix_delivery.careful(text):
                batch.deliveries.append(cast(Delivery, (at, *fields, box.program)))
            elif postfix_delivery.PROBE(text):
                batch.probes += 1
            else:
                _unreadable(box, row, batch)
        if rest:
            self._warnings(box, batch, rest)

    def _rest(self, box: Box, rows: list[int], batch: Batch) -> None:
        """Read what smtpd, cleanup, qmgr and postscreen say less often."""
        for at, row in zip(self._times([box.stamps[row] for row in rows], batch), rows, strict=True):
            text = box.texts[row]
            if text.startswith(LEVELS):
                self._warning(at, box.program, text, batch)
            elif refusal := postfix_rare.reject(at, box.program, text):
                batch.rejects.append(refusal)
            elif gone := postfix_rare.expired(at, text):
                batch.expired.append(gone)
            elif _names_id(text) and not postfix_rare.is_other(box.kind, text):
                _unreadable(box, row, batch)

    def _postscreen(self, box: Box, batch: Batch) -> None:
        self._rest(box, [row for row, text in enumerate(box.texts) if text[:8] in (b"NOQUEUE:", b"warning:")], batch)

    def _pickup(self, box: Box, batch: Batch) -> None:
        self._each(box, postfix_rare.pickup, batch.pickups, batch)

    def _bounce(self, box: Box, batch: Batch) -> None:
        self._each(box, postfix_rare.notice, batch.notices, batch)

    def _postsuper(self, box: Box, batch: Batch) -> None:
        self._each(box, postfix_rare.handled, batch.handled, batch)
        batch.deleted += sum(map(postfix_rare.deleted, box.texts))

    def _each(self, box: Box, read: Callable[[float, bytes], _Row | None], found: list[_Row], batch: Batch) -> None:
        rest: list[int] = []
        for row, at in enumerate(self._times(box.stamps, batch)):
            item = read(at, box.texts[row])
            if item is not None:
                found.append(item)
            elif _names_id(box.texts[row]):
                _unreadable(box, row, batch)
            else:
                rest.append(row)
        if rest:
            self._warnings(box, batch, rest)

    def _master(self, box: Box, batch: Batch) -> None:
        for at, text in zip(self._times(box.stamps, batch), box.texts, strict=True):
            batch.masters += [Master(at, what, text) for words, what in _MASTER if text.startswith(words)]
        self._warnings(box, batch)

    def _warnings(self, box: Box, batch: Batch, rows: list[int] | None = None) -> None:
        rows = [row for row in rows or range(len(box.texts)) if box.texts[row].startswith(LEVELS)]
        for at, row in zip(self._times([box.stamps[row] for row in rows], batch), rows, strict=True):
            self._warning(at, box.program, box.texts[row], batch)

    def _warning(self, at: float, program: bytes, text: bytes, batch: Batch) -> None:
        if gone := postfix_rare.vanished(at, text):
            batch.handled.append(gone)
        elif failure := postfix_rare.sasl_failure(at, text):
            batch.sasl_failures.append(failure)
        elif alarm := postfix_rare.alarm(at, program, text):
            batch.alarms.append(alarm)

    def _times(self, stamps: list[bytes], batch: Batch) -> list[float]:
        times = self.stamps.column(stamps)
        if times and times[-1] > batch.last:
            batch.last = times[-1]
        return times


def _attributes(client: bytes) -> tuple[bytes, bytes, bytes]:
    """Split `name[address], sasl_method=, sasl_username=, sasl_sender=, orig_queue_id=, orig_client=`."""
    name, *pairs = client.split(b", ")
    user = original = b""
    for pair in pairs:
        key, _, text = pair.partition(b"=")
        if key == b"sasl_username":
            user = text[1:-1] if text[:1] == b"<" and text[-1:] == b">" else text
        elif key == b"orig_queue_id":
            original = text
    return name, user, original


def _names_id(text: bytes) -> bool:
    id_, mark, _ = text.partition(b": ")
    return bool(mark) and 6 <= len(id_) <= 32 and id_.isalnum() and id_ not in NO_IDS


def _unreadable(box: Box, row: int, batch: Batch) -> None:
    batch.unreadable += 1
    if len(batch.samples) < _SAMPLES:
        batch.samples.append(b"%s %s: %s" % (box.stamps[row], box.program, box.texts[row]))
