"""The Docker SDK over sockets that are dialled for it: short requests, each with one deadline.

Importing this costs 100 ms: `client/docker.py` does so when a first program is started in a container. The SDK's own
way over SSH is never ours and would import paramiko, as much again; an empty module stands there.
"""

# ruff: noqa: E402 — the empty module must be there first
from __future__ import annotations

import http.client
import logging
import socket
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from threading import Lock
from types import ModuleType
from typing import TYPE_CHECKING
from weakref import WeakSet

sys.modules.setdefault("docker.transport.sshconn", ModuleType("docker.transport.sshconn"))

import docker.errors
import requests
import urllib3.connection
import urllib3.connectionpool
from docker import APIClient
from docker.transport.basehttpadapter import BaseHTTPAdapter

from mailtop.client.docker_get import BODY_LIMIT
from mailtop.client.docker_words import START, refusal, unreachable
from mailtop.model.errors import AskFailed, Garbled, LinkLost, TimedOut
from mailtop.transport.deadline import Deadline

if TYPE_CHECKING:
    from typing_extensions import Buffer

logging.getLogger("urllib3.connectionpool").setLevel(logging.ERROR)  # it warns of each connection that is not kept

KEPT = 4  # connections kept between requests; one more is closed after its answer


class Api:
    """One Engine: an SDK client whose connections come from `dial`. Thread-safe."""

    def __init__(self, dial: Callable[[], socket.socket], name: str, version: str) -> None:
        self._name = name
        self._open: WeakSet[_Socket] = WeakSet()
        self._lock = Lock()
        self._closed = False
        self._adapter = _Adapter(lambda: self._dialled(dial))
        self._client = APIClient("unix:///dialled", version=version, timeout=START)
        self._client.trust_env = False
        self._client.mount("http+docker://", self._adapter)

    def get(self, path: str, thing: str, timeout: float) -> bytes:
        """GET a path, version and all; the whole body. Raises from AskFailed, naming `thing`."""
        url = self._client.base_url + path
        with self._explained(thing):
            with self._client.get(url, timeout=timeout, stream=True) as response:
                body = bytearray()
                for piece in response.iter_content(1 << 16):
                    body += piece
                    if len(body) > BODY_LIMIT:
                        raise Garbled(thing, "an answer of more than 64 MiB")
            if response.status_code >= 400:
                raise refusal(thing, response.status_code, bytes(body))
            return bytes(body)

    def create_exec(self, container: str, argv: tuple[str, ...]) -> str:
        """Prepare a program in a container; the exec's id."""
        with self._explained(f"{self._name}/{container}"):
            made = self._client.exec_create(container, list(argv), stdin=True)
            return str(made["Id"])

    def exec_status(self, exec_id: str, container: str) -> int | None:
        """The exit status of an exec, None while it runs."""
        with self._explained(f"{self._name}/{container}"):
            state: Mapping[str, object] = self._client.exec_inspect(exec_id)
        status = state.get("ExitCode")
        return status if isinstance(status, int) and not state.get("Running") else None

    def close(self) -> None:
        """Wake every request under way with LinkLost."""
        with self._lock:
            self._closed = True
            for sock in tuple(self._open):
                _shut(sock)
        self._adapter.close()

    def _dialled(self, dial: Callable[[], socket.socket]) -> _Socket:
        try:
            sock = _Socket(fileno=dial().detach())
        except OSError as error:
            raise unreachable(self._name, error) from error
        with self._lock:
            self._open.add(sock)
            closed = self._closed
        if closed:
            sock.close()
            raise LinkLost(self._name, "closed")
        return sock

    @contextmanager
    def _explained(self, thing: str) -> Iterator[None]:
        try:
            yield
        except docker.errors.APIError as error:
            raise refusal(thing, error.status_code or 500, str(error.explanation or "").encode()) from error
        except (requests.RequestException, urllib3.exceptions.HTTPError, OSError) as error:
            raise _failure(thing, error) from error
        except (docker.errors.DockerException, KeyError, ValueError) as error:
            raise Garbled(thing, "an answer that is no Docker Engine's") from error


class _Socket(socket.socket):
    """A socket whose timeout is one deadline for all that is received, not for each octet."""

    _deadline: Deadline | None = None

    def settimeout(self, value: float | None, /) -> None:
        self._deadline = None if value is None else Deadline(value)
        super().settimeout(value)

    def recv_into(self, buffer: Buffer, nbytes: int = 0, flags: int = 0, /) -> int:
        if self._deadline is not None:
            super().settimeout(max(self._deadline.left(), 0.001))
        return super().recv_into(buffer, nbytes, flags)


class _Connection(urllib3.connection.HTTPConnection):
    def __init__(self, dial: Callable[[], _Socket]) -> None:
        super().__init__("localhost")
        self._dial = dial

    def connect(self) -> None:
        self.sock = self._dial()
        self.sock.settimeout(self.timeout if isinstance(self.timeout, int | float) else None)


class _Pool(urllib3.connectionpool.HTTPConnectionPool):
    def __init__(self, dial: Callable[[], _Socket]) -> None:
        super().__init__("localhost", maxsize=KEPT)
        self._dial = dial

    def _new_conn(self) -> _Connection:
        return _Connection(self._dial)


class _Adapter(BaseHTTPAdapter):
    def __init__(self, dial: Callable[[], _Socket]) -> None:
        super().__init__()
        self._pool = _Pool(dial)

    def get_connection(self, *_: object) -> _Pool:
        return self._pool

    def request_url(self, request: requests.PreparedRequest, *_: object) -> str:
        return request.path_url

    def close(self) -> None:
        super().close()
        self._pool.close()


def _failure(thing: str, error: BaseException) -> AskFailed:
    """What lies under the layers of requests and urllib3."""
    inner: BaseException | None = error
    while inner is not None:
        if isinstance(inner, TimeoutError | requests.Timeout):
            return TimedOut(thing, "the Engine does not answer within the deadline")
        if isinstance(inner, http.client.RemoteDisconnected | ConnectionError | http.client.IncompleteRead):
            return LinkLost(thing, "the Engine ended the connection")
        if isinstance(inner, http.client.HTTPException):
            return Garbled(thing, "not an HTTP answer")
        inner = inner.__cause__ or inner.__context__
    return LinkLost(thing, "the connection to the Engine was lost")


def _shut(sock: socket.socket) -> None:
    with suppress(OSError):  # the other side was faster
        sock.shutdown(socket.SHUT_RDWR)
