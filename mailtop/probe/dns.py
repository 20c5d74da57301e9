"""What the world is told of our domains: MX, SPF, DKIM, DMARC, MTA-STS, TLSA, our own name, and who lists us.

Asked of a resolver, as the host sees it, one question after the other. One that stays silent twice in a row is not
asked on: what it was not asked is not known. The domains are those of the settings, else what Postfix names openly;
domains within a table are not found.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from ipaddress import IPv4Address, IPv6Address

from mailtop.config import DnsSettings, Settings
from mailtop.model.ask import Asking, Command, Dns
from mailtop.model.board import Line
from mailtop.model.errors import Garbled
from mailtop.model.health import Health
from mailtop.model.sample import Fact, Sample
from mailtop.model.text import Foreign, shown
from mailtop.model.topology import Role, Target
from mailtop.parse import dns
from mailtop.probe import Board, Metric, Needs, Probe, Run, Table
from mailtop.probe import Found as Findings

DOMAINS, HOSTS, LINES = 10, 4, 50  # at most: domains, servers or addresses of one name, rows
SILENT = 2  # questions without an answer, one after the other, after which a resolver counts as dead

UP = Metric(
    "dns_up", "resolver", "", crit=0.0, falls=True, means="1: the host's resolver answers; 0: silent, twice in a row"
)
SECONDS = Metric("dns_seconds", "slowest answer", "s", 1.0, 5.0, means="the resolver's, of one run")
FAILED = Metric("dns_failed", "failed", "", crit=1.0, means="names for which the resolver tells an error (SERVFAIL)")
LISTED = Metric(
    "dns_listed", "listed", "", crit=1.0, means="blocklists on which a public address of ours is", glance="DNSBL"
)
MISSING = Metric(
    "dns_missing", "missing", "", warn=1.0, means="records that a mail domain needs, and that are not there or void"
)

_NAME = re.compile(r"(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z][a-z0-9-]{1,62}")
_VALUES = ("myhostname", "mydomain", "virtual_mailbox_domains", "mydestination")
_COLUMNS = ("name", "type", "answer", "state")
_BAD = ("SERVFAIL", "REFUSED", "FORMERR", "NOTIMP", "NOTAUTH")


Address = IPv4Address | IPv6Address


class _Resolver:
    """One conversation with it: how it was, and the rows so far."""

    def __init__(self, address: str) -> None:
        self.address = address
        self.slowest = 0.0
        self.answers = self.silent = self.failed = self.missing = self.listed = 0
        self.why = ""
        self.lines: list[Line] = []
        self.servers = set[str]()

    @property
    def dead(self) -> bool:
        return self.silent >= SILENT

    def ask(self, name: str, kind: str, *, theirs: bool = False) -> Asking[dns.Found | None]:
        """Return what it says; None where it says nothing, which a row tells. `theirs`: a zone not ours to mend."""
        if self.dead:
            return None
        try:
            answer = yield Dns(name, kind, self.address)
        except Garbled as error:
            self.silent += 1
            self.why = error.reason if isinstance(error.reason, str) else shown(error.reason, 100)
            self.row(name, kind, (), Health.UNKNOWN, self.why)
            return None
        found = dns.found(answer.stdout)
        self.silent, self.answers, self.address = 0, self.answers + 1, found.resolver
        self.slowest = max(self.slowest, answer.took)
        if found.code in _BAD:
            self.failed += not theirs
            self.row(name, kind, (), Health.UNKNOWN if theirs else Health.CRIT, found.code)
            return None
        return found

    def row(self, name: str, kind: str, records: Iterable[bytes], health: Health = Health.OK, state: str = "") -> None:
        """`state`: what is wrong, or said of it."""
        cells = (name.encode(), kind.encode(), b", ".join(records)[:200], (state or "ok").encode())
        self.lines.append(Line(tuple(map(Foreign, cells)), health))

    def lacks(self, name: str, kind: str, records: Iterable[bytes], health: Health, state: str) -> None:
        """A row of what has to be there; it counts where it is not well."""
        self.missing += health is not Health.OK
        self.row(name, kind, records, health, state)


def by_settings(settings: Settings) -> Run:
    """As the platform's [dns] says."""

    def run(target: Target) -> Asking[Iterable[Findings]]:
        return (yield from _looked_up(target, settings.dns))

    return run


def _looked_up(target: Target, settings: DnsSettings) -> Asking[Iterable[Findings]]:
    host, named = _named((yield Command(("postconf", *target.config, "-x", "-h", *_VALUES))).ok("postconf"))
    domains = settings.domains or named
    resolver = _Resolver(settings.resolver)
    addresses = yield from _of_host(resolver, host)
    for domain in domains[:DOMAINS]:
        yield from _of_domain(resolver, domain.rstrip("."), settings.selectors)
    yield from _listed(resolver, addresses, settings.blocklists)
    return _findings(resolver, domains)


def _named(stdout: bytes) -> tuple[str, tuple[str, ...]]:
    """The host's own name, and the domains of ours among the values, which are in the order of `_VALUES`."""
    host, *values = stdout.decode("utf-8", "backslashreplace").lower().split("\n")
    words = (word for value in values for word in re.split(r"[,\s]+", value))
    names = (name for name in words if name != host and not name.startswith("localhost") and _NAME.fullmatch(name))
    return host, tuple(dict.fromkeys(names))


def _of_host(resolver: _Resolver, host: str) -> Asking[Sequence[Address]]:
    """Is the name with which the host introduces itself its addresses' own? Return the public ones."""
    if not _NAME.fullmatch(host):
        return ()
    addresses = yield from _addresses(resolver, host)
    public = [one for one in addresses or () if one.is_global]  # who is behind NAT has another name outside
    for address in public[:HOSTS]:
        back = yield from resolver.ask(address.reverse_pointer, "PTR")
        if back is not None:
            own = f"{host}.".encode() in (one.lower() for one in back.records)
            state = "" if own else f"is not {host}" if back.records else "none"
            resolver.lacks(str(address), "PTR", back.records, Health.OK if own else Health.WARN, state)
    return public


def _addresses(resolver: _Resolver, host: str) -> Asking[Sequence[Address] | None]:
    """A server's addresses; None where they are not known."""
    found = yield from resolver.ask(host, "A")
    if found is None:
        return None
    kind = "A"
    if not found.records:
        kind = "AAAA"
        found = yield from resolver.ask(host, kind)
        if found is None:
            return None
    health, state = (Health.OK, "") if found.records else (Health.CRIT, "no address")
    resolver.lacks(host, kind, found.records, health, state)
    return found.addresses


def _of_domain(resolver: _Resolver, domain: str, selectors: Sequence[str]) -> Asking[None]:
    yield from _servers(resolver, domain)
    yield from _text(resolver, domain, "SPF", dns.spf, lambda text: text[:6].lower() == b"v=spf1")
    yield from _text(resolver, f"_dmarc.{domain}", "DMARC", dns.dmarc)
    for selector in selectors:
        yield from _text(resolver, f"{selector}._domainkey.{domain}", "DKIM", dns.dkim)
    policy = yield from resolver.ask(f"_mta-sts.{domain}", "TXT")
    if policy is not None:
        _optional(resolver, f"_mta-sts.{domain}", "MTA-STS", [one for one in policy.texts if one[:7] == b"v=STSv1"])


def _servers(resolver: _Resolver, domain: str) -> Asking[None]:
    found = yield from resolver.ask(domain, "MX")
    if found is None:
        return
    servers = [one.decode("ascii", "replace").partition(" ")[2].rstrip(".").lower() for one in found.records]
    if not found.records:
        state = "no such domain" if found.code == "NXDOMAIN" else "none"
    else:
        state = "" if all(servers) else "takes no mail"
    resolver.lacks(domain, "MX", found.records, Health.CRIT if state else Health.OK, state)
    for server in [server for server in servers if server and server not in resolver.servers][:HOSTS]:
        resolver.servers.add(server)
        yield from _addresses(resolver, server)
        keys = yield from resolver.ask(f"_25._tcp.{server}", "TLSA")
        if keys is not None:
            _optional(resolver, f"_25._tcp.{server}", "TLSA", keys.records)


def _optional(resolver: _Resolver, name: str, kind: str, records: Sequence[bytes]) -> None:
    resolver.row(name, kind, records, Health.OK, "" if records else "none, not needed")


def _text(
    resolver: _Resolver,
    name: str,
    kind: str,
    judged: Callable[[Sequence[bytes]], dns.Verdict],
    ours: Callable[[bytes], bool] = bool,
) -> Asking[None]:
    found = yield from resolver.ask(name, "TXT")
    if found is not None:
        resolver.lacks(name, kind, filter(ours, found.texts), *judged(found.texts))


def _listed(resolver: _Resolver, addresses: Sequence[Address], lists: Sequence[str]) -> Asking[None]:
    """Ask each list for these. Of 127.255.255.x it says that it was asked wrongly (RFC 5782, lists)."""
    for address in addresses[:HOSTS]:
        turned = address.reverse_pointer.removesuffix(".in-addr.arpa").removesuffix(".ip6.arpa")
        for zone in lists:
            found = yield from resolver.ask(f"{turned}.{zone}", "A", theirs=True)
            if found is None:
                continue
            health, state = Health.OK, "not listed"
            if any(one.startswith(b"127.") and not one.startswith(b"127.255.255.") for one in found.records):
                health, state = Health.CRIT, "listed"
            elif found.records:
                health, state = Health.UNKNOWN, "refuses to tell"
            resolver.listed += health is Health.CRIT
            resolver.row(f"{address} {zone}", "DNSBL", found.records, health, state)


def _findings(resolver: _Resolver, domains: Sequence[str]) -> Iterable[Findings]:
    lines = sorted(resolver.lines, key=lambda line: _ORDER.get(line.health, len(_ORDER)))
    yield Sample(UP.name, 0 if resolver.dead or not resolver.answers else 1)
    if resolver.answers:
        yield Sample(SECONDS.name, round(resolver.slowest, 3))
        known = not any(line.health is Health.UNKNOWN for line in lines)
        if resolver.failed or known:
            yield Sample(FAILED.name, resolver.failed)
        if resolver.missing or (known and not resolver.failed):
            yield Sample(MISSING.name, resolver.missing)
        if resolver.listed or (known and any(line.cells[1] == b"DNSBL" for line in lines)):
            yield Sample(LISTED.name, resolver.listed)
    yield Fact("resolver", resolver.address or "the host's own")
    if resolver.dead:
        yield Fact("silent", resolver.why)
    yield Fact("domains", ", ".join(domains)[:200] or "none is named openly: set them in [dns]")
    yield Table("DNS", _COLUMNS, tuple(lines[:LINES]), len(lines))


_ORDER = {Health.CRIT: 0, Health.WARN: 1, Health.UNKNOWN: 2}

PROBE = Probe(
    "dns",
    Role.MTA,
    by_settings(Settings()),
    every=300.0,
    needs=Needs(binary=("postconf",)),
    board=Board("hosts", "DNS", (UP, SECONDS, FAILED, MISSING, LISTED), order=65),
    by_settings=by_settings,
)
