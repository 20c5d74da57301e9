"""Which hop an attempt was for: read from the relay, the transport and the reason, never from a stranger's words.

A hop is not mail: the way into the filter and the archive's copy are stages of the same message.
"""

from __future__ import annotations

import re

from msgspec import Struct

from mailtop.model.topology import Hop
from mailtop.parse.reason import normalise, site

FILTER, MAILBOX, REMOTE, ARCHIVE = range(4)
HOPS = (Hop.FILTER, Hop.MAILBOX, Hop.REMOTE, Hop.ARCHIVE)

_TRIED = re.compile(  # how Postfix begins a reason; what the peer says comes after `said:`
    rb"(?:delivery temporarily suspended: )?(?:connect to|conversation with|lost connection with|host) "
    rb"([^\s\[\]]+\[[^\s\]]*\](?::\d+)?)"
)
_SOUGHT = re.compile(
    rb"(?:delivery temporarily suspended: )?(?:unable to look up host |"
    rb"Host or domain name not found. Name service error for name=)([^\s:]+)"
)
_MAILBOX_PROGRAMS = frozenset((b"lmtp", b"virtual", b"local", b"pipe"))
_RELAYS = 20_000


class HopRules(Struct, frozen=True):
    """How a site names its hops. Ports and names are those of relays; a transport is a service of master.cf.

    `*_hosts`: names as in `relay=NAME[address]:port`. A recipient's domain alone may say `archive`.
    """

    filter_ports: frozenset[int] = frozenset((10024, 10026))
    filter_hosts: frozenset[bytes] = frozenset((b"amavis",))
    filter_transports: frozenset[bytes] = frozenset((b"amavis", b"smtp-amavis", b"amavisfeed", b"scan", b"filter"))
    archive_ports: frozenset[int] = frozenset((2525,))
    archive_hosts: frozenset[bytes] = frozenset((b"piler", b"archive.local"))
    archive_domains: tuple[bytes, ...] = (b"archive.local",)


class Hops:
    """Finds hops by the rules, and learns the filter's names and addresses from what is delivered to it.

    `addresses`: where the filter is, as seen in relays; mail from there is likely its re-injection.
    """

    def __init__(self, rules: HopRules) -> None:
        self._rules = rules
        self._filter_ports = frozenset(b":%d" % port for port in rules.filter_ports)
        self._archive_ports = frozenset(b":%d" % port for port in rules.archive_ports)
        self._names = set(rules.filter_hosts)
        self._usual: dict[bytes, int] = {}
        self._sites: dict[bytes, bytes] = {}
        self.addresses: set[bytes] = set()
        self.known: dict[bytes, dict[bytes, int]] = {}
        self.archive = tuple(b"@" + domain for domain in rules.archive_domains)

    def of(self, program: bytes, relay: bytes, reason: bytes) -> int:
        """Return the index of the hop in HOPS; what it returns for a relay, `known` holds from then on.

        The caller sees to recipients of an archive domain: past the filter they are the ARCHIVE's.
        """
        if relay == b"none":
            named = _TRIED.match(reason) or _SOUGHT.match(reason)
            return self._classify(program, named[1] if named else b"")
        hop = self._classify(program, relay)
        known = self.known.get(program)
        if known is None:
            known = self.known[program] = {}
        elif len(known) >= _RELAYS:
            known.clear()
        known[relay] = hop
        return hop

    def next_hop(self, hop: int, relay: bytes, recipient: bytes, reason: bytes) -> bytes:
        """Return what the message waits for: the next host's name; outside, as a listing has it, its provider's.

        A reason that names no host leaves the recipient's domain.
        """
        named = _TRIED.match(reason) or _SOUGHT.match(reason)
        if hop != REMOTE:
            if relay != b"none":
                return relay.partition(b"[")[0]
            if named:
                return named[1].partition(b"[")[0]
            return recipient.rpartition(b"@")[2].lower()
        host = named[1].partition(b"[")[0] if named else normalise(reason).next_hop
        return self._site(host) or recipient.rpartition(b"@")[2].lower()

    def _site(self, host: bytes) -> bytes:
        known = self._sites.get(host)
        if known is None:
            if len(self._sites) >= _RELAYS:
                self._sites.clear()
            known = self._sites[host] = site(host)
        return known

    def _classify(self, program: bytes, relay: bytes) -> int:
        """Classify `name[address]:port`, a name, or pipe's transport."""
        rules = self._rules
        host, _, place = relay.partition(b"[")
        address, _, port = place.partition(b"]")
        usual = self._usual.get(program)
        if usual is None:
            usual = self._usual[program] = self._by_transport(program)
        if usual == FILTER or port in self._filter_ports or host in self._names:
            if address:
                self.addresses.add(address)
                self._names.add(host)
            return FILTER
        if usual == MAILBOX and relay in rules.filter_transports and program.endswith(b"pipe"):
            return FILTER
        if port in self._archive_ports or host in rules.archive_hosts:
            return ARCHIVE
        return usual

    def _by_transport(self, program: bytes) -> int:
        service, _, base = program.rpartition(b"/")
        if service in self._rules.filter_transports:
            return FILTER
        return MAILBOX if base in _MAILBOX_PROGRAMS else REMOTE
