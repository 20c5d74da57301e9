"""How a recipient domain is delivered now: the way that trivial-rewrite goes, asked step by step.

Source: Postfix's ADDRESS_CLASS_README, transport(5), postconf(5). The class of the domain (local, virtual alias,
virtual mailbox, relay, else default) gives a transport and a next hop; a row of `transport_maps` may change both.
"""

from __future__ import annotations

from typing import NamedTuple

from mailtop.model.ask import Asking, Command
from mailtop.model.errors import CommandFailed, Refused
from mailtop.model.text import Foreign
from mailtop.parse.postfix_settings import found_rows, keys, literal_match, service_line, settings, transport, words

PROBED = "mailtop-looks-for-a-row"  # a local part that nobody has: what a table says of it, it says of every address
LISTS = ("mydestination", "virtual_alias_domains", "virtual_mailbox_domains", "relay_domains")
CLASSES = dict(zip(LISTS, ("local_transport", "", "virtual_transport", "relay_transport"), strict=True))
BY_SENDER = ("sender_dependent_default_transport_maps", "sender_dependent_relayhost_maps")
ASKED = (
    *LISTS,
    *filter(None, CLASSES.values()),
    *BY_SENDER,
    "default_transport",
    "relayhost",
    "transport_maps",
    "defer_transports",
    "parent_domain_matches_subdomains",
    "maximal_queue_lifetime",
    "content_filter",
    "mail_version",
)
LIMITS = (
    "destination_concurrency_limit",
    "destination_recipient_limit",
    "destination_rate_delay",
    "transport_rate_delay",
    "initial_destination_concurrency",
    "destination_concurrency_failed_cohort_limit",
    "destination_concurrency_positive_feedback",
    "destination_concurrency_negative_feedback",
    "delivery_slot_cost",
    "delivery_slot_loan",
    "delivery_slot_discount",
    "minimum_delivery_slots",
    "recipient_limit",
    "extra_recipient_limit",
    "recipient_refill_limit",
    "recipient_refill_delay",
    "time_limit",
)
"""What Postfix looks up under a transport's own name: a clone without them would deliver otherwise."""


class Route(NamedTuple):
    """How a domain is delivered. `line`: its service in master.cf. `limits`: (setting without the name, value).

    `settings`: values with `$name` expanded. `raw`: `transport_maps` and `defer_transports` as they stand in main.cf.
    `by`: what decides, for people. `subdomains`: a row for the domain is for its subdomains too.
    """

    service: str
    next_hop: str
    line: str
    limits: tuple[tuple[str, str], ...]
    settings: dict[str, str]
    raw: dict[str, str]
    by: str
    subdomains: bool

    @property
    def program(self) -> str:
        """The delivery agent: `smtp`, `lmtp`, `pipe` …"""
        return self.line.split(" ", 8)[7]


def route(domain: str, config: tuple[str, ...]) -> Asking[Route]:
    """Ask how mail for a domain is delivered. `config`: `-c` and a folder, for an instance that is not the default.

    Raises Refused where it cannot be told, or is decided address by address.
    """
    expanded = settings((yield Command(("postconf", *config, "-x", *ASKED))).ok("postconf"))
    raw = settings((yield Command(("postconf", *config, "transport_maps", "defer_transports"))).ok("postconf"))
    if _version(expanded.get("mail_version", "")) < (3, 0):
        raise Refused("Postfix", f"{expanded.get('mail_version', 'unknown')} has no inline tables", "3.0 or later does")
    matching = words(expanded.get("parent_domain_matches_subdomains", ""))
    service, next_hop, by = yield from _by_class(domain, expanded, config, "relay_domains" in matching)
    row, table = yield from _by_table(domain, expanded, config, "transport_maps" in matching)
    if row:
        named, hop = transport(row)
        service, next_hop = named or service, hop or (domain if named else next_hop)
        by = table
    if service in ("", "error", "retry", "discard"):
        raise Refused(domain, f"is not delivered anywhere: {service or 'no transport'} by {by}", "nothing to change")
    lines = (yield Command(("postconf", *config, "-M"))).ok("postconf")
    names = tuple(f"{service}_{limit}" for limit in LIMITS)
    known = settings((yield Command(("postconf", *config, *names))).ok("postconf"))
    limits = tuple((limit, known[f"{service}_{limit}"]) for limit in LIMITS if _own(known, service, limit))
    line = service_line(lines, service)
    return Route(service, next_hop, line, limits, expanded, raw, by, "transport_maps" in matching)


def _own(known: dict[str, str], service: str, limit: str) -> bool:
    """Is a limit the service's own, rather than what every service gets?"""
    value = known.get(f"{service}_{limit}", "")
    return bool(value) and not value.startswith(("$default_", "${default_", "$command_", f"${limit}", f"${{{limit}"))


def _version(text: str) -> tuple[int, ...]:
    numbers = text.split("-")[0].split(".")[:2]
    return tuple(int(number) for number in numbers if number.isdigit())


def _by_class(
    domain: str, expanded: dict[str, str], config: tuple[str, ...], parents: bool
) -> Asking[tuple[str, str, str]]:
    """The transport and next hop of a domain's address class, and what names it."""
    for name in LISTS:
        if not (yield from _listed(expanded.get(name, ""), domain, config, parents and name == "relay_domains")):
            continue
        if not CLASSES[name]:
            raise Refused(domain, "is a domain of aliases: its mail goes on to other addresses", "act on those")
        service, next_hop = transport(expanded.get(CLASSES[name], ""))
        relay = expanded.get("relayhost", "") if name == "relay_domains" else ""
        return service, next_hop or relay or domain, CLASSES[name]
    service, next_hop = transport(expanded.get("default_transport", ""))
    by = "relayhost" if expanded.get("relayhost") and not next_hop else "default_transport"
    return service, next_hop or expanded.get("relayhost", "") or domain, by


def _listed(value: str, domain: str, config: tuple[str, ...], parents: bool) -> Asking[bool]:
    """Is a domain in a match list? Names, `type:table`, `/file`, and `!` before any of them."""
    for pattern in words(value):
        name = pattern.removeprefix("!")
        if name.startswith("/"):
            lines = (yield Command(("cat", "--", name))).ok(name, "the list of domains must be readable")
            names = [line for line in lines.decode("utf-8", "replace").split() if not line.startswith("#")]
            found = literal_match(names, domain, parents)
        elif ":" in name and not name.startswith("["):
            found = bool((yield from _looked_up((domain,), name, config))) or None
        else:
            found = literal_match((name,), domain, parents)
        if found is not None:
            return found is not pattern.startswith("!")
    return False


def _by_table(
    domain: str, expanded: dict[str, str], config: tuple[str, ...], subdomains: bool
) -> Asking[tuple[str, str]]:
    """The row of `transport_maps` for a domain, and its table; both empty where none has one."""
    searched = keys(domain, subdomains)
    found: dict[str, tuple[str, str]] = {}
    for table in words(expanded.get("transport_maps", "")):
        rows = yield from _looked_up((*searched, f"{PROBED}@{domain}"), table, config)
        if f"{PROBED}@{domain}" in rows:
            raise Refused(
                domain,
                f"{table} routes its addresses one by one, before any row for the domain is looked at",
                "change that table",
            )
        for key, row in rows.items():
            found.setdefault(key, (row, table))
    return next((found[key] for key in searched if key in found), ("", ""))


def _looked_up(searched: tuple[str, ...], table: str, config: tuple[str, ...]) -> Asking[dict[str, str]]:
    answer = yield Command(("printf", "%s\\n", *searched), pipe=(("postmap", *config, "-q", "-", table),))
    if answer.exit not in (0, 1) or b"fatal:" in answer.stderr or b"error:" in answer.stderr:
        said = (answer.stderr.strip().splitlines() or [b"said nothing"])[-1]
        raise CommandFailed(f"postmap -q {table}", Foreign(said), "how the domain is delivered cannot be told")
    return found_rows(answer.stdout)
