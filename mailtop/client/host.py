"""A live host as a `Source`: every kind of ask takes its way over the host's one connection.

| ask                    | way                                                                     |
|------------------------|-------------------------------------------------------------------------|
| Engine                 | the SDK over the Engine's forwarded socket                              |
| Tls, Talk              | a socket of its own, forwarded to the port                              |
| Dns                    | the same, to the resolver                                               |
| Command                | a kept shell, of the host or in the container, in two lanes             |
| Command, large; a Put  | a shell of its own                                                      |
| container without sh   | one exec each                                                           |
| Follow                 | the container's log over a socket of its own; files and the journal are |
|                        | asked for again and again, as Commands                                  |

On a host at most six session channels are open: two lanes, three large answers, one Put; fewer where sshd opens fewer.
"""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from functools import partial
from threading import BoundedSemaphore, Event, Lock, Thread

from msgspec.structs import replace

from mailtop.client.dial_stdio import COMMAND, DialStdio
from mailtop.client.dns import looked_up, nameserver
from mailtop.client.docker import Docker
from mailtop.client.file_shell import ShellFiles
from mailtop.client.journal import Journal
from mailtop.client.log_file import LogFile
from mailtop.client.sessions import Sessions
from mailtop.client.shell import LOGIN, Lanes, run_once
from mailtop.client.talk import reply
from mailtop.client.tls import served
from mailtop.model.ask import Answer, Chunk, Command, Dns, Engine, Follow, Look, Put, Talk, Tls, handed
from mailtop.model.errors import AskFailed, Denied, LinkLost, Missing, NoSession, TimedOut, Unreachable, UsageError
from mailtop.transport import Address, Channel, TcpAddress, Transport, UnixAddress
from mailtop.transport.deadline import Deadline

SOCKET = UnixAddress("/var/run/docker.sock")
LARGE = 3  # session channels for large answers at once
SUBSTITUTES = 6  # `dial-stdio` sessions at once: with two lanes and two others, sshd's MaxSessions of 10

_SHELL = ("/bin/sh",)
_MORE = 'set "AllowStreamLocalForwarding yes" or a larger MaxSessions in its sshd_config'


class LiveHost:
    """One host, asked over `transport`; `docker`: has it an Engine that we may ask, at `engine`?"""

    def __init__(self, transport: Transport, docker: bool = True, engine: Address = SOCKET) -> None:
        self.name = transport.name
        self._transport = transport
        self._engine = engine
        self._docker = Docker(self._dial, self.name) if docker else None
        self._lock = Lock()
        self._lanes: dict[str, Lanes] = {}
        self._shellless: set[str] = set()
        self._large = BoundedSemaphore(LARGE)
        self._put = BoundedSemaphore(1)
        self._substitutes = BoundedSemaphore(SUBSTITUTES)
        self._no_engine = (self.name, "its Docker is not asked", "set docker = true for this host")
        self._forwards = True
        self._sessions = Sessions(transport.open, self._spare)
        self._closed = False
        self._ended = Event()

    def connect(self) -> None:
        """Connect, and try the Engine; one that fails is no reason not to watch the host itself."""
        self._transport.connect()
        if self._docker is not None:
            with suppress(AskFailed):  # each ask of it will say why
                self._docker.ping()
        if not self._transport.alive():
            raise Unreachable(self.name, "the connection was lost at once")

    def ask(self, container: str, ask: Look | Put, by: str = "") -> Answer:  # noqa: ARG002 (for recordings)
        """Ask the host, or a container on it; raises from AskFailed."""
        if isinstance(ask, Engine):
            return self._ask_engine(ask)
        if isinstance(ask, Tls):
            return served(self._transport.dial, ask)
        if isinstance(ask, Talk):
            return reply(self._transport.dial, ask)
        if isinstance(ask, Dns):
            return looked_up(self._transport.dial, ask if ask.resolver else replace(ask, resolver=self._resolver()))
        if container in self._shellless:
            return self._without_shell(container, ask)
        try:
            if isinstance(ask, Put) or ask.large:
                with self._turn(self._put if isinstance(ask, Put) else self._large, ask):
                    return self._once(container, ask)
            return handed(self._ask_shell(container, replace(ask, sink=None)), ask)
        except Missing as error:
            if not container or error.thing != f"{self.name}/{container}: {_SHELL[0]}":
                raise
            return self._without_shell(container, ask)

    def follow(self, container: str, follow: Follow) -> Iterator[Chunk]:
        """Follow a log: a container's own by its Engine, a file or the journal by asking the shell again and again."""
        kind, _, rest = follow.source.partition(":")
        thing = f"{self.name}/{container}" if container else self.name
        if kind == "docker" and (container or self._docker is None):
            if follow.spare:
                self.afford(f"{thing}: log")
            return self._engine_of_host().logs(container, follow.since, follow.resume, timed=follow.timed)
        ask = partial(self.ask, container, by="log")
        if kind.startswith("/"):
            files = ShellFiles(ask, thing)
            following = LogFile(files, follow.source, f"{thing}: {follow.source}", self._wait)
            return following.follow(follow.since, follow.resume)
        if kind == "journald":
            return Journal(ask, rest, f"{thing}: journal", self._wait).follow(follow.since, follow.resume)
        raise Missing(thing, f"{follow.source!r} is no log that can be followed")

    def _wait(self, seconds: float) -> bool:
        """Wait so long; False as soon as the connection is ended."""
        return not self._ended.wait(seconds)

    def afford(self, thing: str) -> None:
        """Where no socket is forwarded each container that is asked, or followed, holds one of sshd's few sessions."""
        if not self._forwards:
            raise Denied(thing, "left out: no socket is forwarded, and sessions are few", _MORE)

    def alive(self) -> bool:
        """Is the connection up, as far as we know without asking?"""
        return not self._closed and self._transport.alive()

    def close(self) -> None:
        """End the connection and all that waits on it, from any thread."""
        self._ended.set()
        with self._lock:
            self._closed = True
            lanes = tuple(self._lanes.values())
        if self._docker is not None:
            self._docker.close()
        for lane in lanes:
            lane.close()
        self._transport.close()

    def _resolver(self) -> str:
        """The one that the host's own programs ask first."""
        return nameserver(self.ask("", Command(("cat", "/etc/resolv.conf"))).ok("/etc/resolv.conf"))

    def _ask_engine(self, ask: Engine) -> Answer:
        took = Deadline(ask.timeout)
        body = self._engine_of_host().get(ask.path, ask.keep, ask.timeout)
        return Answer(body, took=took.took())

    def _engine_of_host(self) -> Docker:
        if self._docker is None:
            raise Missing(*self._no_engine)
        return self._docker

    def _once(self, container: str, ask: Command | Put) -> Answer:
        """By a shell of its own."""
        if container:
            return run_once(self._opener(container), ask)
        return self._sessions.run(
            lambda left: run_once(self._sessions.open, replace(ask, timeout=left)), ask.argv[0], ask.timeout
        )

    def _spare(self) -> bool:
        """End what holds a session of the host's for nothing: idle kept shells; and the Engine's, where it is the only
        one: the host itself comes first."""
        lanes = self._lanes.get("")
        if lanes is not None and lanes.rest():
            return True
        docker = self._docker
        if docker is None or self._forwards or self._sessions.limit != 1:
            return False
        self._no_engine = (f"{self.name}: Docker", "no socket is forwarded, and no session is left", _MORE)
        self._docker = None
        docker.close()
        return True

    def _ask_shell(self, container: str, command: Command) -> Answer:
        """Through a kept shell. A container's shell dies with its container: then once more, through a new one.

        A Command changes nothing, so that a second time is harmless.
        """
        deadline = Deadline(command.timeout)
        if not container:
            lanes = self._lanes_of("")
            return self._sessions.run(
                lambda left: lanes.run(replace(command, timeout=left)), command.argv[0], command.timeout
            )
        try:
            return self._lanes_of(container).run(command)
        except LinkLost:
            if not self.alive():
                raise
        return self._lanes_of(container).run(replace(command, timeout=max(deadline.left(), 0.1)))

    def _lanes_of(self, container: str) -> Lanes:
        with self._lock:
            if self._closed:
                raise LinkLost(self.name, "closed")
            lanes = self._lanes.get(container)
            if lanes is None:
                opener = self._opener(container)
                lanes = self._lanes[container] = Lanes(lambda: opener(LOGIN))
            return lanes

    def _opener(self, container: str) -> Callable[[str], Channel]:
        """What opens a fresh /bin/sh there."""
        if not container:
            return self._sessions.open
        docker = self._engine_of_host()
        return lambda _: docker.exec_channel(container, _SHELL)

    @contextmanager
    def _turn(self, places: BoundedSemaphore, ask: Command | Put) -> Iterator[None]:
        if not places.acquire(timeout=ask.timeout):
            raise TimedOut(ask.argv[0], f"other answers kept the connection busy for {ask.timeout:g} s")
        try:
            yield
        finally:
            places.release()

    def _without_shell(self, container: str, ask: Command | Put) -> Answer:
        """By one exec. A container that is just being stopped seems to have no shell either, and has one when it is
        back: so what fails here too is asked of a shell the next time."""
        self._shellless.discard(container)
        answer = self._exec(container, ask)
        self._shellless.add(container)
        return answer

    def _exec(self, container: str, ask: Command | Put) -> Answer:
        """One exec for one ask, in a container without a shell: no pipe, and no deadline on the host."""
        if isinstance(ask, Command) and ask.pipe:
            raise Missing(f"{self.name}/{container}: {_SHELL[0]}", "not there, and a pipe needs it")
        deadline = Deadline(ask.timeout)
        channel = self._engine_of_host().exec_channel(container, ask.argv, ask.timeout)
        try:
            return handed(_collected(channel, ask, deadline), ask)
        finally:
            channel.close()

    def _dial(self) -> socket.socket:
        """A new socket to the Engine: forwarded, else through a program on the host."""
        if self._forwards:
            try:
                return self._transport.dial(self._engine)
            except (Denied, Missing) as error:
                refused = error
            substitute = self._substitute(refused)
            try:
                self._try(substitute.near)
            except AskFailed:
                if b"permission denied" in substitute.said:
                    refused = Denied(self.name, "permission denied on the Engine's socket")
                if isinstance(refused, Denied):
                    raise Denied(f"{self.name}: Docker", refused.reason, "add the user to group docker") from refused
                raise Missing(f"{self.name}: Docker", refused.reason, refused.remedy) from refused
            self._forwards = False
        return self._substitute(None).near

    def _substitute(self, refused: AskFailed | None) -> DialStdio:
        """Through `docker system dial-stdio`. `refused`: why there is no forwarding, and what to say if this fails."""
        if not self._substitutes.acquire(timeout=2.0):
            remedy = 'set "AllowStreamLocalForwarding yes" in its sshd_config'
            raise Missing(
                f"{self.name}: Docker", f"no socket is forwarded, and {SUBSTITUTES} sessions are used", remedy
            )
        try:
            return DialStdio(self._sessions.open(COMMAND), self._substitutes)
        except NoSession as error:
            self._substitutes.release()
            raise Missing(f"{self.name}: Docker", "no socket is forwarded, and no session is left", _MORE) from error
        except BaseException as error:
            self._substitutes.release()
            if refused is not None and isinstance(error, Denied | Missing):
                raise refused from error
            raise

    def _try(self, sock: socket.socket) -> None:
        """Does an Engine answer there?"""
        probe = Docker(lambda: sock.dup(), self.name)
        try:
            probe.ping()
        finally:
            probe.close()
            sock.close()


def local_engine(environ: Mapping[str, str]) -> Address:
    """Where this machine's Engine listens, by DOCKER_HOST; raises UsageError for what cannot be dialled.

    >>> local_engine({"DOCKER_HOST": "unix:///run/user/1000/docker.sock"})
    UnixAddress(path='/run/user/1000/docker.sock')
    """
    named = environ.get("DOCKER_HOST", "")
    scheme, _, rest = named.partition("://")
    if not named:
        return SOCKET
    if scheme == "unix" and rest.startswith("/"):
        return UnixAddress(rest)
    host, _, port = rest.rstrip("/").rpartition(":")
    if scheme == "tcp" and host and port.isdigit() and not environ.get("DOCKER_TLS_VERIFY"):
        return TcpAddress(host, int(port))
    raise UsageError(
        "DOCKER_HOST", f"{named!r} is not a socket on this machine", "mailtop docker+ssh://HOST goes there"
    )


def _collected(channel: Channel, ask: Command | Put, deadline: Deadline) -> Answer:
    stdout, stderr = bytearray(), bytearray()
    limit = ask.limit if isinstance(ask, Command) else 1 << 20
    Thread(target=_sent, args=(channel, ask, deadline), name="exec-stdin", daemon=True).start()
    while len(stdout) <= limit and len(stderr) <= limit:
        out, err = channel.read(deadline.left())
        if not out and not err:
            return Answer(bytes(stdout), bytes(stderr), channel.exit_status(deadline.left()), deadline.took())
        stdout += out
        stderr += err
    return Answer(bytes(stdout[:limit]), bytes(stderr[:limit]), took=deadline.took(), cut=True)


def _sent(channel: Channel, ask: Command | Put, deadline: Deadline) -> None:
    """In a thread: a program may talk before it has read all that it is told."""
    with suppress(AskFailed):  # the reader hears of it too
        if isinstance(ask, Put):
            channel.send(ask.stdin, deadline.left())
        channel.end_of_input()
