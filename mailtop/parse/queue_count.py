"""How many messages each queue directory holds, counted on the host from names alone.

`find` reads directories and no message, `awk` counts there, so no list of names comes over the wire: about 1.1 µs of
host CPU a message. (The times of the hash directories cost 4 ms for any number; but a queue that moves changes all
sixteen of them between two ticks, and one that rests costs little to count.)
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import NamedTuple

from mailtop.model.ask import Answer, Command
from mailtop.model.errors import ParseError
from mailtop.model.mail import Queue, arrival_of
from mailtop.model.sample import Sample
from mailtop.model.text import Foreign, shown

REMEDY = "only root may look into Postfix's queue directories; full listings by postqueue work without"

COST = 1.2e-6
"""Seconds of host CPU a message, and `START` for each run."""

START = 0.015

# A line is `QUEUE MESSAGES OLDEST-LONG-ID`, for each directory that find has really visited. Names shorter than six
# are hash directories. A long id starts with its time in an alphabet that sorts as its digits do, so the smallest is
# the oldest; `""` makes awk compare 12E45678 as text. srand() returns the seed before: the host's time.
_AWK = """NF==%d{seen[$NF];next}
{n=$NF} length(n)<6{next}
{q=$%d;count[q]++} substr(n,11,1)=="z"&&(!(q in least)||n ""<least[q]){least[q]=n}
END{srand();print "now",srand(),"-";for(q in seen)print q,count[q]+0,(q in least)?least[q]:"-"}"""

_NANOSECONDS = 10**17  # from here on: mawk 1.3.4 of 2025 (Debian 13) seeds itself with them, older ones with seconds


class Counted(NamedTuple):
    """One queue directory: messages, and seconds since the oldest arrived, None where no name tells."""

    messages: int
    oldest: float | None = None


def spool(config: tuple[str, ...]) -> Command:
    """Return what asks where the queue is. Half of all asks would be this one: so it is believed for a while."""
    return Command(("postconf", *config, "-h", "queue_directory"), lasts=60.0)


def spool_of(answer: Answer) -> str:
    """Return the path that `postconf -h queue_directory` printed; raises ParseError for what is none."""
    path = answer.ok("postconf").decode("utf-8", "surrogateescape").strip()
    if not path.startswith("/") or "\n" in path:
        raise ParseError("postconf -h queue_directory", f"no path: {shown(Foreign(answer.stdout), 80)!r}")
    return path.rstrip("/")


def command(spool: str, queues: Iterable[Queue]) -> Command:
    """Return the command that counts some of the queues below `spool`."""
    field = spool.count("/") + 2
    find = ("find", *(f"{spool}/{queue.value}" for queue in queues))
    return Command(find, pipe=(("awk", "-F/", _AWK % (field, field)),), timeout=30.0)


def counted(answer: Answer, queues: Iterable[Queue]) -> tuple[float, dict[Queue, Counted]]:
    """Return the host's time (seconds since the epoch; 0.0 where its awk has none) and the counts.

    Each of `queues` must be in the answer, so that a count that was cut short is none.

    >>> counted(Answer(b"now 1795490000 -\\nhold 2 -\\n"), [Queue.HOLD])
    (1795490000.0, {<Queue.HOLD: 'hold'>: Counted(messages=2, oldest=None)})
    """
    _complain(answer)
    now = 0.0
    found: dict[Queue, Counted] = {}
    for line in answer.ok("queue count").splitlines():
        name, number, oldest = _fields(line)
        if name == "now":
            now = float(number // 10**9 if number > _NANOSECONDS else number)
            continue
        arrival = arrival_of(oldest)
        found[Queue(name)] = Counted(number, None if arrival is None or not now else max(0.0, now - arrival))
    missing = [queue.value for queue in queues if queue not in found]
    if missing:
        raise ParseError("queue count", f"nothing said about {', '.join(missing)}")
    return now, found


def samples(answer: Answer, queues: Iterable[Queue]) -> Iterator[Sample]:
    """Yield the host's time and the counts as samples; the age only where names tell it."""
    now, found = counted(answer, queues)
    if now > 1e9:  # an awk whose srand() does not tell the time says 0
        yield Sample("host_clock_seconds", now)
    for queue, (messages, oldest) in found.items():
        yield Sample("postfix_queue_messages", messages, (("queue", queue.value),))
        if oldest is not None and messages:
            yield Sample("postfix_queue_oldest_seconds", oldest, (("queue", queue.value),))


def _complain(answer: Answer) -> None:
    """Raise what find said on stderr: its status is lost in the pipe, and a denied directory would count as empty.

    A file that vanished between reading its directory and looking at it is no complaint.
    """
    said = [line for line in answer.stderr.splitlines() if line.strip() and b"No such file or directory" not in line]
    if said:
        Answer(b"", said[-1], 127 if b"not found" in said[-1] else 1).ok("queue count", REMEDY)


def _fields(line: bytes) -> tuple[str, int, str]:
    fields = line.decode("ascii", "replace").split()
    if len(fields) != 3 or not fields[1].isdigit() or fields[0] not in ("now", *Queue):
        raise ParseError("queue count", f"no line of it: {shown(Foreign(line), 80)!r}")
    return fields[0], int(fields[1]), fields[2]
