"""What postconf says, and its values: tables, match lists, transports. Source: postconf(1), transport(5)."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from mailtop.model.errors import ParseError
from mailtop.model.text import Foreign, shown

_SEPARATORS = ", \t\r\n"


def settings(stdout: bytes) -> dict[str, str]:
    r"""Return `name = value` lines by name; bytes that are not UTF-8 survive a round trip.

    >>> settings(b"transport_maps = texthash:/etc/postfix/transport\ndefer_transports =\n")
    {'transport_maps': 'texthash:/etc/postfix/transport', 'defer_transports': ''}
    """
    found = {}
    for line in stdout.decode("utf-8", "surrogateescape").splitlines():
        name, sign, value = line.partition(" =")
        if sign:
            found[name] = value.strip()
    return found


def words(value: str) -> list[str]:
    """Split a list at commas and blanks, but not within braces.

    >>> words("inline:{ {a.test = x:y, z} }, proxy:mysql:/etc/m.cf hash:/x")
    ['inline:{ {a.test = x:y, z} }', 'proxy:mysql:/etc/m.cf', 'hash:/x']
    """
    found, depth, word = [], 0, ""
    for character in value:
        if character in _SEPARATORS and not depth:
            found += [word] if word else []
            word = ""
            continue
        depth += (character == "{") - (character == "}")
        word += character
    return [*found, word] if word else found


def without(value: str, word: str) -> str:
    """Return a list without one of its words; all the others stay as they were written.

    >>> without("inline:{a=b:c}, texthash:/etc/postfix/transport", "inline:{a=b:c}")
    'texthash:/etc/postfix/transport'
    >>> without("a, mailtop-pause-1, b", "mailtop-pause-1")
    'a, b'
    >>> without("a, mailtop-pause-1", "mailtop-pause-1"), without("mailtop-pause-10", "mailtop-pause-1")
    ('a', 'mailtop-pause-10')
    """
    edge = rf"[{re.escape(_SEPARATORS)}]"
    found = re.search(rf"(?:\A|(?<={edge})){re.escape(word)}(?=\Z|{edge})", value)
    if found is None:
        return value
    before, after = value[: found.start()], value[found.end() :].lstrip(_SEPARATORS)
    return before + after if after else before.rstrip(_SEPARATORS)


def transport(value: str) -> tuple[str, str]:
    """Return (service, next hop) of `service:nexthop`; either may be empty.

    >>> transport("lmtp:inet:dovecot:24"), transport("smtp"), transport(":[relay]")
    (('lmtp', 'inet:dovecot:24'), ('smtp', ''), ('', '[relay]'))
    """
    service, _, next_hop = value.partition(":")
    return service.strip(), next_hop.strip()


def keys(domain: str, subdomains: bool) -> list[str]:
    """Under what `transport_maps` is searched for a domain, in order. `subdomains`: a domain's row is for those too.

    >>> keys("mx.bigmail.test", False)
    ['mx.bigmail.test', '.bigmail.test', '.test', '*']
    """
    labels = domain.split(".")
    dot = "" if subdomains else "."
    return [domain, *(dot + ".".join(labels[at:]) for at in range(1, len(labels))), "*"]


def found_rows(stdout: bytes) -> dict[str, str]:
    """Return what `postmap -q -` found: a key, a tab and a value a line."""
    rows = {}
    for line in stdout.decode("utf-8", "surrogateescape").splitlines():
        key, tab, value = line.partition("\t")
        if tab:
            rows[key.lower()] = value.strip()
    return rows


def service_line(stdout: bytes, service: str) -> str:
    """Return a service's line of `postconf -M`, its blanks as one; raises ParseError where there is none."""
    for line in stdout.decode("utf-8", "surrogateescape").splitlines():
        columns = line.split(None, 7)
        if len(columns) == 8 and columns[:2] == [service, "unix"]:
            return " ".join(columns)
    name = shown(Foreign(service.encode("utf-8", "surrogateescape")), 60)
    raise ParseError("postconf -M", f"names no service {name!r}")


def literal_match(patterns: Iterable[str], domain: str, parents: bool) -> bool | None:
    """Does a list of names match a domain? None where no pattern does. `!name` says no; the first match counts.

    >>> literal_match(["!sub.a.test", "a.test"], "sub.a.test", True), literal_match(["a.test"], "sub.a.test", False)
    (False, None)
    """
    for pattern in patterns:
        name = pattern.removeprefix("!").lower()
        suffix = name if name.startswith(".") else f".{name}" if parents else ""
        if name == domain or (suffix and domain.endswith(suffix)):
            return not pattern.startswith("!")
    return None


def hashes(stdout: bytes) -> Iterator[str]:
    """Yield what `sha256sum` says of each file, in order."""
    for line in stdout.splitlines():
        digest = line.lstrip(b"\\").split(b" ", 1)[0].decode("ascii", "replace")
        if not re.fullmatch(r"[0-9a-f]{64}", digest):
            raise ParseError("sha256sum", f"says {shown(Foreign(line), 60)!r}")
        yield digest
