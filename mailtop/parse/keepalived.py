"""What a host says of its addresses, and of the ones that keepalived may give it.

Sources: ip(8) of iproute2 and of BusyBox with `-o`, one address a line; keepalived.conf(5).
"""

from __future__ import annotations

from ipaddress import ip_address

from msgspec import Struct

from mailtop.model.errors import ParseError
from mailtop.model.text import Foreign, shown

FAMILIES = (b"inet", b"inet6")
BLOCKS = (b"virtual_ipaddress", b"virtual_ipaddress_excluded")


class Vrrp(Struct, frozen=True):
    """What keepalived.conf says. `state` and `priority` of the first instance, empty where it says none."""

    addresses: tuple[str, ...] = ()
    state: str = ""
    priority: str = ""


def held(output: bytes) -> tuple[str, ...]:
    r"""Return the addresses that a host answers for, in order. Raises ParseError where there is none at all.

    Not those of `lo`: a real server behind LVS has the VIP there, and holds it not; nor what each link gives itself.

    >>> held(b"1: lo    inet 127.0.0.1/8 scope host lo\\ valid_lft forever\n2: eth0    inet 10.0.0.5/24 brd 10.0.0.255")
    ('10.0.0.5',)
    """
    found, lines = [], 0
    for line in output.splitlines():
        fields = line.split()
        if len(fields) < 4 or not fields[0].endswith(b":") or fields[2] not in FAMILIES:
            continue
        lines += 1
        address = plain(fields[3])
        if address and fields[1] != b"lo" and not ip_address(address).is_link_local:
            found.append(address)
    if not lines:
        raise ParseError("ip", f"tells no address: {shown(Foreign(output), 80)!r}")
    return tuple(dict.fromkeys(found))


def vrrp(conf: bytes) -> Vrrp:
    r"""Read the lines of keepalived.conf that matter, or all of them.

    >>> vrrp(b"state MASTER\npriority 150\nvirtual_ipaddress {\n10.0.0.9/24 dev eth0 label eth0:1\n}\n")
    Vrrp(addresses=('10.0.0.9',), state='MASTER', priority='150')
    """
    addresses: list[str] = []
    first: dict[bytes, str] = {}
    inside = False
    for line in conf.splitlines():
        words = line.replace(b"{", b" { ").replace(b"}", b" } ").split()
        if not words or words[0][:1] in b"#!":
            continue
        if words[0] in BLOCKS:
            inside, words = True, words[1:]
        elif not inside and words[0] in (b"state", b"priority") and len(words) > 1:
            first.setdefault(words[0], shown(Foreign(words[1]), 20))
        for word in words if inside else ():
            if word == b"}":
                inside = False
                break
            address = plain(word)
            addresses += [address] if address else []
    return Vrrp(tuple(dict.fromkeys(addresses)), first.get(b"state", ""), first.get(b"priority", ""))


def plain(word: bytes) -> str:
    """Return an address without its prefix, as everybody spells it; empty for what is none.

    >>> plain(b"10.0.0.9/24"), plain(b"FD00::0:9"), plain(b"eth0:1")
    ('10.0.0.9', 'fd00::9', '')
    """
    try:
        return str(ip_address(word.partition(b"/")[0].decode("ascii")))
    except ValueError:
        return ""
