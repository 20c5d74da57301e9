"""Postfix's log: a chunk of whole lines in, a Batch out.

What it costs decides what mailtop may watch, so: bytes throughout; the chunk is split once; lines go into boxes by
program tag (known tags cost one look-up); then each box is read in one tight loop, in the order of a queue id's life.
No container is kept per line: the collector of cycles would walk through them all.
"""

from __future__ import annotations

import re
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
_TLS = frozenset((b"Anonymous", b"Untrusted", b"Trusted T", b"Verified "))  # … TLS connection established from
_POSTSCREEN = frozenset((b"NOQUEUE:", b"warning:"))
_LEVEL = re.compile(rb"\A(.{15} \S+ )[a-z0-9]{3,8}\.[a-z]{3,7} ")
_COMMA, _QUOTE = b',"'  # `in` finds a number in bytes five times as fast as it finds bytes
_Row = TypeVar("_Row")
Line = tuple[bytes, bytes]
"""A stamp and a text."""


class PostfixLog:
    """Reads one log, chunk by chunk; remembers nothing of it but tags and the last stamp.

    One per followed log and thread. Raises nothing, whatever the bytes are. `writes`: see `Sorter`.
    """

    def __init__(self, stamps: Stamps, writes: Callable[[bytes], bool] | None = None) -> None:
        self.stamps = stamps
        self._sorter = Sorter(writes)

    def read(self, lines: bytes) -> Batch:
        """Read whole lines, at best about 256 KiB of them."""
        batch, sorter = Batch(), self._sorter
        self.stamps.newest = 0.0
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
        batch.last = self.stamps.newest
        sorter.clear()
        return batch

    def _sort(self, lines: bytes) -> tuple[int, int]:
        """Put the lines into the boxes; return how many there are, and how many are not Postfix's."""
        every = lines.split(b"\n")
        if not every[-1]:
            every.pop()
        strays = self._box(every)
        if strays:  # perhaps with words of a carrier's
            self._box([plain for line in strays if (plain := _plain(line)) != line])
        return len(every), len(every) - self._sorter.held()

    def _box(self, lines: list[bytes]) -> list[bytes]:
        """Put lines into the boxes, each with either stamp; return those that have no tag where a tag should be."""
        sorter = self._sorter
        strays: list[bytes] = []
        pending = iter(lines)
        line = b""
        while True:  # a `try` around the loop costs nothing a line
            try:
                for line in pending:
                    if line < b":":  # it begins with a digit: RFC 3339
                        stamp, _, tag, text = line.split(b" ", 3)
                    else:  # traditional
                        _, tag, text = line[16:].split(b" ", 2)
                        stamp = line[:15]
                    box = sorter[tag]
                    if box is not None:
                        box.stamps.append(stamp)  # written out: the interpreter knows a list's own append
                        box.texts.append(text)
                return strays
            except ValueError:
                strays.append(line)

    def _smtpd(self, box: Box, batch: Batch) -> None:
        at, second = 0.0, b""
        connects = disconnects = tls = 0
        mailed: list[bytes] = []
        clients, program, time = batch.clients, box.program, self.stamps.second
        rest: list[Line] = []
        for stamp, text in zip(box.stamps, box.texts, strict=True):
            start = text[:9]
            if start == b"connect f":
                connects += 1
            elif start == b"disconnec":
                disconnects += 1
                if text.find(b" mail=", 30) > 0:
                    mailed.append(text)
            elif start in _TLS:
                tls += 1
            else:
                id_, mark, client = text.partition(b": client=")
                if not mark or not id_.isalnum():
                    rest.append((stamp, text))
                elif id_ not in NO_IDS:
                    if stamp[:19] != second:
                        second, at = stamp[:19], time(stamp)
                    if _COMMA in client:
                        client, user, original = _attributes(client)
                        clients.append((at, id_, client, user, original, program))
                    else:
                        clients.append((at, id_, client, b"", b"", program))
        batch.connects += connects
        batch.disconnects += disconnects
        batch.tls += tls
        if mailed:
            batch.sessions.append(postfix_rare.sessions(program, mailed))
        self._rest(box, rest, batch)

    def _cleanup(self, box: Box, batch: Batch) -> None:
        at, second = 0.0, b""
        messages, time = batch.messages, self.stamps.second
        rest: list[Line] = []
        for stamp, text in zip(box.stamps, box.texts, strict=True):
            id_, mark, message = text.partition(b": message-id=")
            if mark and id_.isalnum():
                if stamp[:19] != second:
                    second, at = stamp[:19], time(stamp)
                messages.append((at, id_, message[1:-1] if message[:1] == b"<" and message[-1:] == b">" else message))
            else:
                rest.append((stamp, text))
        self._rest(box, rest, batch)

    def _qmgr(self, box: Box, batch: Batch) -> None:
        at, second = 0.0, b""
        removed, active, time = batch.removed, batch.active, self.stamps.second
        rest: list[Line] = []
        for stamp, text in zip(box.stamps, box.texts, strict=True):
            if stamp[:19] != second:
                second, at = stamp[:19], time(stamp)
            id_, _, said = text.partition(b": ")
            if said == b"removed" and id_.isalnum():
                removed.append((at, id_))
                continue
            sender, _, tail = said.rpartition(b">, size=")
            size, counted, tail = tail.partition(b", nrcpt=")
            count = tail.partition(b" ")[0]
            if counted and sender[:6] == b"from=<" and size.isdigit() and count.isdigit() and id_.isalnum():
                active.append((at, id_, sender[6:], int(size), int(count)))
            else:
                rest.append((stamp, text))
        self._rest(box, rest, batch)

    def _delivery(self, box: Box, batch: Batch) -> None:
        at, second = 0.0, b""
        program, plain = box.program, postfix_delivery.PLAIN
        deliveries, time = batch.deliveries, self.stamps.second
        slow: list[Line] = []
        for stamp, text in zip(box.stamps, box.texts, strict=True):
            found = plain(text)
            if found is not None:
                id_, to, relay, delay, delays, dsn, status, reason = found.groups()
                # no quotes, and no second end of the addresses: else it may read two ways
                if _QUOTE not in to and (_COMMA not in reason or reason.find(b", status=") < 0):
                    if stamp[:19] != second:
                        second, at = stamp[:19], time(stamp)
                    deliveries.append((at, id_, to, b"", relay, delay, delays, dsn, status, reason, program))
                    continue
            slow.append((stamp, text))
        self._careful(box, slow, batch)

    def _careful(self, box: Box, lines: list[Line], batch: Batch) -> None:
        """Read deliveries with further fields, or that may read two ways, and what else the agents say."""
        time = self.stamps.second
        for stamp, text in lines:
            if not postfix_delivery.STARTS(text):
                if relay := postfix_rare.tls_relay(text):
                    batch.tls_relays.add(relay)
                self._warning(box, stamp, text, batch)
            elif fields := postfix_delivery.careful(text):
                batch.deliveries.append(cast(Delivery, (time(stamp), *fields, box.program)))
            elif postfix_delivery.PROBE(text):
                batch.probes += 1
            else:
                _unreadable(box, stamp, text, batch)

    def _rest(self, box: Box, lines: list[Line], batch: Batch) -> None:
        """Read what smtpd, cleanup, qmgr and postscreen say less often."""
        at, second, time = 0.0, b"", self.stamps.second
        for stamp, text in lines:
            if stamp[:19] != second:
                second, at = stamp[:19], time(stamp)
            if refusal := postfix_rare.reject(at, box.program, text):
                batch.rejects.append(refusal)
            elif text.startswith(LEVELS):
                self._warning(box, stamp, text, batch)
            elif text.find(b" TLS connection established from ", 0, 60) > 0:
                batch.tls += 1
            elif gone := postfix_rare.expired(at, text):
                batch.expired.append(gone)
            elif _names_id(text) and not postfix_rare.is_other(box.kind, text):
                _unreadable(box, stamp, text, batch)

    def _postscreen(self, box: Box, batch: Batch) -> None:
        lines = zip(box.stamps, box.texts, strict=True)
        batch.postscreen.update(text[:8] for text in box.texts)
        self._rest(box, [line for line in lines if line[1][:8] in _POSTSCREEN], batch)

    def _pickup(self, box: Box, batch: Batch) -> None:
        self._each(box, postfix_rare.pickup, batch.pickups, batch)

    def _bounce(self, box: Box, batch: Batch) -> None:
        self._each(box, postfix_rare.notice, batch.notices, batch)

    def _postsuper(self, box: Box, batch: Batch) -> None:
        self._each(box, postfix_rare.handled, batch.handled, batch)
        batch.deleted += sum(map(postfix_rare.deleted, box.texts))

    def _each(self, box: Box, read: Callable[[float, bytes], _Row | None], found: list[_Row], batch: Batch) -> None:
        time = self.stamps.second
        for stamp, text in zip(box.stamps, box.texts, strict=True):
            item = read(time(stamp), text)
            if item is not None:
                found.append(item)
            elif _names_id(text):
                _unreadable(box, stamp, text, batch)
            else:
                self._warning(box, stamp, text, batch)

    def _master(self, box: Box, batch: Batch) -> None:
        time = self.stamps.second
        for stamp, text in zip(box.stamps, box.texts, strict=True):
            batch.masters += [Master(time(stamp), what, text) for words, what in _MASTER if text.startswith(words)]
        self._warnings(box, batch)

    def _warnings(self, box: Box, batch: Batch) -> None:
        for stamp, text in zip(box.stamps, box.texts, strict=True):
            self._warning(box, stamp, text, batch)

    def _warning(self, box: Box, stamp: bytes, text: bytes, batch: Batch) -> None:
        if not text.startswith(LEVELS):
            return
        at = self.stamps.second(stamp)
        if gone := postfix_rare.vanished(at, text):
            batch.handled.append(gone)
        elif failure := postfix_rare.sasl_failure(at, text):
            batch.sasl_failures.append(failure)
        elif alarm := postfix_rare.alarm(at, box.program, text):
            batch.alarms.append(alarm)


def _plain(line: bytes) -> bytes:
    """A line without the stamp that `docker logs -t` puts before its own, or the level that BusyBox's syslogd adds."""
    return line.partition(b" ")[2] if line[:4].isdigit() else _LEVEL.sub(rb"\1", line, 1)


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


def _unreadable(box: Box, stamp: bytes, text: bytes, batch: Batch) -> None:
    batch.unreadable += 1
    if len(batch.samples) < _SAMPLES:
        batch.samples.append(b"%s %s: %s" % (stamp, box.program, text))
