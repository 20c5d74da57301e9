r"""The systemd journal, as `journalctl --output=json --all` writes it: an object a line; and the lines of log it holds.

Source: systemd.journal-fields(7), journalctl(1), systemd's JOURNAL_EXPORT_FORMATS: a field whose bytes are not UTF-8
comes as an array of numbers, one that occurs several times as an array of its values, one that is too long as null.
A cursor is `s=ID;i=NUMBER;b=BOOT;m=MONOTONIC;t=REALTIME;x=HASH`: `s` and `i` name one entry.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Any

import msgspec
from msgspec import Struct

from mailtop.model.errors import ParseError
from mailtop.model.text import Foreign

FIELDS = "MESSAGE,SYSLOG_IDENTIFIER,SYSLOG_PID,_PID,_COMM,_HOSTNAME,MESSAGE_ID"
DROPPED = "a596d6fe7bfa4994828e72309e95d61e"  # MESSAGE_ID of "Suppressed N messages from UNIT"
FACILITIES = {"kern": 0, "user": 1, "mail": 2, "daemon": 3, "auth": 4, "syslog": 5} | {
    f"local{number}": 16 + number for number in range(8)
}

_DENIED = (b"insufficient permissions", b"not seeing messages from other users", b"ermission denied")
_SUPPRESSED = re.compile(rb"Suppressed (\d+) messages? from (\S+)")


class Entry(Struct, frozen=True):
    """One entry. `at`: seconds since the epoch; `line`: as RFC 3339 syslog has it, with its newline.

    `dropped`: so many lines of a Postfix's unit were not kept, which this entry (`rate_limit`) tells.
    """

    cursor: str
    at: float
    line: bytes
    identifier: bytes = b""
    dropped: int = 0
    rate_limit: bool = False


class _Read(Struct):
    cursor: str = msgspec.field(name="__CURSOR")
    realtime: str = msgspec.field(name="__REALTIME_TIMESTAMP")
    message: Any = msgspec.field(name="MESSAGE", default=None)
    identifier: Any = msgspec.field(name="SYSLOG_IDENTIFIER", default=None)
    comm: Any = msgspec.field(name="_COMM", default=None)
    syslog_pid: Any = msgspec.field(name="SYSLOG_PID", default=None)
    pid: Any = msgspec.field(name="_PID", default=None)
    hostname: Any = msgspec.field(name="_HOSTNAME", default=None)
    message_id: Any = msgspec.field(name="MESSAGE_ID", default=None)


_decode = msgspec.json.Decoder(_Read).decode


def entry(line: bytes) -> Entry:
    r"""Read one line of journalctl's JSON; raises ParseError.

    >>> entry(b'{"__CURSOR":"s=a;i=1","__REALTIME_TIMESTAMP":"1795507483451688","_HOSTNAME":"mail3",'
    ...       b'"SYSLOG_IDENTIFIER":"postfix/smtp","SYSLOG_PID":"7","MESSAGE":[72,105,255]}').line
    b'2026-11-24T08:04:43.451688+00:00 mail3 postfix/smtp[7]: Hi\xff\n'
    """
    try:
        read = _decode(line)
        at = int(read.realtime)
    except (msgspec.DecodeError, ValueError) as error:
        raise ParseError("journalctl", Foreign(b"no entry of a journal: " + line[:60])) from error
    message, identifier = _octets(read.message), _octets(read.identifier) or _octets(read.comm) or b"unknown"
    dropped, rate_limit = 0, _octets(read.message_id) == DROPPED.encode()
    if rate_limit:
        said = _SUPPRESSED.search(message)
        if said is not None and b"postfix" in said[2]:
            dropped = int(said[1])
    stamp = datetime.fromtimestamp(at // 1_000_000, UTC).strftime("%Y-%m-%dT%H:%M:%S").encode()
    pid = _octets(read.syslog_pid) or _octets(read.pid)
    tag = identifier.replace(b" ", b"_") + (b"[%s]" % pid if pid else b"")
    host = _octets(read.hostname).replace(b" ", b"_") or b"-"
    text = b"%s.%06d+00:00 %s %s: %s\n" % (
        stamp,
        at % 1_000_000,
        host,
        tag,
        message.rstrip(b"\n").replace(b"\n", b"#012"),
    )
    return Entry(read.cursor, at / 1e6, text, identifier, dropped, rate_limit)


def same(one: str, other: str) -> bool:
    """Do two cursors name one entry?

    >>> same("s=ab;i=7;b=c;m=1;t=2;x=3", "s=ab;i=7;b=c;m=1;t=2;x=4"), same("s=ab;i=7", "s=ab;i=8")
    (True, False)
    """
    return one == other or (one.split(";")[:2] == other.split(";")[:2] and one.startswith("s=") and ";i=" in one)


def cursor_time(cursor: str) -> float:
    """When the entry of a cursor was written, seconds since the epoch; 0.0 where it does not say.

    >>> cursor_time("s=ab;i=7;b=c;m=1;t=6610129be2128;x=3")
    1795507483.451688
    """
    found = re.search(r";t=([0-9a-f]{1,16})(?:;|$)", cursor)
    return int(found[1], 16) / 1e6 if found else 0.0


def denied(stderr: bytes) -> bool:
    """Does journalctl say that it may not read all of the journal? It shows what little it may all the same."""
    return any(words in stderr for words in _DENIED)


def matches(selector: str) -> tuple[list[str], tuple[bytes, ...]]:
    """What `journald:SELECTOR` asks for: the matches for journalctl, and the identifiers that are wanted (all: none).

    A facility's name (`mail`, which is what is meant by none), a match (`_SYSTEMD_UNIT=postfix.service`), or Postfix's
    `syslog_name`s, each for its daemons' identifiers (`postfix` for `postfix/smtpd` …), which the journal cannot match
    by their beginnings: of the facility `mail` they are then chosen here.

    >>> matches("postfix-out")
    (['SYSLOG_FACILITY=2'], (b'postfix-out/',))
    """
    if "=" in selector:
        return [selector], ()
    if selector in FACILITIES or not selector:
        return [f"SYSLOG_FACILITY={FACILITIES[selector or 'mail']}"], ()
    return ["SYSLOG_FACILITY=2"], tuple(f"{name}/".encode() for name in selector.split(",") if name)


def _octets(value: Any) -> bytes:
    """A field's bytes: text, numbers, or the first of several values; nothing where there is none."""
    if isinstance(value, str):
        return value.encode("utf-8", "surrogateescape")
    if isinstance(value, list) and value:
        if all(isinstance(one, int) and 0 <= one <= 255 for one in value):
            return bytes(value)
        return _octets(value[0])
    return b""
