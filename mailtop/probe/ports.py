"""Which of a service's ports are open, what they say to whoever connects, and how soon.

Who listens is asked of the kernel, which no service notices. Only where a protocol has a polite end is a port asked
too: a connection that MariaDB's handshake does not end well counts against our address until it is blocked
(`max_connect_errors`), and postscreen would try our patience. What was open, and no longer is, is missed; what never
was, is not offered.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import NamedTuple

from mailtop.model.ask import Answer, Asking, Command, Talk
from mailtop.model.board import Line
from mailtop.model.errors import CommandFailed, Denied, Garbled, Missing
from mailtop.model.health import Health
from mailtop.model.sample import Sample
from mailtop.model.text import Foreign
from mailtop.model.topology import Role, Target
from mailtop.parse import listening
from mailtop.parse.container_address import address
from mailtop.probe import Board, Found, Metric, Needs, Probe, Table

COLUMNS = (">port", "service", ">answers in", "says")
TIMEOUT = 8.0  # seconds: a greeting may be held back on purpose

OPEN = Metric("port_open", "open", crit=0.0, falls=True, means="1: somebody listens; 0: nobody does any more")
ANSWERS = Metric(
    "port_answers", "answers", crit=0.0, falls=True, means="1: it greets, or answers, as its protocol has it; 0: not so"
)
TOOK = Metric("port_answer_seconds", "answers in", "s", 3.0, 8.0, means="until its greeting, or its answer, was there")


class Service(NamedTuple):
    """What a port is for. `good`: how a healthy one's reply begins, empty where it is not asked."""

    name: str
    good: tuple[bytes, ...] = ()
    say: bytes = b""
    bye: bytes = b""
    tls: bool = False


SMTP, SMTPS = (Service(name, (b"220 ", b"220-"), b"", b"QUIT\r\n", name == "smtps") for name in ("smtp", "smtps"))
LMTP = SMTP._replace(name="lmtp")
IMAP, IMAPS = (Service(name, (b"* OK",), b"", b"a LOGOUT\r\n", name == "imaps") for name in ("imap", "imaps"))
POP3, POP3S = (Service(name, (b"+OK",), b"", b"QUIT\r\n", name == "pop3s") for name in ("pop3", "pop3s"))
SIEVE = Service("sieve", (b'"IMPLEMENTATION"', b'"'), b"", b"LOGOUT\r\n")
SPAMD = Service("spamd", (b"SPAMD/",), b"PING SPAMC/1.2\r\n\r\n")
CLAMD = Service("clamd", (b"PONG",), b"nPING\n")

PORTS: Mapping[Role, Mapping[int, Service]] = {
    Role.MTA: {25: SMTP, 465: SMTPS, 587: SMTP, 10025: SMTP, 10026: SMTP, 10027: SMTP},
    Role.IMAP: {24: LMTP, 110: POP3, 143: IMAP, 993: IMAPS, 995: POP3S, 4190: SIEVE},
    Role.FILTER: {10024: SMTP, 10026: SMTP},
    Role.ANTISPAM: {783: SPAMD},
    Role.ANTIVIRUS: {3310: CLAMD},
    Role.DATABASE: {3306: Service("mysql"), 4567: Service("galera")},
    Role.ARCHIVE: {25: SMTP, 2525: SMTP},
    Role.SEARCH: {9306: Service("mysql"), 9312: Service("sphinx")},
    Role.PROXY: {80: Service("http"), 443: Service("https")},
    Role.DNS: {53: Service("domain")},
}


def run(target: Target) -> Asking[Iterable[Found]]:
    """Ask the kernel who listens, then each port that can be reached and has a polite way."""
    if target.instance:
        return ()  # which ports are a further instance's own cannot be told: the default one's block shows all
    wanted = {port: service for role in target.roles for port, service in PORTS.get(role, {}).items()}
    heard = yield Command(listening.LISTEN)
    there = listening.ports(heard.stdout if heard.exit in (1, 2) and not heard.stderr else heard.ok("grep"))
    offered = {port: service for port, service in sorted(wanted.items()) if port in there}
    silent = yield from _silent(target) if any(service.good for service in offered.values()) else _nothing()
    at = yield from _address(target)
    samples: list[Sample] = []
    lines: list[Line] = []
    for port, service in offered.items():
        label = (("port", f"{port}"),)
        samples.append(Sample(OPEN.name, 1, label))
        answer: Answer | str = silent.get(port, "" if there[port] else "not asked: reached from inside only")
        if not answer and service.good and at:
            answer = yield from _asked(at, port, service)
            samples += _told(answer, service, label)
        lines.append(_line(port, service, answer))
    return (*samples, Table("ports", COLUMNS, tuple(lines), len(lines)))


def _nothing() -> Asking[dict[int, str]]:
    """Ask nothing."""
    return {}
    yield  # a conversation all the same


def _silent(target: Target) -> Asking[dict[int, str]]:
    """Ask whether port 25 is postscreen's, or cannot be known not to be: those are left alone."""
    if Role.MTA not in target.roles:
        return {}
    try:
        services = (yield Command(("postconf", *target.config, "-M"), lasts=3600.0)).ok("postconf")
    except (Missing, Denied, CommandFailed):
        return {25: "not asked: it may be postscreen's"}
    rows = [line.split() for line in services.splitlines()]
    screened = any(row[1:2] == [b"inet"] and row[-1:] == [b"postscreen"] for row in rows)
    return {25: "not asked: it is postscreen's"} if screened else {}


def _address(target: Target) -> Asking[str]:
    """Ask where the host reaches it, empty where it does not."""
    try:
        return (yield from address(target))
    except (Missing, Denied, CommandFailed):
        return ""


def _asked(at: str, port: int, service: Service) -> Asking[Answer | str]:
    """Ask a port; return its reply, or why there is none."""
    try:
        return (yield Talk(at, port, service.name, service.say, service.bye, service.tls, timeout=TIMEOUT))
    except (Missing, Garbled) as error:
        return error.reason


def _told(answer: Answer | str, service: Service, label: tuple[tuple[str, str], ...]) -> Iterator[Sample]:
    yield Sample(ANSWERS.name, int(_good(answer, service)), label)
    if isinstance(answer, Answer):
        yield Sample(TOOK.name, round(answer.took, 3), label)


def _good(answer: Answer | str, service: Service) -> bool:
    return isinstance(answer, Answer) and answer.stdout.startswith(service.good)


def _line(port: int, service: Service, answer: Answer | str) -> Line:
    """A row; `answer`: its reply, why there is none, or why it was not asked."""
    said = answer.stdout.splitlines()[-1][:80] if isinstance(answer, Answer) and answer.stdout else b""
    took = f"{answer.took:.2f} s" if isinstance(answer, Answer) else ""
    asked = isinstance(answer, Answer) or (bool(answer) and not answer.startswith("not asked"))
    health = Health.CRIT if asked and not _good(answer, service) else Health.OK
    words = said if isinstance(answer, Answer) else answer.encode()
    cells = (f"{port}".encode(), service.name.encode(), took.encode(), words)
    return Line(tuple(map(Foreign, cells)), max((health, *_slow(answer)), key=_WORSE.index))


_WORSE = (Health.OK, Health.WARN, Health.CRIT)


def _slow(answer: Answer | str) -> Iterator[Health]:
    if isinstance(answer, Answer):
        yield TOOK.health(answer.took)


PROBE = Probe(
    "ports",
    tuple(PORTS),
    run,
    every=100.0,  # three times as seldom while nobody looks
    needs=Needs(binary=("grep",)),
    board=Board("hosts", "ports", (OPEN, ANSWERS, TOOK), order=58, misses=OPEN.name),
)
