"""What runs on a host: its containers and the roles they play."""

from __future__ import annotations

import re
from collections.abc import Mapping

import msgspec
from msgspec import Struct

from mailtop.model.ask import Asking, Engine
from mailtop.model.errors import ParseError
from mailtop.model.topology import Role, Target

NAME = "discovery"
EVERY = 10.0  # seconds: a container that is re-created is found again within that

# A container's name, or else its image's, tells its role: as in the platform's compose file, `mail-postfix-1` too.
ROLES = tuple(
    (re.compile(rf"(?:^|[-_/.]){words}(?=$|[-_:.\d])"), role)
    for words, role in (
        (r"(?:postfix|mta|smtp)", Role.MTA),
        (r"(?:dovecot\d*|imap)", Role.IMAP),
        (r"(?:amavis|amavisd)", Role.FILTER),
        (r"(?:spamassassin|spamd)", Role.ANTISPAM),
        (r"(?:clamav|clamd)", Role.ANTIVIRUS),
        (r"(?:maildb|mariadb|mysql|galera)", Role.DATABASE),
        (r"(?:piler)", Role.ARCHIVE),
        (r"(?:manticore|sphinx|sphinxsearch)", Role.SEARCH),
        (r"(?:wwwapp|nginx|proxy|traefik)", Role.PROXY),
        (r"(?:dns|dnsmasq|unbound)", Role.DNS),
        (r"(?:keepalived|vip)", Role.VIP),
    )
)
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]*")


class Container(Struct, frozen=True):
    """One container, running or not. `id`: 64 hex digits. `state`: Docker's word."""

    id: str
    name: str
    image: str
    state: str


class _Listed(Struct, rename="pascal"):
    id: str
    names: list[str] = []
    image: str = ""
    state: str = ""


def containers() -> Asking[tuple[Container, ...]]:
    """Ask the Engine for all its containers. A name that Docker would not allow is passed over."""
    answer = yield Engine("/containers/json?all=1", keep=("Id", "Names", "Image", "State"))
    try:
        listed = msgspec.json.decode(answer.stdout, type=list[_Listed])
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise ParseError("docker", f"the list of containers is not what the Engine sends: {error}") from error
    found = []
    for one in listed:
        name = min((name.lstrip("/") for name in one.names), key=len, default="")
        if _NAME.fullmatch(name):
            found.append(Container(one.id, name, one.image, one.state))
    return tuple(sorted(found, key=lambda container: container.name))


def roles_of(container: Container) -> tuple[Role, ...]:
    """The roles that a container's name tells, else its image's.

    >>> roles_of(Container("", "mail-postfix-1", "debian", "running"))
    (<Role.MTA: 'mta'>,)
    """
    for text in (container.name, container.image):
        roles = tuple(role for pattern, role in ROLES if pattern.search(text))
        if roles:
            return roles
    return ()


def target_of(host: str, container: Container, given: Mapping[str, Role]) -> Target:
    """The target that a container is; `given` are roles from the configuration, by target name."""
    role = given.get(f"{host}/{container.name}")
    return Target(host, container.name, (role,) if role else roles_of(container))
