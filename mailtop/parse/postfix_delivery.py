r"""One attempt's line, from a delivery agent (log_adhoc.c, 2.3 to 3.11).

`ID: to=<>, [orig_to=<>,] relay=, [conn_use=,] delay=, delays=a/b/c/d, [tls=,] dsn=, status=WORD (reason)`

The addresses and the reason are strangers' text. A line is read only where it reads one way: `PLAIN` takes addresses
without quotes and brackets, and `careful` all others; a line that still reads two ways is unreadable,
never a delivery.
"""

from __future__ import annotations

import re

_ID = rb"([0-9A-Za-z]{6,32}): to=<"
_MACHINE = (  # all that Postfix itself writes between the addresses and the reason
    rb", relay=([^,]+), (?:conn_use=\d+, )?delay=([\d.e+-]+), delays=([\d./e+-]+), (?:[a-z_]+=[^,]*, )*?"
    rb"dsn=([\d.]+), status=((?!deliverable|undeliverable)[A-Za-z-]+) \("
)
_QUOTED = rb'((?:[^"<>]|"(?:\\.|[^"\\])*")*)'
PLAIN = re.compile(  # what nearly every line is, if there is no quote in the address, which is for the caller to see
    rb"([0-9A-Za-z]+): to=<([^>]*)>, relay=([^,]+), delay=([^,]+), delays=([^,]+), dsn=([^,]+), "
    rb"status=(sent|deferred|bounced) \((.*)\)"
).fullmatch
STARTS = re.compile(_ID).match
PROBE = re.compile(rb", status=(?:un)?deliverable \(").search
_CAREFUL = re.compile(_ID + _QUOTED + rb">(?:, orig_to=<" + _QUOTED + rb">)?" + _MACHINE + rb"(.*)", re.DOTALL)
_PART = re.compile(_MACHINE)
_HEAD = re.compile(_ID + rb"(.*?)>(?:, orig_to=<(.*)>)?", re.DOTALL)
_HEAD_PLAIN = re.compile(_ID + rb"(.*)>()", re.DOTALL)

Fields = tuple[bytes, ...]
"""id, recipient, orig_to, relay, delay, delays, dsn, status, reason"""


def careful(text: bytes) -> Fields | None:
    """Read a line of any form, with a stranger's text that looks like a log line too; None: unreadable.

    >>> careful(b'ABCDEF1: to=<"a>, b"@x.test>, relay=none, delay=1, delays=0/0/1/0, dsn=4.4.1, status=deferred (x')[1]
    b'"a>, b"@x.test'
    """
    quoted = _CAREFUL.fullmatch(text)
    if quoted and not _PART.search(quoted[9]):
        return (*quoted.groups(b"")[:8], _closed(quoted[9]))
    parts = list(_PART.finditer(text))
    if len(parts) != 1:
        return None
    part = parts[0]
    addresses = text[: part.start()]
    head = _HEAD.fullmatch(addresses) if b">, orig_to=<" in addresses else _HEAD_PLAIN.fullmatch(addresses)
    if head is None:
        return None
    return (*head.groups(b""), *part.groups(), _closed(text[part.end() :]))


def _closed(reason: bytes) -> bytes:
    return reason[:-1] if reason[-1:] == b")" else reason  # syslog cuts long lines
