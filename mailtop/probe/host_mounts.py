"""Do the host's shared mounts answer? One that does not makes whatever touches it wait for ever.

Each is asked for its space on a channel of its own, with a deadline there and one here, as what hangs in the kernel
may not even be killed.
"""

from __future__ import annotations

from collections.abc import Iterable

from mailtop.model.ask import Asking, Command
from mailtop.model.board import Line, Table
from mailtop.model.errors import TimedOut
from mailtop.model.health import Health
from mailtop.model.sample import Sample
from mailtop.model.text import Foreign, shown
from mailtop.model.topology import Target
from mailtop.parse import proc_mounts
from mailtop.probe import Board, Found, Metric, Needs, Probe

_MOST = 16
_WITHIN = "2"  # seconds
_ENDED = frozenset({124, 137})  # by timeout, with TERM or KILL
_DENIED = b"Permission denied"  # a FUSE mount is its user's own; it has answered


def run(target: Target) -> Asking[Iterable[Found]]:  # noqa: ARG001 — the same questions to all
    """Ask what is mounted, then each mount of another machine, or of a program."""
    mounts = proc_mounts.shared((yield Command(("cat", "/proc/mounts"))).ok("/proc/mounts"))
    samples: list[Sample] = []
    lines: list[Line] = []
    for mount in mounts[:_MOST]:
        path = mount.path.decode("utf-8", "surrogateescape")
        argv = ("timeout", "-k", "1", _WITHIN, "stat", "-f", "-c", "%T", "--", path)
        try:
            answer = yield Command(argv, timeout=5.0, large=True)
        except TimedOut:
            answers, said = False, "hangs"
        else:
            ended = answer.exit in _ENDED
            if not ended and not answer.stderr.startswith(b"stat:"):
                answer.ok("timeout")  # what fails is not the mount
            answers = not ended and (answer.exit == 0 or _DENIED in answer.stderr)
            said = "yes" if answers else f"not within {_WITHIN} s" if ended else "fails"
        samples.append(Sample("mount_answers", float(answers), (("mount", shown(mount.path, 80)),)))
        cells = (mount.path, Foreign(mount.kind), mount.source, Foreign(said.encode()))
        lines.append(Line(cells, Health.OK if answers else Health.CRIT))
    return (*samples, Table("shared mounts", ("mount", "type", "from", "answers"), tuple(lines), len(mounts)))


BOARD = Board(
    "hosts",
    "shared mounts",
    (Metric("mount_answers", "answers", crit=0.0, falls=True, means="1: within 2 s; 0: it hangs, or fails"),),
    order=22,
)

PROBE = Probe("host_mounts", None, run, every=30.0, needs=Needs(binary=("cat", "timeout", "stat")), board=BOARD)
