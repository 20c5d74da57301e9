"""Do the pages answer that a proxy serves: webmail, archive? Each of its names is asked for `/`, as a browser would.

The names are nginx's own `server_name`s, asked for seldom. A page that the service behind it fails to give answers
with 5xx; one behind a login (401, 403) answers well. We are visitors in its access log: as `mailtop`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from mailtop.model.ask import Answer, Asking, Command, Talk
from mailtop.model.board import Line
from mailtop.model.errors import Garbled, Missing, ParseError
from mailtop.model.health import Health
from mailtop.model.sample import Sample
from mailtop.model.text import Foreign, shown
from mailtop.model.topology import Role, Target
from mailtop.parse.container_address import address
from mailtop.probe import Board, Found, Metric, Needs, Probe, Table

PAGES = 8
COLUMNS = ("page", ">answers in", "says")

STATUS = Metric(
    "page_status", "status", "", 404.0, 500.0, means="of HTTP: from 500 on the service behind the page fails it"
)
ANSWERS = Metric(
    "page_answers", "answers", crit=0.0, falls=True, means="1: it answers, whatever it says; 0: it does not"
)
TOOK = Metric("page_answer_seconds", "answers in", "s", 2.0, 8.0, means="until the page's first line was there")

# nginx is asked with the very configuration that it runs with, which its title tells; `-T` only reads it
_SCRIPT = r"""
master=$(cat /proc/[0-9]*/cmdline 2>/dev/null | tr '\0' '\n' | grep '^nginx: master process' | head -n 1)
[ -n "$master" ] || { echo "no nginx runs" >&2; exit 1; }
conf=$(printf '%s\n' "$master" | sed -n 's/.* -c \([^ ]*\).*/\1/p')
nginx -T ${conf:+-c "$conf"} 2>/dev/null | sed 's/#.*//' | tr '{;}' '\n' |
    sed -n 's/^[[:space:]]*\(server_name[[:space:]].*\)/\1/p' | head -n 200
"""
NAMES = Command(("sh", "-c", _SCRIPT), lasts=600.0)

_NAME = re.compile(rb"[a-z0-9](?:[a-z0-9-]*[a-z0-9])?(?:\.[a-z0-9](?:[a-z0-9-]*[a-z0-9])?)+", re.IGNORECASE)
_STATUS = re.compile(rb"HTTP/\d(?:\.\d)? (\d{3})(?: [^\r\n]*)?\r?\n")


def run(target: Target) -> Asking[Iterable[Found]]:
    """Ask which names there are, then for each one's page: by TLS, or without where nobody listens for that."""
    names = _names((yield NAMES).ok("nginx"))
    at = yield from address(target)
    samples: list[Sample] = []
    lines: list[Line] = []
    for name in names[:PAGES]:
        try:
            answer = yield from _page(at, name)
            status = _status(answer)
        except (Missing, Garbled, ParseError) as error:
            samples.append(Sample(ANSWERS.name, 0, (("page", name),)))
            lines.append(_line(name, "", error.reason.encode(), Health.CRIT))
            continue
        found = tuple(_told(name, status, answer.took))
        samples += found
        health = max((_METRICS[one.name].health(one.value) for one in found), key=_WORSE.index)
        lines.append(_line(name, f"{answer.took:.2f} s", answer.stdout.strip(), health))
    return (*samples, Table("pages", COLUMNS, tuple(lines), len(names)))


def _names(stdout: bytes) -> list[str]:
    """The names that somebody may ask for: no patterns, and not what nginx says for none."""
    words = [word for line in stdout.splitlines() for word in line.split()[1:]]
    return list(dict.fromkeys(word.decode("ascii").lower() for word in words if _NAME.fullmatch(word)))


def _page(at: str, name: str) -> Asking[Answer]:
    say = f"GET / HTTP/1.1\r\nHost: {name}\r\nUser-Agent: mailtop\r\nAccept: */*\r\nConnection: close\r\n\r\n".encode()
    try:
        return (yield Talk(at, 443, "page", say, tls=True, name=name))
    except Missing:
        return (yield Talk(at, 80, f"page {name}", say))


def _status(answer: Answer) -> int:
    said = _STATUS.fullmatch(answer.stdout)
    if said is None:
        raise ParseError("page", f"says {shown(Foreign(answer.stdout), 60)!r}")
    return int(said[1])


def _told(name: str, status: int, took: float) -> Iterator[Sample]:
    page = (("page", name),)
    yield Sample(ANSWERS.name, 1, page)
    yield Sample(STATUS.name, status, page)
    yield Sample(TOOK.name, round(took, 3), page)


def _line(name: str, took: str, says: bytes, health: Health) -> Line:
    return Line((Foreign(name.encode()), Foreign(took.encode()), Foreign(says[:80])), health)


_METRICS = {metric.name: metric for metric in (ANSWERS, STATUS, TOOK)}
_WORSE = (Health.OK, Health.WARN, Health.CRIT)


def cost(found: tuple[Found, ...], took: float) -> float:  # noqa: ARG001 — the time is mostly the way
    """A handshake and a page for each name."""
    return 0.01 + 0.02 * sum(isinstance(one, Sample) and one.name == ANSWERS.name for one in found)


PROBE = Probe(
    "proxy_pages",
    Role.PROXY,
    run,
    every=60.0,
    needs=Needs(binary=("sh", "nginx")),
    cost=cost,
    board=Board("hosts", "pages", (ANSWERS, STATUS, TOOK), order=56),
)
