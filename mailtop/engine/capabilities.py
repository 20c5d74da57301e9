"""What we may do on a target, found once per connection: who we are, which programs and rights there are.

Nothing is tried: `sudo -n -l` lists what sudo allows, and a right that is missing is not asked for again before a
reconnect.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping
from functools import cache

from msgspec import Struct
from msgspec.structs import replace

from mailtop.action import ACTIONS, DESTINATION_ACTS
from mailtop.engine.link import Link, drive
from mailtop.model.ask import Asking, Command, Look
from mailtop.model.errors import CommandFailed, Denied, Missing, NotRecorded
from mailtop.model.needs import Needs
from mailtop.model.text import Foreign, shown
from mailtop.parse import sudo_list
from mailtop.parse.sudo_list import Allowed
from mailtop.probe import probes

NAME = "rights"
SEE_DOCTOR = "mailtop doctor shows the line"

# `command -v` is the shell's own word, and the one that is everywhere. A line is `WHAT VALUE`, with tabs between.
_SCRIPT = r"""printf 'uid\t%s\nuser\t%s\ngroups\t%s\n' "$(id -u)" "$(id -un 2>/dev/null)" "$(id -Gn 2>/dev/null)"
for name; do case $name in
/*) [ -e "$name" ] && printf 'socket\t%s\t%s\t%s\n' "$name" "$([ -r "$name" ] && [ -w "$name" ] && echo rw)" \
"$(stat -c %G "$name" 2>/dev/null)" ;;
*) path=$(command -v "$name") && printf 'program\t%s\t%s\n' "$name" "$path" ;;
esac; done; :"""


class Socket(Struct, frozen=True):
    """A Unix socket: may we speak over it, and whose group could."""

    usable: bool
    group: str = ""


class Capabilities(Struct, frozen=True):
    """`programs`: name → absolute path of what is in PATH. `sockets`: by path. `sudo`: what `sudo -n` would run.

    `known` False: nobody could tell (no shell there); then everything is simply tried.
    """

    known: bool = False
    uid: int = -1
    user: str = ""
    groups: tuple[str, ...] = ()
    programs: Mapping[str, str] = {}
    sockets: Mapping[str, Socket] = {}
    sudo: tuple[Allowed, ...] = ()

    @property
    def root(self) -> bool:
        """Have we every right already?"""
        return self.uid == 0

    def check(self, needs: Needs) -> None:
        """Raise Missing or Denied for what is lacking, so that it need not be asked; nothing where nobody knows."""
        if not self.known:
            return
        for program in needs.binary:
            if program not in self.programs:
                raise Missing(program, "not in PATH there")
        socket = self.sockets.get(needs.socket)
        if needs.socket and socket is None:
            raise Missing(needs.socket, "there is no such socket")
        if socket is not None and not socket.usable:
            raise Denied(needs.socket, "permission denied", f"add {self.user} to group {socket.group or 'of it'}")
        if needs.root and not self.root and not self._may(needs.sudo):
            raise Denied(needs.sudo or "root", f"only root may, and {self.user} may not by sudo", SEE_DOCTOR)

    def _may(self, program: str) -> bool:
        path = self.programs.get(program, "")
        return bool(path) and any(
            entry.covers(path, ()) or entry.path == path for entry in self.sudo if not entry.never
        )

    def sudoes(self, argv: tuple[str, ...]) -> bool:
        """Does sudo run this very command as root, with no password? Its program is an absolute path."""
        return sudo_list.allowed(self.sudo, argv[0], argv[1:])

    def by_sudo(self, argv: tuple[str, ...], needs: Needs) -> tuple[str, ...]:
        """The same command through `sudo -n`, where the right is missing and sudo grants exactly this."""
        path = self.programs.get(needs.sudo, "")
        if self.root or not needs.sudo or argv[0] != needs.sudo or not path:
            return argv
        return ("sudo", "-n", path, *argv[1:]) if self.sudoes((path, *argv[1:])) else argv

    def fitted(self, ask: Look, needs: Needs) -> Look:
        """An ask with each of its programs run by sudo where that is the way."""
        if not isinstance(ask, Command) or self.root or not needs.sudo:
            return ask
        pipe = tuple(self.by_sudo(argv, needs) for argv in ask.pipe)
        return replace(ask, argv=self.by_sudo(ask.argv, needs), pipe=pipe)


UNKNOWN = Capabilities()


@cache
def _wanted() -> tuple[str, ...]:
    """Programs that any probe or act needs, and sockets."""
    needs = [
        *(probe.needs for probe in probes()),
        *(act.needs for act in ACTIONS),
        *(act.needs for act in DESTINATION_ACTS),
    ]
    programs = {program for need in needs for program in need.binary}
    return (*sorted(programs | {"sudo"}), *sorted({need.socket for need in needs if need.socket}))


def capabilities(*, sudo: bool, more: Iterable[str] = ()) -> Asking[Capabilities]:
    """Ask what there is and may be used. `sudo`: look at sudo too. `more`: further sockets' paths."""
    try:
        answer = yield Command(("sh", "-c", _SCRIPT, "sh", *_wanted(), *more))
    except (Missing, Denied, CommandFailed, NotRecorded):
        return UNKNOWN  # without a shell: what is lacking will say so itself
    facts: dict[str, str] = {}
    programs: dict[str, str] = {}
    sockets: dict[str, Socket] = {}
    for line in answer.stdout.splitlines():
        what, *values = (shown(Foreign(field), 300) for field in line.split(b"\t"))
        if what == "program" and len(values) == 2:
            programs[values[0]] = values[1]
        elif what == "socket" and len(values) == 3:
            sockets[values[0]] = Socket(values[1] == "rw", values[2])
        elif values:
            facts[what] = values[0]
    if not facts.get("uid", "").isdigit():
        return UNKNOWN
    uid = int(facts["uid"])
    allowed: tuple[Allowed, ...] = ()
    if uid and sudo and "sudo" in programs:
        allowed = sudo_list.read((yield Command(("sudo", "-n", "-l"))))
    user = facts.get("user") or f"uid {uid}"
    return Capabilities(True, uid, user, tuple(facts.get("groups", "").split()), programs, sockets, allowed)


class Rights:
    """The capabilities of one host and its containers, each found once per connection, whoever asks first."""

    def __init__(self, link: Link, *, sudo: bool = True, sockets: Iterable[str] = ()) -> None:
        self._link = link
        self._sudo = sudo
        self._sockets = tuple(sockets)
        self._generation = 0
        self._finding: dict[str, asyncio.Task[Capabilities]] = {}

    async def of(self, container: str) -> Capabilities:
        """What we may do in a container, or on the host itself (empty); raises what the ask raises."""
        if self._generation != self._link.generation:
            self._finding, self._generation = {}, self._link.generation
        finding = self._finding.get(container)
        if finding is None:
            asking = capabilities(sudo=self._sudo, more=() if container else self._sockets)
            finding = asyncio.create_task(drive(asking, self._link, container, NAME), name=f"{container} {NAME}")
            finding.add_done_callback(_looked_at)
            self._finding[container] = finding
        try:
            found = await asyncio.shield(finding)
        except BaseException:
            if finding.done():
                self._finding.pop(container, None)  # a connection that broke off has not told what we may
            raise
        if not found.known:
            self._finding.pop(container, None)
        return found

    def forget(self, container: str) -> None:
        """A container that was made anew has other programs."""
        self._finding.pop(container, None)


def _looked_at(finding: asyncio.Task[Capabilities]) -> None:
    """Who asked may have been ended meanwhile: then nobody wants to know how it failed."""
    if not finding.cancelled():
        finding.exception()
