"""What runs on a Linux host and what it listens on, read from /proc in one go: no ps, no ss, and BusyBox will do.

Names only, never arguments. On a host's own /proc the processes of its containers are seen too; their cgroup tells
which is whose. Source: proc(5), cgroups(7).
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Mapping

from msgspec import Struct

from mailtop.model.ask import Answer, Command
from mailtop.model.errors import ParseError
from mailtop.model.text import Foreign, shown

# Of a cgroup file with a dozen lines two tell all. A name that begins with a digit is none of a mail service.
_SCRIPT = r"""grep -sHE '^(0::|[0-9]+:(name=systemd|pids):|[^0-9])' /proc/[0-9]*/comm /proc/[0-9]*/cgroup
grep -sh ' 0A ' /proc/net/tcp /proc/net/tcp6; :"""
LOOK = Command(("sh", "-c", _SCRIPT), timeout=10.0)
"""188 processes cost 15 ms of host CPU."""

_FILE = re.compile(rb"/proc/(\d+)/(comm|cgroup):(.*)", re.DOTALL)
_LISTENING = re.compile(rb"\s*\d+: [0-9A-F]+:([0-9A-F]{4}) [0-9A-F]+:0000 0A ")
_CONTAINER = re.compile(r"(?<![0-9a-f])[0-9a-f]{64}(?![0-9a-f])|/lxc(?:\.payload)?[./][^/]+|/machine\.slice/[^/]+")
_UNIT = re.compile(r"/([^/]+\.service)(?=/|$)")


class Processes(Struct, frozen=True):
    """`own`: programs of the host itself; `inside`: those of containers, by Docker's id. `units`: program → its unit.

    `ports`: TCP ports in the host's network that something listens on. `whole`: processes of others are seen too
    (`hidepid` hides them).
    """

    own: frozenset[str] = frozenset()
    inside: Mapping[str, frozenset[str]] = {}
    units: Mapping[str, str] = {}
    ports: frozenset[int] = frozenset()
    whole: bool = True


def read(answer: Answer) -> Processes:
    """Read what `LOOK` printed; raises ParseError where it shows not even itself."""
    names: dict[bytes, str] = {}
    places: dict[bytes, str] = {}
    ports = set()
    for line in answer.stdout.split(b"\n"):
        if match := _FILE.fullmatch(line):
            number, what, text = match.groups()
            if what == b"comm":
                names[number] = shown(Foreign(text), 20)
            else:
                places[number] = max(places.get(number, ""), _path(text), key=len)
        elif match := _LISTENING.match(line):
            ports.add(int(match[1], 16))
    if not names:
        answer.ok("/proc")
        raise ParseError("/proc", f"shows no process: {shown(Foreign(answer.stdout), 80)!r}")
    ours = _container(places.get(b"1", ""))  # the host may be a container itself
    own: set[str] = set()
    inside: dict[str, set[str]] = defaultdict(set)
    units: dict[str, str] = {}
    for number, name in names.items():
        place = places.get(number, "")
        container = _container(place)
        if container in ("", ours):
            own.add(name)
            if unit := _UNIT.search(place):
                units.setdefault(name, unit[1])
        else:
            inside[container].add(name)
    within = {container: frozenset(programs) for container, programs in inside.items()}
    return Processes(frozenset(own), within, units, frozenset(ports), b"1" in names)


def _path(line: bytes) -> str:
    return line.split(b":", 2)[-1].decode("utf-8", "replace")


def _container(path: str) -> str:
    """The innermost container of a cgroup's path, empty for none."""
    found = _CONTAINER.findall(path)
    return found[-1] if found else ""
