"""The lab's containers: who they are, what they run, and the command that makes each of them.

All of them live on ``intranet-net``, which has no way out. The machine reaches them at their addresses, so no port is
published. The host ``mail1`` speaks for this machine's Engine; ``mail2`` has an Engine of its own inside.
"""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from maillab import images
from maillab.engine import FINGERPRINT, LAB

NETWORK = "intranet-net"
SUBNET = "172.28.0.0/24"
GATEWAY = "172.28.0.1"
VIP = "172.28.0.100"
MAIL2_ENGINE_DATA = "mailtop-lab-mail2"  # volume of the outer Engine that holds mail2's /var/lib/docker
PROJECT = "mailplatform"

SERVICES = Path(__file__).parent.parent / "services"
STATE = Path(__file__).parent.parent / ".state"

# Only where the kernel has FUSE can a mount be made to hang.
FUSE = ("--device", "/dev/fuse") if Path("/dev/fuse").exists() else ()
UNCONFINED = ("--security-opt", "apparmor=unconfined", "--security-opt", "seccomp=unconfined")
HOST_PORTS = (
    "25:postfix:25 587:postfix:587 465:postfix:465 143:dovecot:143 993:dovecot:993 2525:piler:2525 443:wwwapp:443"
)


@dataclass(frozen=True)
class Container:
    """One container of the platform."""

    name: str
    address: str
    image: str = "platform"
    runs: str = ""  # folder below services/ with its start.sh; the name, when empty
    environment: tuple[str, ...] = ()
    mounts: tuple[str, ...] = ()  # further mounts, as for docker run --volume
    options: tuple[str, ...] = ()
    hostname: str = ""
    health: str = ""
    reads: tuple[str, ...] = ()  # further folders below services/ that it runs code from
    follows: tuple[str, ...] = ()  # made anew whenever one of these is: its contents came from them

    @property
    def folder(self) -> str:
        return self.runs or self.name


def _state(folder: str, mode: str = "ro") -> str:
    return f"{STATE / folder}:/state/{folder}:{mode}"


LETSENCRYPT = f"{STATE / 'letsencrypt'}:/etc/letsencrypt:ro"

PLATFORM = (
    Container("dns", "172.28.0.2", mounts=(_state("dns"),)),
    Container("maildb", "172.28.0.32", environment=("ROLE=primary",), health="mariadb-admin --silent ping"),
    Container(
        "maildb-replica",
        "172.28.0.33",
        runs="maildb",
        environment=("ROLE=replica",),
        health="mariadb-admin --silent ping",
        follows=("maildb",),
    ),
    Container("dovecot", "172.28.0.31", mounts=(LETSENCRYPT,), health="doveadm service status >/dev/null"),
    Container("dovecot24", "172.28.0.81", image="dovecot24", mounts=(LETSENCRYPT,)),
    Container("spamassassin", "172.28.0.35"),
    Container("clamav", "172.28.0.36", health="clamdscan --config-file=/lab/clamav/clamd.conf --ping 1"),
    Container("amavis", "172.28.0.34"),
    Container("manticore", "172.28.0.38", follows=("maildb",)),
    Container("piler", "172.28.0.37", reads=("shared",), follows=("maildb",)),
    Container(
        "wwwapp", "172.28.0.39", mounts=(LETSENCRYPT,), health="curl --silent --fail http://127.0.0.1/nginx_status"
    ),
    Container(
        "remote", "172.28.0.50", reads=("shared",), mounts=(_state("remote", "rw"),), options=("--cap-add", "NET_ADMIN")
    ),
    Container(
        "postfix",
        "172.28.0.30",
        image="mta",
        hostname="mail1",
        environment=("NODE=mail1", "LONG_IDS=yes", "FILTER=yes"),
        mounts=(LETSENCRYPT,),
        # Looks at the socket only: "postfix status" would log a line each time, a connection three.
        health="ss -Hltn sport = :25 | grep -q LISTEN",
        follows=(),
    ),
    Container(
        "mail1",
        "172.28.0.11",
        image="host",
        runs="host",
        environment=("HOST=mail1", "OWN_ENGINE=no", f"FORWARDS={HOST_PORTS}"),
        mounts=(_state("ssh"), LETSENCRYPT, "/var/run/docker.sock:/var/run/docker.sock"),
        # SYS_ADMIN and FUSE: to have a mount that hangs.
        options=("--cap-add", "NET_ADMIN", "--cap-add", "SYS_ADMIN", *FUSE, *UNCONFINED),
    ),
    Container(
        "mail2",
        "172.28.0.12",
        image="host",
        runs="host",
        environment=("HOST=mail2", "OWN_ENGINE=yes", "FORWARDS="),
        mounts=(
            _state("ssh"),
            LETSENCRYPT,
            f"{MAIL2_ENGINE_DATA}:/var/lib/docker",
            "/sys/fs/cgroup:/sys/fs/cgroup:rw",
        ),
        options=(
            *("--cap-add", "ALL", "--cap-drop", "SYS_RESOURCE", *FUSE, *UNCONFINED),
            *("--security-opt", "systempaths=unconfined"),
        ),
    ),
)

# On mail2's own Engine. It shares mail2's network, so mail2's port 25 is its port 25.
ON_MAIL2 = (
    Container(
        "postfix",
        "172.28.0.12",
        image="mta",
        hostname="mail2",
        environment=("NODE=mail2", "LONG_IDS=no", "FILTER=no"),
        mounts=("/etc/letsencrypt:/etc/letsencrypt:ro",),
        health="ss -Hltn sport = :25 | grep -q LISTEN",
    ),
)


def address(name: str) -> str:
    """The address of a container on intranet-net."""
    return next(container.address for container in PLATFORM if container.name == name)


def run_command(container: Container) -> list[str]:
    """What ``docker run`` needs to make a container on this machine's Engine."""
    network = ["--network", NETWORK, "--ip", container.address, "--dns", address("dns"), "--dns-search", "example.test"]
    return [*_run(container, services=str(SERVICES)), *network, *_image_and_start(container)]


def run_command_on_mail2(container: Container) -> list[str]:
    """The same on mail2's Engine, where the host's network and the host's own /lab are used."""
    return [*_run(container, services="/lab"), "--network", "host", *_image_and_start(container)]


def fingerprint(container: Container) -> str:
    """A hash of everything that a container is made from.

    Another checkout has other mounts, or at the same place other keys, so another hash.
    """
    parts = [repr(container), images.tag(container.image), str(SERVICES), str(STATE)]
    parts += [path.read_text() for path in sorted((STATE / "ssh/host").glob("*.pub"))]
    for folder in (container.folder, *container.reads):
        parts += [
            f"{path.name} {path.read_bytes()!r}" for path in sorted((SERVICES / folder).iterdir()) if path.is_file()
        ]
    return hashlib.sha256("|".join(parts).encode()).hexdigest()[:16]


def _run(container: Container, services: str) -> Iterator[str]:
    yield from ("run", "--detach", "--init", "--restart", "unless-stopped", "--name", container.name)
    yield from ("--hostname", container.hostname or container.name)
    yield from ("--log-opt", "max-size=20m", "--log-opt", "max-file=2", "--env", "LC_ALL=C.UTF-8")
    yield from ("--label", f"{LAB}=yes", "--label", f"{FINGERPRINT}={fingerprint(container)}")
    yield from (
        "--label",
        f"com.docker.compose.project={PROJECT}",
        "--label",
        f"com.docker.compose.service={container.name}",
    )
    for variable in container.environment:
        yield from ("--env", variable)
    for mount in (f"{services}:/lab:ro", *container.mounts):
        yield from ("--volume", mount)
    if container.health:
        yield from ("--health-cmd", container.health, "--health-interval", "15s", "--health-timeout", "5s")
    yield from container.options


def _image_and_start(container: Container) -> tuple[str, ...]:
    return (images.tag(container.image), "/bin/bash", f"/lab/{container.folder}/start.sh")
