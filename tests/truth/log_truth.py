"""What a Postfix log says, counted slowly and independently: the truth that the book is held against.

It knows the lab by heart (who the filter is, what the archive's domain is) and nothing of mailtop.
"""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass, field

from maillab.containers import address
from maillab.lab import Lab

_DELIVERY = re.compile(
    r"postfix\S*/(\w+)\[\d+\]: (\w+): to=<([^>]*)>, (?:orig_to=<[^>]*>, )?relay=(\S+), .*?status=([\w-]+) \((.*)\)$"
)
_TAKEN = re.compile(r"smtpd\[\d+\]: (\w+): client=[^\[]*\[([\d.]+)\]")
_PICKUP = re.compile(r"pickup\[\d+\]: (\w+): uid=\d+ from=<")
_REJECT = re.compile(r"smtpd\[\d+\]: \w+: reject: \w+ from \S+: (\d{3}) ")


@dataclass
class Truth:
    """`deliveries` by (hop, status), one a recipient and attempt; `accepted` messages, `rejects` by code."""

    deliveries: Counter[tuple[str, str]] = field(default_factory=Counter)
    rejects: Counter[int] = field(default_factory=Counter)
    accepted: int = 0


def truth_of(lab: Lab, container: str, since: int) -> Truth:
    """Count everything that a container's log says since a second."""
    truth, filters = Truth(), address("amavis")
    for line in lab.logs(container, since).splitlines():
        if found := _DELIVERY.search(line):
            program, _, recipient, relay, status, reason = found.groups()
            if status == "sent" and "discarded, id=" in reason:
                status = "discarded"
            truth.deliveries[_hop(program, recipient, relay, reason), status] += 1
        elif found := _TAKEN.search(line):
            truth.accepted += found[2] != filters
        elif _PICKUP.search(line) and "orig_id=" not in line:
            truth.accepted += 1
        elif found := _REJECT.search(line):
            truth.rejects[int(found[1])] += 1
    return truth


def _hop(program: str, recipient: str, relay: str, reason: str) -> str:
    if "amavis" in relay or (relay == "none" and "amavis" in reason):
        return "filter"
    if recipient.endswith("@archive.local"):
        return "archive"
    return "mailbox" if program == "lmtp" else "remote"
