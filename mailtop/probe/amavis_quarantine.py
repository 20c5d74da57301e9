"""Files and bytes of amavisd's quarantine."""

from __future__ import annotations

from collections.abc import Iterator

from msgspec.structs import replace

from mailtop.model.ask import Answer, Command
from mailtop.model.errors import Missing, ParseError
from mailtop.model.sample import Sample
from mailtop.model.text import Foreign, shown
from mailtop.model.topology import Role
from mailtop.probe import Board, Found, Metric, Poll

# The folder itself is one line too: so none is told from an empty one.
_SCRIPT = r"""for d in /var/lib/amavis/virusmails /var/spool/amavisd/quarantine /var/virusmails; do
    [ -d $d ] || continue
    find $d/ \( -type f -o -path $d/ \) -exec stat -c '%F %s' {} + || exit
    break
done | awk '/^directory/ { d = 1 } /^regular/ { n++; b += $NF } END { if (d) printf "%d %.0f\n", n, b }'"""


def read(answer: Answer) -> Iterator[Found]:
    """Yield both; a folder that find could not read whole tells nothing."""
    if b"ermission denied" in answer.stderr:  # what only vanished meanwhile is no fault
        answer = replace(answer, exit=1)
    said = answer.ok("quarantine").split()
    if not said:
        raise Missing("quarantine", "none of the usual folders can be seen")
    if len(said) != 2 or not all(number.isdigit() for number in said):
        raise ParseError("quarantine", f"not what was asked: {shown(Foreign(answer.stdout), 80)!r}")
    yield Sample("amavis_quarantine_files", int(said[0]))
    yield Sample("amavis_quarantine_bytes", int(said[1]))


def cost(found: tuple[Found, ...], took: float) -> float:
    """A walk over a full quarantine is work: as good as all of the time that it takes."""
    return 0.02 + (took if found else 0.0)


BOARD = Board(
    "filter",
    "quarantine",
    (
        Metric("amavis_quarantine_files", "files", means="files in the quarantine"),
        Metric("amavis_quarantine_bytes", "size", "B", means="their bytes"),
    ),
    order=15,
)

PROBE = Poll(
    "amavis_quarantine",
    Role.FILTER,
    Command(("sh", "-c", _SCRIPT), timeout=60.0, large=True),
    read,
    every=900.0,
    cost=cost,
    board=BOARD,
)
