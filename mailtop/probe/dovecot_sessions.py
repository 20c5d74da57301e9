"""Who is logged in, by which protocol and from where: `doveadm who`."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator

from mailtop.model.ask import Answer, Asking, Command
from mailtop.model.board import Line
from mailtop.model.health import Health
from mailtop.model.sample import Sample
from mailtop.model.text import Foreign, shown
from mailtop.model.topology import Role, Target
from mailtop.parse import dovecot
from mailtop.probe import Board, Found, Metric, Needs, Probe, Table

LINES = 50
PROTOCOLS = 20  # a series each; Dovecot itself has five
ADDRESSES = 4  # that a line names
NEAR = 0.9  # of `mail_max_userip_connections`: the next device of this user is refused soon

_WHO = Command(("doveadm", "-f", "tab", "who", "-1"))
_LIMIT = Command(("doveconf", "-h", "-f", "protocol=imap", "mail_max_userip_connections"), lasts=600.0)


def run(target: Target) -> Asking[Iterable[Found]]:  # noqa: ARG001 — the same question to all
    """Ask for every connection, and how many one user may have from one address."""
    who = yield _WHO
    rows = dovecot.table("doveadm who", who, b"username", b"proto|service", b"ip")
    return tuple(_read(rows, _limit((yield _LIMIT))))


def _limit(answer: Answer) -> float:
    """Return IMAP connections of a user from one address; without end where that is off (0), or not told."""
    said = answer.stdout.strip()
    told = answer.exit == 0 and said.isdigit() and len(said) < 9
    return (told and int(said)) or float("inf")


def _read(rows: list[tuple[bytes, ...]], limit: float) -> Iterator[Found]:
    """Yield connections, users, both by protocol, and whoever has the most connections."""
    yield Sample("dovecot_connections", len(rows))
    yield Sample("dovecot_users", len({user for user, _, _ in rows}))
    for protocol, count in Counter(protocol for _, protocol, _ in rows).most_common(PROTOCOLS):
        yield Sample("dovecot_sessions", count, (("protocol", shown(Foreign(protocol), 40)),))
    sessions: dict[tuple[bytes, bytes], Counter[bytes]] = {}
    for user, protocol, address in rows:
        sessions.setdefault((user, protocol), Counter())[address] += 1
    most = sorted(sessions.items(), key=lambda one: (-one[1].total(), one[0]))[:LINES]
    lines = tuple(_line(user, protocol, addresses, limit) for (user, protocol), addresses in most)
    yield Table("who is logged in", ("user", "protocol", ">connections", "addresses"), lines, len(sessions))


def _line(user: bytes, protocol: bytes, addresses: Counter[bytes], limit: float) -> Line:
    """One user by one protocol. A person at the limit is no fault of the platform: never worse than warn."""
    named = addresses.most_common(ADDRESSES)
    words = b", ".join(address if count == 1 else b"%s (%d)" % (address, count) for address, count in named)
    if len(addresses) > ADDRESSES:
        words += b" and %d more" % (len(addresses) - ADDRESSES)
    near = protocol == b"imap" and named[0][1] >= NEAR * limit
    cells = (user, protocol, b"%d" % addresses.total(), words)
    return Line(tuple(map(Foreign, cells)), Health.WARN if near else Health.OK)


BOARD = Board(
    "sessions",
    "sessions",
    (
        Metric(
            "dovecot_connections",
            "connections",
            means="of logged in users, by any protocol",
            glance="sessions",
            adds=True,
        ),
        Metric("dovecot_users", "users", means="different users that are logged in"),
        Metric("dovecot_sessions", "by protocol", means="connections of logged in users by this protocol"),
    ),
    order=10,
)

PROBE = Probe(
    "dovecot_sessions",
    Role.IMAP,
    run,
    every=15.0,
    needs=Needs(binary=("doveadm",), root=True, sudo="doveadm"),
    board=BOARD,
)
