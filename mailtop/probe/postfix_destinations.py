"""Destinations that mailtop has changed here, whoever did it: paused, throttled, rerouted, or left half-way.

The notes lie in a folder of root's, beside Postfix's configuration. Where nobody changed anything there is no folder.
"""

from __future__ import annotations

from collections.abc import Iterable

from mailtop.model.ask import Asking, Command
from mailtop.model.destination import Standing, Standings
from mailtop.model.errors import ParseError
from mailtop.model.topology import Role, Target
from mailtop.parse.postfix_instance import DEFAULT
from mailtop.parse.standing import Kept, noted
from mailtop.probe import Found, Needs, Probe


def run(target: Target) -> Asking[Iterable[Found]]:
    """Ask where the configuration is, then what is noted beside it."""
    answer = yield Command(("postconf", *target.config, "-h", "config_directory"))
    config = answer.ok("postconf").decode("utf-8", "surrogateescape").strip() or DEFAULT
    if not config.startswith("/"):
        raise ParseError("postconf", f"config_directory is no path: {config[:60]!r}")
    return (standings(target.name, (yield from noted(config))),)


def standings(target: str, found: Kept) -> Standings:
    """What is in force, in the order in which it was done, then what was left half-way."""
    changes = found.in_force.changes if found.in_force is not None else ()
    all_ = [Standing(target, one.domain, one.action, one.by, one.at, one.until) for one in changes]
    if (begun := found.under_way) is not None:
        all_.append(Standing(target, begun.domain, begun.action, begun.by, begun.at, half_way=True))
    elif found.begun:
        all_.append(Standing(target, "", "", "", 0.0, half_way=True))
    return Standings(tuple(all_))


PROBE = Probe(
    "postfix_destinations", Role.MTA, run, every=60.0, needs=Needs(binary=("postconf",), root=True, sudo="find")
)
