"""One GET over a socket of its own: for the first questions, whose answers come sooner than the SDK is imported.

Source: HTTP/1.1, RFC 9112: a body ends after its length, with its last chunk, or with the connection.
"""

from __future__ import annotations

import re
from collections.abc import Callable

from mailtop.client.docker_stream import HEAD_LIMIT, Stream
from mailtop.model.errors import Garbled, LinkLost
from mailtop.model.text import Foreign
from mailtop.transport.deadline import Deadline

BODY_LIMIT = 64 << 20

_STATUS = re.compile(rb"HTTP/1\.[01] (\d{3})\b")
_LENGTH = re.compile(rb"(?mi)^content-length: *(\d+)")
_CHUNKED = re.compile(rb"(?mi)^transfer-encoding: *chunked")
_CHUNK = re.compile(rb"([0-9A-Fa-f]{1,8})[ \t]*(?:;|$)")
_SIZE_LINE = 256  # octets of the line before a chunk


def get(stream: Stream, path: str, timeout: float) -> tuple[int, bytes]:
    """Ask for `path`, within one deadline; the status and the whole body. Raises TimedOut, LinkLost, Garbled."""
    deadline, size = Deadline(timeout), 0

    def more() -> bytes:
        nonlocal size
        octets = stream.receive(deadline.left())
        size += len(octets)
        if size > HEAD_LIMIT + BODY_LIMIT:
            raise Garbled(stream.thing, "an answer of more than 64 MiB")
        return octets

    stream.send(f"GET {path} HTTP/1.1\r\nHost: docker\r\nConnection: close\r\n\r\n".encode("ascii"), timeout)
    buffer = _until(b"\r\n\r\n", bytearray(), more, stream.thing, HEAD_LIMIT)
    head, _, rest = bytes(buffer).partition(b"\r\n\r\n")
    status = _STATUS.match(head)
    if status is None:
        raise Garbled(stream.thing, Foreign(b"not an HTTP answer: " + head[:60]))
    length = _LENGTH.search(head)
    if _CHUNKED.search(head):
        return int(status[1]), _chunks(bytearray(rest), more, stream.thing)
    if length is not None:
        whole = _filled(bytearray(rest), int(length[1]), more, stream.thing)
        return int(status[1]), bytes(whole[: int(length[1])])
    body = bytearray(rest)
    while octets := more():
        body += octets
    return int(status[1]), bytes(body)


def _chunks(buffer: bytearray, more: Callable[[], bytes], thing: str) -> bytes:
    """A body in chunks; what may come behind the last is not read, for the connection is not kept."""
    body = bytearray()
    while True:
        _until(b"\r\n", buffer, more, thing, _SIZE_LINE)
        line, _, _ = bytes(buffer[:_SIZE_LINE]).partition(b"\r\n")
        found = _CHUNK.match(line)
        if found is None:
            raise Garbled(thing, Foreign(b"not a chunk's size: " + line[:60]))
        size = int(found[1], 16)
        if not size:
            return bytes(body)
        start = len(line) + 2
        _filled(buffer, start + size + 2, more, thing)
        body += buffer[start : start + size]
        del buffer[: start + size + 2]


def _until(mark: bytes, buffer: bytearray, more: Callable[[], bytes], thing: str, limit: int) -> bytearray:
    while mark not in buffer[:limit]:
        if len(buffer) > limit:
            raise Garbled(thing, "not an HTTP answer")
        _filled(buffer, len(buffer) + 1, more, thing)
    return buffer


def _filled(buffer: bytearray, size: int, more: Callable[[], bytes], thing: str) -> bytearray:
    while len(buffer) < size:
        octets = more()
        if not octets:
            raise LinkLost(thing, "the Engine ended the connection")
        buffer += octets
    return buffer
