"""One reply of a port, over a socket that is dialled for it, and a polite end: who just goes is logged as lost.

What a service does wrong is its own trouble and not the host's: so a silent one is Garbled, see `client.tls`.
"""

from __future__ import annotations

import re
import socket
import ssl
from collections.abc import Callable
from contextlib import suppress

from mailtop.client.tls import anybody
from mailtop.model.ask import Answer, Talk
from mailtop.model.errors import Garbled
from mailtop.model.text import Foreign
from mailtop.transport import Address, TcpAddress
from mailtop.transport.deadline import Deadline

LIMIT = 4096  # octets of a reply
REST = 64 << 10  # octets of what comes behind it, which nobody wants, and the seconds that it may take
LEAVE = 1.0

_REPLY = re.compile(rb"(?:\d{3}-[^\n]*\n)*(?!\d{3}-)[^\n]*\n")  # RFC 5321, 4.2.1; of others: a line


def reply(dial: Callable[[Address, float], socket.socket], ask: Talk) -> Answer:
    """Return the reply; raises what `dial` does (Missing where nothing listens), and Garbled where none comes."""
    deadline, thing = Deadline(ask.timeout), f"{ask.host}:{ask.port}"
    sock = dial(TcpAddress(ask.host, ask.port), ask.timeout)
    try:
        sock.settimeout(max(deadline.left(), 0.01))
        if ask.tls:
            tls = anybody().wrap_socket(sock, server_hostname=ask.name or None, do_handshake_on_connect=False)
            sock = tls
            tls.do_handshake()
        sock.sendall(ask.say)
        said = _heard(sock, deadline, thing)
        took = deadline.took()
        _leave(sock, ask.bye)
    except TimeoutError as error:
        raise Garbled(thing, f"silent for {ask.timeout:g} s") from error
    except ssl.SSLError as error:
        raise Garbled(thing, f"no handshake: {(error.reason or 'failed').lower().replace('_', ' ')}") from error
    except (OSError, UnicodeError) as error:
        raise Garbled(thing, str(getattr(error, "strerror", None) or error).lower()) from error
    finally:
        sock.close()
    return Answer(said, took=took)


def _heard(sock: socket.socket, deadline: Deadline, thing: str) -> bytes:
    said = b""
    while (whole := _REPLY.match(said)) is None:
        if len(said) > LIMIT:
            raise Garbled(thing, Foreign(b"does not end its line: " + said[:60]))
        sock.settimeout(max(deadline.left(), 0.01))
        if not (octets := sock.recv(LIMIT)):
            raise Garbled(thing, Foreign(b"ended the connection" + (b" after " + said[:60] if said else b"")))
        said += octets
    return whole[0]


def _leave(sock: socket.socket, bye: bytes) -> None:
    """Say goodbye, and wait a moment for the other to end: what nobody reads would end the connection with a reset."""
    leave, rest = Deadline(LEAVE), 0
    with suppress(OSError):  # all is known already
        sock.sendall(bye)
        while rest < REST and leave.left():
            sock.settimeout(max(leave.left(), 0.01))
            if not (octets := sock.recv(REST)):
                return
            rest += len(octets)
