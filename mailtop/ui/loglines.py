"""A log line as it is drawn: when, where, who, what; how bad by sign and colour; what is sought stands out."""

from __future__ import annotations

import re
import time
from collections.abc import Sequence

from mailtop.model.log import Level, LogLine
from mailtop.model.mail import QueueEntry
from mailtop.model.snapshot import Alert, Cause, HostState, LogState, ProbeState, Shape
from mailtop.model.text import Foreign, shown
from mailtop.ui.figures import clock
from mailtop.ui.ink import Line, Span, cut, fit
from mailtop.ui.view import Scene

_SIGNS = {Level.ERROR: ("✖", "crit"), Level.WARNING: ("▲", "warn"), Level.INFO: (" ", "text")}
_WORD = re.compile(rb"[A-Za-z0-9][A-Za-z0-9.-]*")
_LONGEST = 2000  # characters of a line that are drawn at most: no terminal is wider


class Drawing:
    """How lines are laid out now: the host stands there only where there are several."""

    def __init__(self, scene: Scene, find: str, cells: int) -> None:
        hosts = [host.name for host in scene.snapshot.hosts]
        self._now = scene.now
        self._find = find.lower()
        self._host = min(12, max(map(len, hosts), default=0)) if len(hosts) > 1 else 0
        self._who = 16 if cells >= 110 else 12

    def titles(self) -> Line:
        """The columns' names."""
        host = (("  ", "text"), *fit((("host", "head"),), self._host)) if self._host else ()
        return (("   time    ", "head"), *host, ("  ", "text"), *fit((("who", "head"),), self._who), ("  what", "head"))

    def line(self, line: LogLine) -> Line:
        """One line, as wide as it is."""
        sign, role = _SIGNS[line.level]
        host, _, container = line.target.partition("/")
        who = _short(shown(line.program, 40)) or container or host
        where = (("  ", "text"), *fit(((cut(host, self._host), "dim"),), self._host)) if self._host else ()
        what = self._marked(shown(line.text, _LONGEST), "text" if line.level is Level.INFO else role)
        when = clock(line.at)
        return (
            (f"{sign} ", role),
            (when, "dim"),
            *where,
            ("  ", "text"),
            *fit(((cut(who, self._who), "head"),), self._who),
            ("  ", "text"),
            *what,
        )

    def _marked(self, words: str, role: str) -> Line:
        """The words, with all that matches the search in another colour."""
        if not self._find or len(words.lower()) != len(words):
            return ((words, role),)
        pieces: list[Span] = []
        at, lower = 0, words.lower()
        while (found := lower.find(self._find, at)) >= 0:
            end = found + len(self._find)
            pieces += [(words[at:found], role), (words[found:end], "mark")]
            at = end
        return tuple(piece for piece in (*pieces, (words[at:], role)) if piece[0])


def about(line: LogLine) -> Sequence[tuple[str, str]]:
    """Label and text for `d`."""
    millis = int(line.at % 1 * 1000)
    return (
        ("time", time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(line.at)) + f".{millis:03d}"),
        ("log", line.target),
        ("who", shown(line.program) or "—"),
        ("level", line.level.value),
        ("", ""),
        ("", shown(line.text)),
    )


def words(line: LogLine) -> str:
    """The line for the clipboard or a file: when, where, who, what."""
    at = time.strftime("%Y-%m-%dT%H:%M:%S%z", time.localtime(line.at))
    return f"{at} {line.target} {shown(line.program) or '-'}: {shown(line.text)}"


def log_filter(item: object) -> str:
    """Return the filter that finds the log of a row's item. A stranger's words go into it only where they are plain."""
    match item:
        case QueueEntry():
            return f"host:{item.key.target.partition('/')[0]} id:{item.key.id}"
        case Cause():
            return " ".join((f"host:{item.target.partition('/')[0]}", *_plain(item.next_hop)))
        case Shape():
            return " ".join(_plain(item.domain))
        case HostState():
            return f"host:{item.name}"
        case Alert() | LogState() | ProbeState():
            host, _, container = item.target.partition("/")
            return f"host:{host} daemon:{container}" if container else f"host:{host}"
        case _:
            return ""


def _plain(words: Foreign) -> tuple[str, ...]:
    return (shown(words),) if _WORD.fullmatch(words) else ()


def _short(program: str) -> str:
    """A Postfix program without what they all begin with.

    >>> _short("postfix/submission/smtpd"), _short("piler")
    ('submission/smtpd', 'piler')
    """
    return program.removeprefix("postfix/")
