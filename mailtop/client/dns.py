"""A question to a resolver: one DNS message over TCP, on a socket that is dialled for it. Source: RFC 1035, 7766.

TCP, because that is what a host's connection carries. A resolver that is silent, or not there, is its own trouble and
not the host's: so that is Garbled, and neither TimedOut nor LinkLost, from which the engine judges the connection.
"""

from __future__ import annotations

import re
import socket
from collections.abc import Callable
from ipaddress import ip_address
from typing import TYPE_CHECKING

from mailtop.model.ask import Answer, Dns
from mailtop.model.errors import Garbled, Missing, TimedOut
from mailtop.transport import Address, TcpAddress
from mailtop.transport.deadline import Deadline

if TYPE_CHECKING:
    from dns.message import Message

PORT = 53


def looked_up(dial: Callable[[Address, float], socket.socket], ask: Dns) -> Answer:
    """Return `CODE RESOLVER` on a line, then a line for each record, in an order that servers do not turn.

    Raises Garbled where there is no answer.
    """
    from dns.exception import DNSException
    from dns.message import make_query
    from dns.rcode import to_text
    from dns.rdatatype import from_text

    deadline, thing = Deadline(ask.timeout), f"resolver {ask.resolver}"
    try:
        kind = from_text(ask.kind)
        query = make_query(ask.name, kind)
    except (DNSException, ValueError, UnicodeError) as error:
        raise Garbled(thing, f"no question for DNS: {ask.name} {ask.kind}") from error
    try:
        sock = dial(TcpAddress(ask.resolver, PORT), ask.timeout)
    except (Missing, TimedOut) as error:
        raise Garbled(thing, error.reason) from error
    try:
        response = _answered(sock, query, deadline)
        found = sorted(one.to_text() for records in response.answer if records.rdtype == kind for one in records)
    except TimeoutError as error:
        raise Garbled(thing, f"no answer within {ask.timeout:g} s") from error
    except OSError as error:
        raise Garbled(thing, f"no answer: {(error.strerror or str(error)).lower()}") from error
    except (DNSException, ValueError) as error:
        raise Garbled(thing, "its answer is not DNS") from error
    finally:
        sock.close()
    text = "\n".join((f"{to_text(response.rcode())} {ask.resolver}", *found, ""))
    return Answer(text.encode("utf-8", "backslashreplace"), took=deadline.took())


def nameserver(resolv_conf: bytes) -> str:
    """Return the address of the first nameserver; raises Missing. Source: resolv.conf(5).

    >>> nameserver(b"# ours\\nsearch example.org\\nnameserver 192.0.2.53\\nnameserver 192.0.2.54\\n")
    '192.0.2.53'
    """
    for word in re.findall(rb"(?m)^[ \t]*nameserver[ \t]+([0-9A-Fa-f.:]+)", resolv_conf):
        try:
            return str(ip_address(word.decode("ascii")))
        except ValueError:
            continue
    raise Missing("/etc/resolv.conf", "names no nameserver", "set resolver in [dns] of config.toml")


def _answered(sock: socket.socket, query: Message, deadline: Deadline) -> Message:
    from dns.message import from_wire

    octets = query.to_wire()
    sock.settimeout(max(deadline.left(), 0.01))
    sock.sendall(len(octets).to_bytes(2, "big") + octets)
    length = int.from_bytes(_read(sock, 2, deadline), "big")
    response = from_wire(_read(sock, length, deadline))
    if not query.is_response(response):
        raise ValueError("answers another question")
    return response


def _read(sock: socket.socket, length: int, deadline: Deadline) -> bytes:
    octets = b""
    while len(octets) < length:
        sock.settimeout(max(deadline.left(), 0.01))
        more = sock.recv(length - len(octets))
        if not more:
            raise OSError("the connection was ended")
        octets += more
    return octets
