"""What postsuper, postcat and the act's own re-reading say.

Source: postsuper(1), which reports on stderr, and says nothing about an id it does not know; postcat(1) `-qe`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

from mailtop.model.mail import QueueId
from mailtop.model.text import Foreign

_DONE = re.compile(
    rb"^postsuper: (?:Placed on hold|Released from hold|Requeued|Deleted|Force-expired): (?P<count>\d+) messages?$"
)
_FATAL = re.compile(rb"^postsuper: (?:fatal|panic|error): (?P<said>.*)")
_WARNING = re.compile(rb"^postsuper: warning: (?P<said>.*)")

_ENVELOPE = re.compile(
    rb"^\*\*\* ENVELOPE RECORDS (?:(?P<queue>[a-z]+)/)?(?:[0-9A-F]/)*(?P<id>[0-9A-Za-z]{6,32}) \*\*\*$"
)
_ARRIVAL = re.compile(rb"^message_arrival_time: \w{3} (\w{3}) +(\d+) (\d+):(\d\d):(\d\d) (\d{4})$")
_MONTHS = {m: n for n, m in enumerate(b"Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec".split(), 1)}


class Said(NamedTuple):
    """What postsuper reported: messages done, warnings about single files, and why it gave up, empty if it did not."""

    messages: int
    warnings: tuple[Foreign, ...] = ()
    fatal: Foreign = Foreign(b"")


def said(stderr: bytes) -> Said:
    """Read postsuper's stderr. Saying nothing means 0 messages.

    >>> said(b"postsuper: Placed on hold: 3 messages\\n").messages
    3
    """
    count = 0
    fatal = Foreign(b"")
    warnings: list[Foreign] = []
    for line in stderr.splitlines():
        if done := _DONE.match(line):
            count += int(done["count"])
        elif failed := _FATAL.match(line):
            fatal = Foreign(failed["said"])
        elif warned := _WARNING.match(line):
            warnings.append(Foreign(warned["said"]))
    return Said(count, tuple(warnings), fatal)


def named(stderr: bytes, deed: bytes) -> frozenset[str]:
    """Return the ids of which postsuper says that it did this: `removed`, `requeued`, `expired`, `placed on hold`.

    >>> sorted(named(b"postsuper: 4jYbPZ67MTzF1q0: removed\npostsuper: Deleted: 1 message\n", b"removed"))
    ['4jYbPZ67MTzF1q0']
    """
    found = re.findall(rb"^postsuper: ([0-9A-Za-z]{6,32}): " + re.escape(deed) + rb"$", stderr, re.MULTILINE)
    return frozenset(id_.decode("ascii") for id_ in found)


class Seen(NamedTuple):
    """One message as it is in the queue now. `recipients`: those it still waits for; 0 is the ghost of a delivery."""

    id: QueueId
    queue: str
    sender: Foreign
    arrival: float
    recipients: int


def envelopes(stdout: bytes) -> Iterator[Seen]:
    """Read what `postcat -qe` printed for one id after another, with the time zone UTC.

    Recipients already served are `done_recipient`; those that wait are `recipient`.
    """
    found: re.Match[bytes] | None = None
    sender, arrival, recipients = b"", 0.0, 0
    for line in stdout.split(b"\n"):
        if start := _ENVELOPE.match(line):
            found, sender, arrival, recipients = start, b"", 0.0, 0
        elif found is None:
            continue
        elif line.startswith(b"sender: "):
            sender = line[8:]
        elif stamp := _ARRIVAL.match(line):
            arrival = _seconds(stamp)
        elif line.startswith(b"recipient: "):
            recipients += 1
        elif line.startswith(b"*** MESSAGE FILE END"):
            key = QueueId(found["id"].decode("ascii"))
            yield Seen(key, (found["queue"] or b"").decode("ascii"), Foreign(sender), arrival, recipients)
            found = None


def _seconds(stamp: re.Match[bytes]) -> float:
    from calendar import timegm

    month, day, hour, minute, second, year = stamp.groups()
    return float(timegm((int(year), _MONTHS.get(month, 1), int(day), int(hour), int(minute), int(second))))
