"""What runs on a host: its containers and its own services, and the roles they play.

What runs tells a role before what it is called does: the processes, then a label, a name or the image, then the ports.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import TypeVar

import msgspec
from msgspec import Struct

from mailtop.model import services
from mailtop.model.ask import Asking, Command, Engine
from mailtop.model.errors import LinkLost, MailtopError, ParseError
from mailtop.model.topology import Role, Target
from mailtop.parse import processes
from mailtop.parse.processes import Processes

NAME = "discovery"
EVERY = 10.0  # seconds: a container that is re-created is found again within that
LOOK_EVERY = 60.0  # seconds between two looks at processes

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]*")
_LABELS = ("com.docker.compose.service", "org.opencontainers.image.title")
_KEEP = ("Id", "Names", "Image", "State", "Ports", *(f"Labels.{label}" for label in _LABELS))
_INSTANCE = re.compile(rb"(\S+)\s+\S+\s+y\s+(/\S+)\s*")
_BOOT = re.compile(rb"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.MULTILINE)
_Told = TypeVar("_Told")
_WHO = Command(("cat", "/etc/machine-id", "/proc/sys/kernel/random/boot_id", "/proc/sys/kernel/hostname"))


class Container(Struct, frozen=True):
    """One container, running or not. `id`: 64 hex digits. `state`: Docker's word. `labels`: the words that tell a role.

    `ports`: those that its image or its start names; `published`: what they are on the host.
    """

    id: str
    name: str
    image: str
    state: str
    labels: tuple[str, ...] = ()
    ports: tuple[int, ...] = ()
    published: tuple[int, ...] = ()


class _Port(Struct, rename="pascal"):
    private_port: int = 0
    public_port: int = 0


class _Listed(Struct, rename="pascal"):
    id: str
    names: list[str] = []
    image: str = ""
    state: str = ""
    labels: dict[str, str] | None = None
    ports: list[_Port] | None = None


class _Top(Struct, rename="pascal"):
    processes: list[list[str]] | None = None


_listed, _top = msgspec.json.Decoder(list[_Listed]), msgspec.json.Decoder(_Top)


def containers() -> Asking[tuple[Container, ...]]:
    """Ask the Engine for all its containers. A name that Docker would not allow is passed over."""
    answer = yield Engine("/containers/json?all=1", keep=_KEEP)
    try:
        listed = _listed.decode(answer.stdout)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise ParseError("docker", f"the list of containers is not what the Engine sends: {error}") from error
    found = []
    for one in listed:
        name = min((name.lstrip("/") for name in one.names), key=len, default="")
        if _NAME.fullmatch(name):
            labels, ports = one.labels or {}, one.ports or []
            words = tuple(labels[label] for label in _LABELS if label in labels)
            private = tuple(sorted({port.private_port for port in ports}))
            public = tuple(sorted({port.public_port for port in ports if port.public_port}))
            found.append(Container(one.id, name, one.image, one.state, words, private, public))
    return tuple(sorted(found, key=lambda container: container.name))


def engine_id() -> Asking[str]:
    """Ask the Engine who it is; empty where it does not say."""
    answer = yield Engine("/info", keep=("ID",))
    try:
        return str(msgspec.json.decode(answer.stdout, type=dict[str, str]).get("ID", ""))
    except (msgspec.DecodeError, UnicodeDecodeError):
        return ""


def machine() -> Asking[str]:
    """Ask the host who it is: not by an id alone, which clones share; empty where it does not say."""
    answer = yield _WHO
    return answer.stdout.decode("ascii", "replace") if _BOOT.search(answer.stdout) else ""


def look() -> Asking[Processes]:
    """Ask what runs on the host and what it listens on."""
    return processes.read((yield processes.LOOK))


def top(container: Container) -> Asking[frozenset[str]]:
    """Ask the Engine what runs in a container whose processes the host does not show."""
    answer = yield Engine(f"/containers/{container.id}/top?ps_args=-eo%20pid,comm", keep=("Processes",))
    try:
        listed = _top.decode(answer.stdout)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise ParseError("docker", f"the list of processes is not what the Engine sends: {error}") from error
    return frozenset(row[-1] for row in listed.processes or () if row)


def instances(default: Target) -> Asking[dict[Target, bytes]]:
    """Ask a Postfix for its further instances: each is a target of its own, and its name begins its lines in the log.

    Source: postmulti(1).
    """
    answer = yield Command(("postmulti", "-l"), lasts=60.0)
    rows = filter(None, map(_INSTANCE.fullmatch, answer.stdout.splitlines()))
    named = {row[2].decode("utf-8", "surrogateescape"): row[1] for row in rows if row[1] != b"-"}
    return {Target(default.host, default.container, (Role.MTA,), folder): name for folder, name in named.items()}


def roles_of(container: Container, programs: Iterable[str] = ()) -> tuple[Role, ...]:
    """The roles that a container's processes tell, else its labels, its name, its image, its ports.

    >>> roles_of(Container("", "mail-postfix-1", "debian", "running"))
    (<Role.MTA: 'mta'>,)
    >>> roles_of(Container("", "box7", "debian", "running"), ["docker-init", "master", "qmgr"])
    (<Role.MTA: 'mta'>,)
    """
    if roles := services.of_programs(programs):
        return roles
    for text in (*container.labels, container.name, container.image):
        if roles := services.of_words(text):
            return roles
    return services.of_ports(container.ports)


def target_of(host: str, container: Container, given: Mapping[str, Role], programs: Iterable[str] = ()) -> Target:
    """The target that a container is; `given` are roles from the configuration, by target name."""
    role = given.get(f"{host}/{container.name}")
    return Target(host, container.name, (role,) if role else roles_of(container, programs))


def target_of_host(
    host: str, seen: Processes | None, given: Mapping[str, Role], published: Iterable[int] = ()
) -> Target:
    """The target that the host itself is.

    Its ports tell only where its processes are hidden, and without those that are containers' (`published`).
    """
    if host in given:
        return Target(host, "", (given[host],))
    if seen is None:
        return Target(host)
    roles = services.of_programs(seen.own)
    if not roles and not seen.whole:
        roles = services.of_ports(seen.ports - set(published))
    return Target(host, "", roles)


class Finder:
    """What is known of one host's services, gathered by conversations; forgotten with the connection."""

    def __init__(self, host: str, given: Mapping[str, Role], *, docker: bool, shell: bool) -> None:
        self.containers: tuple[Container, ...] = ()
        self.engine = self.machine = ""
        self.seen: Processes | None = None
        self._looked_at = 0.0
        self._host = host
        self._given = given
        self._docker = docker
        self._shell = shell
        self._since: dict[str, float] = {}
        self._again: dict[str, float] = {}
        self._programs: dict[str, frozenset[str]] = {}
        self._instances: dict[Target, dict[Target, bytes]] = {}

    def forget(self) -> None:
        """A new connection may lead to another machine: look again. Until then what was seen holds: a Postfix that is
        nobody's for a moment would lose its place in its log."""
        self.engine = self.machine = ""
        self._looked_at = 0.0
        self._since, self._again = {}, {}

    def who(self) -> Asking[None]:
        """Ask, once a connection, which machine and which Engine this is."""
        if self._shell and not self.machine:
            self.machine = yield from _or(machine(), "")
        if self._docker and not self.engine:
            self.engine = yield from _or(engine_id(), "")

    def listed(self) -> Asking[None]:
        """Ask for the containers; raises what the Engine does."""
        if self._docker:
            self.containers = yield from containers()

    def closer(self, now: float) -> Asking[bool]:
        """Look at what runs: now and then, and as long as something new tells nothing. Has anybody looked?"""
        running = [container for container in self.containers if container.state == "running"]
        due = not self._looked_at or not 0.0 <= now - self._looked_at < LOOK_EVERY
        new = [container for container in running if due or self._untold(container, now)]
        if not due and not new:
            return False
        if self._shell:
            self.seen = yield from _or(look(), None)
        inside = self.seen.inside if self.seen is not None else {}
        for container in new:
            if container.id in inside:
                self._programs[container.id] = inside[container.id]
            elif not services.of_programs(self._programs.get(container.id, ())):
                self._programs[container.id] = yield from _or(top(container), frozenset())
        if due:
            self._looked_at = now
        return True

    def _untold(self, container: Container, now: float) -> bool:
        """Is it new, or does it still start? What goes on telling nothing is asked ever less often, at last as all."""
        since = self._since.setdefault(container.id, now)
        if container.id in self._programs and (
            now - since >= LOOK_EVERY
            or now < self._again.get(container.id, since)
            or roles_of(container, self._programs[container.id])
        ):
            return False
        self._again[container.id] = now + (now - since)
        return True

    def postfixes(self) -> list[Target]:
        """The default instances of all that may have others."""
        return [target for target in self._defaults() if Role.MTA in target.roles and self._runs(target)]

    def told(self, default: Target, further: dict[Target, bytes]) -> bool:
        """Remember the further instances of a Postfix; are they others than before?"""
        before, self._instances[default] = self._instances.get(default, {}), further
        return before != further

    def writers(self, target: Target) -> tuple[bytes, frozenset[bytes]]:
        """By what name a Postfix writes its log where it is a further instance; and the others who write there too."""
        for default, further in self._instances.items():
            if (default.host, default.container) == (target.host, target.container):
                return further.get(target, b""), frozenset(further.values())
        return b"", frozenset()

    def targets(self) -> list[tuple[Target, str]]:
        """All that is known, each with Docker's word for its state: the host first."""
        found = []
        states = {container.name: container.state for container in self.containers}
        for target in self._defaults():
            state = states.get(target.container, "")
            found += [(target, state), *((one, state) for one in self._instances.get(target, ()))]
        return found

    def _defaults(self) -> list[Target]:
        published = [port for container in self.containers for port in container.published]
        own = [target_of_host(self._host, self.seen, self._given, published)] if self._shell else []
        inside = self._programs
        return own + [
            target_of(self._host, container, self._given, inside.get(container.id, ())) for container in self.containers
        ]

    def _runs(self, target: Target) -> bool:
        return not target.container or any(
            container.name == target.container and container.state == "running" for container in self.containers
        )


def _or(asking: Asking[_Told], otherwise: _Told) -> Asking[_Told]:
    """What cannot be told is no reason to stop: another way may tell."""
    try:
        return (yield from asking)
    except LinkLost:
        raise
    except MailtopError:
        return otherwise
