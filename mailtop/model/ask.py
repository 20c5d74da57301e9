"""What can be asked of a target, and what comes back.

Probes, discovery and acts are generators: `answer = yield ask`. They do no I/O; the engine drives them.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator
from typing import Literal, Protocol, TypeVar

from msgspec import Struct
from msgspec.structs import replace

from mailtop.model.errors import CommandFailed, Denied, Missing
from mailtop.model.text import Foreign

Sink = Callable[[bytes], None]
"""Takes an answer piece by piece, in the thread that reads it. What it raises ends the program."""


class Command(Struct, frozen=True, tag=True):
    """Run a program that changes nothing. `argv` is quoted by one function; never a shell string.

    `pipe` holds further programs, each fed by the one before it (the exit status is the last one's).
    `timeout` in seconds ends it on the host too, where the host has `timeout`.
    `large` answers, and all that may take seconds, go through a channel of their own, not through the kept shell.
    `limit` in bytes: what is longer is cut, and `Answer.cut` says so.
    `sink` is given a large answer's stdout as it comes, so that nobody holds it whole; `Answer.stdout` is empty then.
    How it ended is in the Answer: what a sink was given proves nothing before that is here.
    `lasts`: seconds for which an answer holds: asked again meanwhile, on one connection, nobody is asked.
    """

    argv: tuple[str, ...]
    pipe: tuple[tuple[str, ...], ...] = ()
    timeout: float = 10.0
    large: bool = False
    limit: int = 4 << 20
    sink: Sink | None = None
    lasts: float = 0.0


class Put(Struct, frozen=True, tag=True):
    """Run a program that changes something, with `stdin` streamed to it. Only the executor sends one."""

    argv: tuple[str, ...]
    stdin: bytes = b""
    timeout: float = 60.0


class Engine(Struct, frozen=True, tag=True):
    """`GET` a path of the Docker Engine's API, e.g. `/containers/json`. `keep` names the fields that are kept.

    A dot goes into an object (`State.Health.Status`); lists of objects are kept element by element.
    """

    path: str
    keep: tuple[str, ...]
    timeout: float = 10.0


class Tls(Struct, frozen=True, tag=True):
    """Shake hands with a port as the host sees it, and tell what certificate it serves for `name` (SNI; empty: none).

    `starttls`: the protocol that is spoken before, empty where TLS comes first. `Answer.stdout` is one line of
    protocol, cipher and who trusts the chain, then the chain in PEM, the service's own certificate first.
    Raises Missing where nothing listens, CommandFailed where no TLS is offered, Garbled where no handshake succeeds.
    """

    host: str
    port: int
    name: str = ""
    starttls: Literal["", "smtp", "imap", "sieve"] = ""
    timeout: float = 10.0


class Talk(Struct, frozen=True, tag=True):
    """Connect to a port as the host sees it, say something or nothing, and hear one reply; then say goodbye and go.

    A reply is a line; of lines that begin with `220-`, all up to the last, which begins with `220 `. `tls`: after a
    handshake that trusts anybody, for `name` (SNI). `Answer.stdout` is the reply, `took` the seconds until it came.
    Raises Missing where nothing listens, Garbled where no whole reply comes. `key`: what is said, in a word.
    """

    host: str
    port: int
    key: str = ""
    say: bytes = b""
    bye: bytes = b""
    tls: bool = False
    name: str = ""
    timeout: float = 10.0


class Dns(Struct, frozen=True, tag=True):
    """Ask a resolver, as the host sees it, for the records of one `kind` (`MX`, `TXT` …) that a name has.

    `resolver`: its address; empty: the first nameserver of the host's /etc/resolv.conf. `Answer.stdout` is a line of
    the answer's code and the resolver (`NOERROR 192.0.2.53`), then a line for each record of that kind, sorted: its
    data as in a zone file, without name and TTL. Raises Garbled where nobody answers.
    """

    name: str
    kind: str = "A"
    resolver: str = ""
    timeout: float = 5.0


class Follow(Struct, frozen=True, tag=True):
    """Follow a log from a resume point (opaque to all but the client that made it; empty: from `since` on).

    `source` is `docker` for a container's own log, a file's path, or `journald:SELECTOR` (see `parse.journal`).
    `since`: seconds since the epoch; 0 = only new lines. `timed`: wanted is each line's time as the carrier tells it,
    for logs whose lines need not say it themselves. `spare`: only as long as no other ask goes short of it.
    """

    source: str = "docker"
    resume: str = ""
    since: int = 0
    timed: bool = False
    spare: bool = False


PortAsk = Tls | Talk | Dns
"""What is asked of a port, over a socket that is dialled for it."""

Look = Command | Engine | PortAsk
"""What changes nothing, and is answered once."""

Ask = Look | Put | Follow


def ask_key(ask: Ask) -> str:
    r"""Return the one spelling of what is asked, by which recordings and tests find its answer.

    >>> ask_key(Command(("postqueue", "-j"), pipe=(("head", "-n", "9"),))), ask_key(Engine("/info", ("ID",)))
    ('postqueue -j | head -n 9', '/info')
    >>> ask_key(Tls("172.28.0.30", 25, "mail.example.org", "smtp"))
    'tls 172.28.0.30:25 smtp mail.example.org'
    >>> ask_key(Talk("172.28.0.30", 465, tls=True, bye=b"QUIT\\r\\n"))
    'talk 172.28.0.30:465 tls'
    >>> ask_key(Dns("example.org", "MX")), ask_key(Dns("example.org", "MX", "192.0.2.53"))
    ('dns example.org MX', 'dns example.org MX 192.0.2.53')
    """
    if isinstance(ask, Engine):
        return ask.path
    if isinstance(ask, Tls):
        return " ".join(filter(None, ("tls", f"{ask.host}:{ask.port}", ask.starttls, ask.name)))
    if isinstance(ask, Talk):
        return " ".join(filter(None, ("talk", f"{ask.host}:{ask.port}", "tls" if ask.tls else "", ask.key, ask.name)))
    if isinstance(ask, Dns):
        return " ".join(filter(None, ("dns", ask.name, ask.kind, ask.resolver)))
    if isinstance(ask, Follow):
        return ask.source
    pipe = ask.pipe if isinstance(ask, Command) else ()
    return " | ".join(" ".join(argv) for argv in (ask.argv, *pipe))


class Answer(Struct, frozen=True):
    """What a program said. `took`: seconds. `exit` is the program's status; 0 for an API answer.

    >>> Answer(b"", b"mail system is down", 69).ok("postqueue")
    Traceback (most recent call last):
    ...
    mailtop.model.errors.CommandFailed: postqueue: mail system is down (exit 69)
    """

    stdout: bytes
    stderr: bytes = b""
    exit: int = 0
    took: float = 0.0
    cut: bool = False

    def ok(self, thing: str, remedy: str = "") -> bytes:
        """Return stdout, or raise what the exit status means.

        `thing` names the program in the message, `remedy` says what gives the right where that is what is missing.
        """
        if self.exit == 0:
            return self.stdout
        words = (self.stderr.strip() or self.stdout.strip()).splitlines()
        said: bytes = words[-1] if words else b"said nothing"
        if self.exit in (126, 127) or b"executable file not found" in self.stdout:
            raise Missing(thing, Foreign(said))
        if b"ermission denied" in said or b"not permitted" in said or b"not authorized" in said.lower():
            raise Denied(thing, Foreign(said), remedy)
        raise CommandFailed(thing, Foreign(said + b" (exit %d)" % self.exit))


def handed(answer: Answer, ask: Look | Put) -> Answer:
    """Give what is at hand whole to an ask's sink, where it has one; return the answer as whoever asked expects it."""
    if not isinstance(ask, Command) or ask.sink is None:
        return answer
    if answer.stdout:
        ask.sink(answer.stdout)
    return replace(answer, stdout=b"")


class Chunk(Struct, frozen=True):
    """Whole log lines as they came, without the carrier's framing and stamps; ends with a newline.

    `resume` is the point behind the last line. `gap` counts seconds that the source no longer had, 0.0 where none.
    `stamp`: the carrier's time of the last line, seconds since the epoch. `times`: each line's, as doubles, where that
    was wanted and the carrier tells it. `lost`: lines that the source says it did not keep.
    """

    lines: bytes
    resume: str
    stamp: float
    gap: float = 0.0
    times: bytes = b""
    lost: int = 0


class Source(Protocol):
    """Where the bytes of one host come from: a live connection, a recording, a test. Blocking; safe in threads.

    Every call raises from the tree in `errors`: `Unreachable` from `connect`, `AskFailed` from the others.
    """

    def connect(self) -> None:
        """Connect, or return at once when connected."""

    def ask(self, container: str, ask: Look | Put, by: str = "") -> Answer:
        """Ask the host itself (`container` empty) or a container on it. `by` names the probe, for recordings."""

    def follow(self, container: str, follow: Follow) -> Iterator[Chunk]:
        """Yield chunks until the source ends (a restart ends Docker's) or `close`. Never more than 256 KiB each.

        The first chunk comes as soon as the log is known to be followed. It is empty, its `resume` says from where, its
        `stamp` is that of the newest line which is still to come, 0.0 where none is. So a log that says nothing is told
        from one that is still being dialled, or read back.
        """

    def afford(self, thing: str) -> None:
        """Raise Denied where what can wait is not to be asked of containers or of the Engine. `thing`: for what."""

    def alive(self) -> bool:
        """Is the connection up, as far as we know without asking?"""

    def close(self) -> None:
        """End the connection, from any thread; whatever waits on it raises `LinkLost`."""


Yields = TypeVar("Yields")
Asking = Generator[Look, Answer, Yields]
"""A conversation without I/O: it yields asks, is sent answers (or has an `AskFailed` thrown in), and returns."""

Changing = Generator[Look | Put, Answer, Yields]
"""The same for an act that looks and changes in turn; only the executor drives one."""
