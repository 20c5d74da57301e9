"""Where a Postfix's log is kept: by its Engine, in a file, or in the journal.

`maillog_file` says it, where it is set. Else syslog has it: in the file that was written to last, or, where no file
keeps up with it, in the journal.
"""

from __future__ import annotations

from mailtop.model.ask import Answer, Asking, Command
from mailtop.model.errors import AskFailed, LinkLost, Missing, ParseError
from mailtop.model.topology import Target
from mailtop.parse.journal import FACILITIES, denied, entry
from mailtop.parse.postfix_settings import settings

NAME = "log"
FILES = ("/var/log/mail.log", "/var/log/maillog", "/var/log/mail/mail.log", "/var/log/syslog", "/var/log/messages")
BEHIND = 60.0  # seconds by which a file may be older than the journal's newest line, and still be what is written to
_STREAMS = ("/dev/", "/proc/", "pipe:")
_REGULAR = 0x8000


def log_source(target: Target) -> Asking[str]:
    """Find out a target's `Follow.source`; raises Missing where its log is found nowhere."""
    names = ("maillog_file", "syslog_facility")  # an older Postfix does not know the first
    said = settings((yield from _asked("postconf", *target.config, *names)).stdout)
    if kept := said.get("maillog_file", ""):
        real = yield from _real(kept)
        if not real.startswith(_STREAMS):
            return kept
        return "docker" if target.container else f"journald:{said.get('syslog_facility') or 'mail'}"
    return (yield from _by_syslog(target, said.get("syslog_facility") or "mail"))


def _asked(*argv: str) -> Asking[Answer]:
    """Ask; a program that is not there, or no shell, has said nothing."""
    try:
        return (yield Command(argv))
    except LinkLost:
        raise
    except AskFailed:
        return Answer(b"", exit=127)


def _real(path: str) -> Asking[str]:
    """What a path leads to: a link to /dev/stdout is a stream."""
    answer = yield from _asked("readlink", "-f", path)
    return answer.stdout.decode("utf-8", "surrogateescape").strip() or path


def _by_syslog(target: Target, facility: str) -> Asking[str]:
    files = yield from _files()
    journal_at, unread = yield from _journal(facility)
    fresh = [path for path, written in files if written >= journal_at - BEHIND]
    journal = f"journald:{facility if facility in FACILITIES else 'mail'}"
    for path in fresh:
        if (yield from _asked("test", "-r", path)).exit == 0:
            return path
    if journal_at:
        return journal
    if fresh:
        return fresh[0]  # following it says which right is missing
    if target.container:
        return "docker"
    if unread:
        return journal
    raise Missing(f"{target.name}: log", "found in no file and in no journal", "give its place in config.toml: log")


def _files() -> Asking[list[tuple[str, float]]]:
    """The files that there are and hold something, with their times. A mail log goes before one of everything."""
    answer = yield from _asked("stat", "-Lc", "%Y %s %f %n", *FILES)
    found = []
    for line in answer.stdout.decode("utf-8", "replace").splitlines():
        words = line.split(" ", 3)
        if len(words) == 4 and words[0].isdigit() and words[1] != "0" and int(words[2], 16) & 0xF000 == _REGULAR:
            found.append((words[3], float(words[0])))
    found.sort(key=lambda one: FILES.index(one[0]) if one[0] in FILES else len(FILES))
    newest = max((written for _, written in found), default=0.0)
    return [(path, written) for path, written in found if "mail" in path or written >= newest - BEHIND]


def _journal(facility: str) -> Asking[tuple[float, bool]]:
    """When the journal's newest line of a facility was written (0.0: there is none), and whether it is kept from us."""
    number = FACILITIES.get(facility, FACILITIES["mail"])
    answer = yield from _asked("journalctl", "--output=json", "--no-pager", "--lines=1", f"SYSLOG_FACILITY={number}")
    lines = [line for line in answer.stdout.splitlines() if line.startswith(b"{")]
    try:
        return (entry(lines[-1]).at if lines else 0.0), denied(answer.stderr)
    except ParseError:
        return 0.0, False
