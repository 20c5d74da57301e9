"""amavisd's children, from the titles in /proc, and the mail that is being checked longest.

`amavisd-nanny` would tell more, but it reads a Berkeley DB under a lock, and one that is ended there blocks amavisd.
"""

from __future__ import annotations

from collections.abc import Iterator

from mailtop.model.ask import Answer, Command
from mailtop.model.errors import ParseError
from mailtop.model.sample import Sample
from mailtop.model.text import Foreign, shown
from mailtop.model.topology import Role
from mailtop.parse.amavis import children
from mailtop.probe import Board, Found, Metric, Poll

_SCRIPT = r"""echo "now $(date +%s)"
for p in /proc/[0-9]*; do
    { read -r t <$p/cmdline; } 2>/dev/null
    case $t in *amavisd*\ \(*\)) echo "child ${p#/proc/} $t" ;; esac
    t=
done
for d in /var/lib/amavis/tmp /var/spool/amavisd/tmp /var/amavis/tmp; do
    [ ! -d $d ] || stat -c 'file %Y %n' $d/amavis-*/email.txt $d/amavis-*/parts $d/amavis-*/parts/p001 2>/dev/null
done; :"""


def read(answer: Answer) -> Iterator[Found]:
    """Yield how many children do what, and seconds; what takes no time yet is left out."""
    lines = answer.ok("amavisd").splitlines()
    if not lines or not lines[0].startswith(b"now ") or not lines[0][4:].isdigit():
        raise ParseError("amavisd", f"not what was asked: {shown(Foreign(answer.stdout), 80)!r}")
    found = children(lines[1:], int(lines[0][4:]))
    yield Sample("amavis_up", int(found.master))
    if not found.master:
        return
    for state, count in (("free", found.free), ("waiting", found.waiting), ("working", found.working)):
        yield Sample("amavis_children", count, (("state", state),))
    if total := found.free + found.waiting + found.working:
        yield Sample("amavis_busy_ratio", round((total - found.free) / total, 4))
    if found.oldest is not None:
        yield Sample("amavis_oldest_busy_seconds", found.oldest)


BOARD = Board(
    "filter",
    "children",
    (
        Metric("amavis_up", "runs", crit=0.0, falls=True, means="1: amavisd's master runs"),
        Metric("amavis_busy_ratio", "busy", "%", 0.8, 1.0, means="children that hold a connection, of all"),
        Metric("amavis_oldest_busy_seconds", "oldest busy", "s", 60, 300, means="since a mail in work was received"),
        Metric("amavis_children", "children", means="by what they do; waiting: for their client"),
    ),
    order=10,
)

PROBE = Poll("amavis", Role.FILTER, Command(("sh", "-c", _SCRIPT)), read, every=10.0, board=BOARD)
