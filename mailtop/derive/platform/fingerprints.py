"""Are the nodes set up alike? Of each service that several hosts run, what is equal and what differs."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from mailtop.derive.platform import Derived, Seen, host_of
from mailtop.model.board import Block, Line, Metric, Table
from mailtop.model.health import Health
from mailtop.model.sample import Fact, Sample
from mailtop.model.text import Foreign

PROBES = ("mta_fingerprints", "imap_fingerprints", "filter_fingerprints")
DENIED = "denied"


def find(seen: Seen) -> Iterator[Sample | Fact | Table]:
    """Yield a row for each kind of fingerprint of each service that is on several hosts."""
    lines = []
    for probe in PROBES:
        for service, members in _groups(seen.of(probe)):
            blind = [one.target for one in members if one.stale]
            for kind in dict.fromkeys(name for one in members for name, _ in one.words):
                said = {one.target: dict(one.words).get(kind, "none") for one in members if not one.stale}
                lacks = blind + [target for target, value in said.items() if value == DENIED]
                values = {value for value in said.values() if value != DENIED}
                if len(values) > 1 or not lacks:
                    yield Sample("fingerprints_differ", float(len(values) > 1), (("of", f"{service} {kind}"),))
                lines.append(_line(service, kind, said, differs=len(values) > 1, lacks=lacks))
            if blind and len(blind) == len(members):
                lines.append(_line(service, "fingerprints", {}, differs=False, lacks=blind))
    if lines:
        yield Table("", ("service", "of both nodes", ""), tuple(lines), len(lines))


def _groups(blocks: Sequence[Block]) -> Iterator[tuple[str, list[Block]]]:
    """Put a service's nodes together: where each host has one of the kind, these; else those of one name."""
    of_hosts = {host_of(one.target) for one in blocks}
    alone = len(of_hosts) == len(blocks)
    groups: dict[str, list[Block]] = {}
    for one in blocks:
        name = one.target.partition("/")[2] or one.probe.partition("_")[0]
        groups.setdefault(one.probe if alone else name, []).append(one)
    for members in groups.values():
        if len({host_of(one.target) for one in members}) > 1:
            yield members[0].target.partition("/")[2] or members[0].probe.partition("_")[0], members


def _line(service: str, kind: str, said: dict[str, str], *, differs: bool, lacks: Sequence[str]) -> Line:
    words, health = f"{kind} equal", Health.OK
    why = ""
    if differs:
        words, health = f"{kind} differ", Health.WARN
        why = ", ".join(f"{host_of(target)} {value[:8]}" for target, value in said.items())
    elif lacks:
        words, health, why = f"{kind} not known", Health.UNKNOWN, ", ".join(dict.fromkeys(lacks))
    return Line(tuple(Foreign(text.encode()) for text in (service, words, why)), health)


FINGERPRINTS = Derived(
    "fingerprints",
    "replication",
    "alike",
    find,
    (
        Metric(
            "fingerprints_differ",
            "differ",
            warn=1.0,
            means="1: a service's settings, maps, certificates or DKIM keys are not the same on all its hosts",
        ),
    ),
    of=PROBES,
    order=40,
)
