"""What a Postfix is: version, and the settings that its other numbers depend on."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from mailtop.model.ask import Answer, Asking, Command
from mailtop.model.errors import ParseError
from mailtop.model.sample import Fact
from mailtop.model.text import Foreign, shown
from mailtop.model.topology import Role, Target
from mailtop.probe import Found, Needs, Probe

SETTINGS = (
    "mail_version",
    "config_directory",
    "queue_directory",
    "enable_long_queue_ids",
    "hash_queue_names",
    "maximal_queue_lifetime",
    "minimal_backoff_time",
    "qmgr_message_active_limit",
    "content_filter",
)


def read(answer: Answer) -> Iterator[Fact]:
    """Yield `postfix_NAME = value` for the settings that this version knows; every version knows some."""
    found = False
    for line in answer.ok("postconf").splitlines():
        name, sign, value = line.partition(b" =")
        if sign and name.decode("ascii", "replace") in SETTINGS:
            found = True
            yield Fact(f"postfix_{name.decode('ascii')}", shown(Foreign(value.strip()), 200))
    if not found:
        raise ParseError("postconf", f"names no setting: {shown(Foreign(answer.stdout), 80)!r}")


def run(target: Target) -> Asking[Iterable[Found]]:
    """Ask this instance for all of them at once."""
    answer = yield Command(("postconf", *target.config, *SETTINGS))
    return tuple(read(answer))


PROBE = Probe("postfix_settings", Role.MTA, run, every=300.0, needs=Needs(binary=("postconf",)))
