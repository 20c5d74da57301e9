"""What there is: platform, hosts, targets, roles, hops."""

from __future__ import annotations

from enum import StrEnum

from msgspec import Struct


class Role(StrEnum):
    """What a target is for."""

    MTA = "mta"
    IMAP = "imap"
    FILTER = "filter"
    ANTISPAM = "antispam"
    ANTIVIRUS = "antivirus"
    DATABASE = "database"
    ARCHIVE = "archive"
    SEARCH = "search"
    PROXY = "proxy"
    VIP = "vip"
    DNS = "dns"


class Hop(StrEnum):
    """A stage on the way of a mail, in the order of the way."""

    IN = "in"
    FILTER = "filter"
    MAILBOX = "mailbox"
    REMOTE = "remote"
    ARCHIVE = "archive"
    SEARCH = "search"


class Target(Struct, frozen=True, order=True):
    """A host, or a container on it: what can be asked. `container` is Docker's name, validated when found.

    `instance`: the config_directory of a further Postfix instance (`postmulti -l`); empty for the default one.
    """

    host: str
    container: str = ""
    roles: tuple[Role, ...] = ()
    instance: str = ""

    @property
    def name(self) -> str:
        """`mail1` or `mail1/postfix`; `mail1/postfix@postfix-out` or `mail1/@postfix-out` for a further instance.

        What stands before the `/` is always the host.
        """
        if self.instance:
            return f"{self.host}/{self.container}@{self.instance.rstrip('/').rpartition('/')[2]}"
        return f"{self.host}/{self.container}" if self.container else self.host

    @property
    def config(self) -> tuple[str, ...]:
        """The option that makes a Postfix program speak of this instance."""
        return ("-c", self.instance) if self.instance else ()


class Identity(Struct, frozen=True):
    """Who a target really is: a name can move (VIP, DNS, re-creation), these do not.

    `machine`: the Engine's id where the target is a container, else /etc/machine-id. `container`: Docker's 64 hex
    digits, or empty. `instance`: Postfix's config_directory.
    """

    machine: str
    container: str = ""
    instance: str = ""
