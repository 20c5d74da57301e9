"""How old the virus signatures are, whether clamd has loaded the newest, and when freshclam last had a success.

`freshclam.dat` tells nothing of a success: it is written when a server refuses. Its log does.
"""

from __future__ import annotations

from collections.abc import Iterator

from mailtop.model.ask import Answer, Command
from mailtop.model.board import Line
from mailtop.model.errors import Missing, ParseError
from mailtop.model.sample import Sample
from mailtop.model.text import Foreign, shown
from mailtop.model.topology import Role
from mailtop.parse import clamav, clamd
from mailtop.probe import Board, Found, Metric, Poll, Table

_SCRIPT = (
    r"""echo "now $(date +%s)"
d=$(sed -n 's/^DatabaseDirectory  *//p' /etc/clamav/clamd.conf /etc/clamd.d/*.conf 2>/dev/null | head -n 1)
for n in daily main bytecode; do for f in "${d:-/var/lib/clamav}/$n".c[vlu]d; do
    [ ! -e "$f" ] || { printf 'header %s ' "$n"; head -c 512 "$f" || exit; echo; }
done; done
l=/var/log/clamav/freshclam.log
if [ -s $l ] && [ -r $l ]; then
    echo "log $(stat -c %Y $l)"
    tail -c 65536 $l | grep -E 'update process started|daily\.c[vl]d (updated|database is up-to-date) \('
fi
say='zIDSESSION\0zVERSION\0zEND\0'"""
    + clamd.TALK
)


def read(answer: Answer) -> Iterator[Found]:
    """Yield ages, and the databases; what clamd does not tell is left out."""
    told, _, text = answer.stdout.partition(b"listens\n")
    lines = told.splitlines()
    if not lines or not lines[0].startswith(b"now ") or not lines[0][4:].isdigit():
        answer.ok("ClamAV databases")
        raise ParseError("ClamAV databases", f"not what was asked: {shown(Foreign(told), 80)!r}")
    now = int(lines[0][4:])
    found: dict[bytes, clamav.Database] = {}
    for line in lines[1:]:
        if line.startswith(b"header "):
            _, name, header = line.split(b" ", 2)
            if not header:
                answer.ok("ClamAV databases")
            one = clamav.database(header)
            found[name] = max(one, found.get(name, one), key=lambda database: database.version)
    if not found:
        answer.ok("ClamAV databases")
        raise Missing("ClamAV databases", "none is in its directory", "run freshclam")
    if daily := found.get(b"daily"):
        yield Sample("clamav_signature_age_seconds", max(0, now - daily.built))
        loaded = clamd.replies(text).get(1, b"")
        if loaded and (version := clamd.version(loaded)[1]) is not None:
            yield Sample("clamav_signatures_behind", max(0, daily.version - version))
    logs = [number for number, line in enumerate(lines) if line.startswith(b"log ") and line[4:].isdigit()]
    if logs and (since := clamav.since_success(lines[logs[0] + 1 :])) is not None:
        yield Sample("clamav_freshclam_success_age_seconds", max(0, now - int(lines[logs[0]][4:])) + since)
    rows = tuple(_row(name, one, now) for name, one in found.items())
    yield Table("databases", ("database", ">version", ">signatures", ">days old"), rows)


def _row(name: bytes, one: clamav.Database, now: int) -> Line:
    age = max(0, now - one.built) / 86_400
    return Line((Foreign(name), *(Foreign(b"%d" % number) for number in (one.version, one.signatures, age))))


BOARD = Board(
    "filter",
    "signatures",
    (
        Metric(
            "clamav_signature_age_seconds",
            "daily's age",
            "s",
            129_600,
            259_200,
            means="since daily was built",
            glance="signatures",
        ),
        Metric(
            "clamav_freshclam_success_age_seconds",
            "update's age",
            "s",
            129_600,
            259_200,
            means="since freshclam last had daily, by its log",
        ),
        Metric("clamav_signatures_behind", "not loaded", warn=2, means="versions of daily that clamd has not loaded"),
    ),
    order=30,
)

PROBE = Poll("clamav_signatures", Role.ANTIVIRUS, Command(("sh", "-c", _SCRIPT)), read, every=600.0, board=BOARD)
