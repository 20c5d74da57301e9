r"""One line of any daemon's log: its own stamp, who wrote it, how bad it says it is, and what it says.

The shapes, as the services of the platform write them (see tests/parse/test_log_line.py for real ones):

| shape                                         | who                                                        |
|-----------------------------------------------|------------------------------------------------------------|
| `2026-11-24T07:28:57.014+00:00 host tag[1]: ` | rsyslog and journald in RFC 3339, Postfix's own, Piler     |
| `Nov 24 07:28:57 host tag[1]: `               | RFC 3164; BusyBox puts `mail.info ` before the tag          |
| `Nov 24 07:28:57 lmtp(304): Info: `           | Dovecot in a container; spamd (`[10] info: spamd: `)        |
| `2026-11-24  7:18:51 0 [Note] `               | MariaDB                                                    |
| `[Tue Nov 24 07:18:51.698 2026] [7] `         | Manticore and Sphinx; `-> ` or `: `, no brackets: ClamAV, keepalived |
| `<5>(00025-02) Passed CLEAN`                  | amavis on stderr: a syslog priority before the text        |

The stamp is returned as it stands; who needs a time has the carrier's as well.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from mailtop.model.log import Level
from mailtop.model.text import Foreign


class Parts(NamedTuple):
    """`stamp`: as `Stamps` reads it, empty where the line has none of these shapes."""

    stamp: bytes
    program: Foreign
    level: Level
    text: Foreign


_STAMP = re.compile(
    rb"(?P<iso>\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:[.,]\d+)?(?:Z|[+-]\d\d:?\d\d)?) "
    rb"|(?P<traditional>(?:Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec) [ \d]\d \d\d:\d\d:\d\d)(?:\.\d+)? "
    rb"|(?P<maria>\d{4}-\d\d-\d\d [ \d]\d:\d\d:\d\d) "
    rb"|\[?(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun) (?P<day>[A-Z][a-z]{2} [ \d]\d) (?P<time>\d\d:\d\d:\d\d)(?:\.\d+)? "
    rb"(?P<year>\d{4})(?:\] | -> |: )"
    rb"|(?P<slashes>\d{4}/\d\d/\d\d \d\d:\d\d:\d\d) "
)
_PRIORITY = re.compile(rb"<(\d{1,3})>")
_TAG = re.compile(rb"(?:[^\s\[\]:()]{1,255} )?(?:[a-z0-9]{3,8}\.[a-z]{3,7} )?([A-Za-z][\w./-]{0,60})(?:\[\d+\])?: ")
_DOVECOT = re.compile(
    rb"([a-z][a-z-]*)(?:\([^)]{0,200}\))?(?:<\d*>)?(?:<[^>]{0,40}>)?: (?=(?:Info|Debug|Warning|Error|Fatal|Panic): )"
)
_NUMBER = re.compile(rb"\A\[?\d+\]? ")
_WORST, _BAD = b"error|fatal|panic|critical|crit|emerg|alert|err", b"warning|warn"
_SAYS = re.compile(
    rb"(?:LibClamAV )?[\[(<]?(?:(?P<error>%s)|(?P<warning>%s))[\])>]?(?=[:\s\]]|$)" % (_WORST, _BAD), re.IGNORECASE
)
_GRADES = frozenset((*_WORST.split(b"|"), *_BAD.split(b"|"), b"info", b"note", b"notice", b"debug"))
_ACCESS = re.compile(rb'\S+ \S+ \S+ \[[^\]]+\] "(?:[^"\\]|\\.)*" 5\d\d ')  # nginx and httpd: the server failed
_MONTHS = {
    name: b"%02d" % number for number, name in enumerate(b"Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec".split(), 1)
}


def parts(line: bytes) -> Parts:
    r"""Split one line, with or without its newline. Any bytes are read; what has no known shape is all text.

    >>> parts(b"Nov 24 07:28:57 mail postfix/smtpd[8]: warning: hostname x does not resolve\n")[:3]
    (b'Nov 24 07:28:57', b'postfix/smtpd', <Level.WARNING: 'warning'>)
    """
    line = line.rstrip(b"\r\n")
    level = None
    if priority := _PRIORITY.match(line):
        level = _severity(int(priority[1]))
        line = line[priority.end() :]
    stamp, rest, tagged = _stamp(line)
    program, text = _program(rest) if tagged else (b"", rest)
    return Parts(stamp, Foreign(program), level or _level(text), Foreign(text))


def _stamp(line: bytes) -> tuple[bytes, bytes, bool]:
    """A line's stamp, its rest, and whether syslog's tag follows, as only behind syslog's stamps."""
    match = _STAMP.match(line)
    if match is None:
        return b"", line, False
    rest = line[match.end() :]
    if match["iso"] or match["traditional"]:
        return match["iso"] or match["traditional"], rest, True
    if match["year"]:
        month, day = _MONTHS.get(match["day"][:3], b"01"), match["day"][4:].replace(b" ", b"0")
        return b"%s-%s-%sT%s" % (match["year"], month, day, match["time"]), _NUMBER.sub(b"", rest, count=1), False
    day, time = (match["maria"] or match["slashes"].replace(b"/", b"-")).split(b" ", 1)
    return day + b"T" + time.replace(b" ", b"0"), _NUMBER.sub(b"", rest, count=1), False


def _program(rest: bytes) -> tuple[bytes, bytes]:
    """Who wrote it, and the rest. A grade is no name: `ERROR: `."""
    if match := _DOVECOT.match(rest):
        return match[1], rest[match.end() :]
    if match := _NUMBER.match(rest):  # a thread or process before the words, as MariaDB, spamd and Sphinx have it
        rest = rest[match.end() :]
    match = _TAG.match(rest)
    if match is None or match[1].lower() in _GRADES:
        return b"", rest
    return match[1], rest[match.end() :]


def _level(text: bytes) -> Level:
    """What the line's first word says of it: later ones may be a stranger's."""
    match = _SAYS.match(text)
    if match is None:
        return Level.ERROR if _ACCESS.match(text) else Level.INFO
    return Level.ERROR if match["error"] else Level.WARNING


def _severity(priority: int) -> Level | None:
    severity = priority & 7  # RFC 5424, 6.2.1
    return Level.ERROR if severity <= 3 else Level.WARNING if severity == 4 else None
