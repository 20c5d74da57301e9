"""How a service is recognised: by the programs that run, by the words of a name, by the port it listens on.

What runs tells most, and what a name says least: a container may be called `box7`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import lru_cache

from mailtop.model.topology import Role

# A process's name as the kernel keeps it: 15 characters, and what a daemon has made of it (`amavisd (master`).
_PROGRAMS = tuple(
    (re.compile(name), role)
    for name, role in (
        (r"n?qmgr|oqmgr", Role.MTA),  # Postfix's master is only called `master`
        (r"dovecot", Role.IMAP),
        (r"amavisd\b.*|amavisd-new\b.*|/usr/s?bin/amavi.*", Role.FILTER),
        (r"spamd( child)?|rspamd\b.*", Role.ANTISPAM),
        (r"clamd", Role.ANTIVIRUS),
        (r"mariadbd|mysqld", Role.DATABASE),
        (r"piler(-smtp)?", Role.ARCHIVE),
        (r"searchd", Role.SEARCH),
        (r"nginx|haproxy|traefik|caddy|apache2|httpd", Role.PROXY),
        (r"dnsmasq|unbound|named", Role.DNS),
        (r"keepalived", Role.VIP),
    )
)

# As in the platform's compose file; `mail-postfix-1` too.
_WORDS = tuple(
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
_BESIDE = re.compile(
    r"(?:^|[-_/.])(?:exporter|backup|metrics|admin|init|logs?)(?=$|[-_:.\d])"
)  # not the service itself

PORTS = {
    25: Role.MTA,
    587: Role.MTA,
    143: Role.IMAP,
    993: Role.IMAP,
    10024: Role.FILTER,
    783: Role.ANTISPAM,
    3310: Role.ANTIVIRUS,
    3306: Role.DATABASE,
    9306: Role.SEARCH,
}
"""Ports that one kind of service listens on, and hardly another."""


def of_programs(names: Iterable[str]) -> tuple[Role, ...]:
    """The roles of what runs, in the order of `Role`.

    >>> of_programs(["master", "qmgr", "spamd child"])
    (<Role.MTA: 'mta'>, <Role.ANTISPAM: 'antispam'>)
    """
    found = frozenset[Role]().union(*map(_of_program, names))
    return tuple(role for role in Role if role in found)


@lru_cache(4096)  # the same few hundred names come at every look
def _of_program(name: str) -> frozenset[Role]:
    return frozenset(role for pattern, role in _PROGRAMS if pattern.fullmatch(name))


def of_words(text: str) -> tuple[Role, ...]:
    """The roles that a container's, a service's or an image's name tells.

    >>> of_words("mail-postfix-1"), of_words("postfix-exporter")
    ((<Role.MTA: 'mta'>,), ())
    """
    return () if _BESIDE.search(text) else tuple(role for pattern, role in _WORDS if pattern.search(text))


def of_ports(ports: Iterable[int]) -> tuple[Role, ...]:
    """The roles that listening ports tell, in the order of `Role`."""
    found = {PORTS[port] for port in ports if port in PORTS}
    return tuple(role for role in Role if role in found)


VERSIONS: dict[Role, tuple[tuple[str, ...], ...]] = {
    Role.MTA: (("postconf", "-h", "mail_version"),),
    Role.IMAP: (("dovecot", "--version"),),
    Role.FILTER: (("amavisd-new", "-V"), ("amavisd", "-V")),
    Role.ANTISPAM: (("spamd", "--version"), ("rspamd", "--version")),
    Role.ANTIVIRUS: (("clamd", "--version"),),
    Role.DATABASE: (("mariadbd", "--version"), ("mysqld", "--version")),
    Role.ARCHIVE: (("piler", "-v"),),
    Role.SEARCH: (("searchd", "--help"),),
    Role.PROXY: (("nginx", "-v"), ("haproxy", "-v"), ("apache2", "-v"), ("traefik", "version")),
    Role.DNS: (("dnsmasq", "--version"), ("unbound", "-V"), ("named", "-v")),
    Role.VIP: (("keepalived", "--version"),),
}
"""Programs that tell the version of what plays a role; the first that is there does."""
