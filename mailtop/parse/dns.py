"""What DNS says of a mail domain. Source: the answer to `model.ask.Dns`; RFC 7208 (SPF), 7489 (DMARC), 6376 (DKIM)."""

from __future__ import annotations

import re
from collections.abc import Sequence
from ipaddress import IPv4Address, IPv6Address, ip_address

from msgspec import Struct

from mailtop.model.errors import ParseError
from mailtop.model.health import Health
from mailtop.model.text import Foreign, shown

_HEAD = re.compile(rb"([A-Z]{2,12}\d{0,5}) ([0-9a-fA-F.:]{2,45})\n")
_STRING = re.compile(rb'"((?:[^"\\]|\\.)*)"')
_ESCAPED = re.compile(rb"\\(\d{3}|.)", re.DOTALL)
_ASKS = rb"(?:include:\S+|a(?:[:/]\S+)?|mx(?:[:/]\S+)?|ptr(?::\S+)?|exists:\S+)"
_TERM = re.compile(
    rb"(?i)[+?~-]?(?:all|ip4:[\d./]+|ip6:[0-9a-f:./]+|" + _ASKS + rb")|[a-z][a-z0-9_.-]*=\S*",
)
_LOOKUP = re.compile(rb"(?i)[+?~-]?" + _ASKS + rb"|redirect=\S+")
_LOOKUPS = 10  # a further one makes the whole record void (RFC 7208, 4.6.4)

Verdict = tuple[Health, str]
"""How it is, and why in a few words; empty where it is well."""


class Found(Struct, frozen=True):
    """`code`: NOERROR, NXDOMAIN, SERVFAIL …; `resolver`: who said so; `records`: as in a zone file."""

    code: str
    resolver: str
    records: tuple[bytes, ...] = ()

    @property
    def texts(self) -> tuple[bytes, ...]:
        """Its TXT records, each put together from its strings."""
        return tuple(b"".join(map(_plain, _STRING.findall(record))) for record in self.records)

    @property
    def addresses(self) -> tuple[IPv4Address | IPv6Address, ...]:
        """Its A or AAAA records; raises ParseError."""
        try:
            return tuple(ip_address(record.decode("ascii")) for record in self.records)
        except ValueError as error:
            raise ParseError("dns", f"not an address: {shown(Foreign(self.records[0]), 60)!r}") from error


def found(octets: bytes) -> Found:
    r"""Read an answer; raises ParseError.

    >>> found(b'NOERROR 192.0.2.53\n"v=spf1 mx" " -all"\n').texts
    (b'v=spf1 mx -all',)
    """
    head = _HEAD.match(octets)
    if head is None:
        raise ParseError("dns", f"no answer of a resolver: {shown(Foreign(octets), 60)!r}")
    code, resolver = (word.decode("ascii") for word in head.groups())
    return Found(code, resolver, tuple(octets[head.end() :].splitlines()))


def spf(texts: Sequence[bytes]) -> Verdict:
    """Judge what is to be the one SPF record among a domain's texts.

    >>> [spf([text])[1] for text in (b"v=spf1 mx -all", b"v=spf1 mx +all", b"v=spf1 mx ip4=1", b"v=spf1 mx=all -al")]
    ['', 'lets anyone send', '', "not SPF: '-al'"]
    >>> spf([b"v=spf1 -all", b"v=spf1 mx -all"])[1], spf([b"v=spf10 -all"])[1]
    ('2 records: both are void', 'none')
    """
    ours = [text for text in texts if re.match(rb"(?i)v=spf1(?: |$)", text)]
    if not ours:
        return Health.WARN, "none"
    if len(ours) > 1:
        return Health.CRIT, f"{len(ours)} records: both are void"
    terms = ours[0].split()[1:]
    for term in terms:
        if not _TERM.fullmatch(term):
            return Health.CRIT, f"not SPF: {shown(Foreign(term), 30)!r}"
    if sum(1 for term in terms if _LOOKUP.fullmatch(term)) > _LOOKUPS:
        return Health.CRIT, f"more than {_LOOKUPS} lookups: it is void"
    if any(term.lower() in (b"all", b"+all") for term in terms):
        return Health.WARN, "lets anyone send"
    return Health.OK, ""


def dmarc(texts: Sequence[bytes]) -> Verdict:
    """Judge a domain's DMARC record.

    >>> [dmarc([text])[1] for text in (b"v=DMARC1; p=reject", b"v=DMARC1;rua=mailto:a@b.test", b"v=spf1 -all")]
    ['', 'no policy', 'none']
    """
    ours = [text for text in texts if re.match(rb"v=DMARC1\s*(?:;|$)", text)]
    if not ours:
        return Health.WARN, "none"
    if len(ours) > 1:
        return Health.WARN, f"{len(ours)} records: all are void"
    policy = _tags(ours[0]).get(b"p", b"").lower()
    return (Health.OK, "") if policy in (b"none", b"quarantine", b"reject") else (Health.WARN, "no policy")


def dkim(texts: Sequence[bytes]) -> Verdict:
    """Judge the key behind a selector that we sign with.

    >>> [dkim([text])[1] for text in (b"v=DKIM1; k=rsa; p=MIGf", b"v=DKIM1; p=", b"p=???")], dkim([])[1]
    (['', 'revoked', 'no key'], 'none')
    """
    if not texts:
        return Health.CRIT, "none"
    key = re.sub(rb"\s", b"", _tags(texts[0]).get(b"p", b"?"))
    if not key:
        return Health.CRIT, "revoked"
    return (Health.OK, "") if re.fullmatch(rb"[A-Za-z0-9+/]+={0,2}", key) else (Health.CRIT, "no key")


def _tags(text: bytes) -> dict[bytes, bytes]:
    pairs = (tag.partition(b"=") for tag in text.split(b";"))
    return {name.strip(): value.strip() for name, _, value in pairs}


def _plain(string: bytes) -> bytes:
    return _ESCAPED.sub(lambda one: bytes([int(one[1]) & 255]) if one[1].isdigit() else one[1], string)
