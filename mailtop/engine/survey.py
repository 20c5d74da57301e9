"""Looking around a host for `init` and `doctor`: versions, what may be read and done, and the line that gives the rest.

What is missing is derived from what probes and acts say they need; nothing is tried that sudo would tell root of.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable, Iterable
from functools import partial

import msgspec

from mailtop.action import ACTIONS, DESTINATION_ACTS, Action, DestinationAct
from mailtop.config import HostSettings
from mailtop.engine.capabilities import SEE_DOCTOR, UNKNOWN, Capabilities
from mailtop.engine.collector import Collector
from mailtop.engine.link import Link, drive
from mailtop.engine.watch import Watch
from mailtop.model import services
from mailtop.model.ask import Asking, Command, Engine, Look
from mailtop.model.errors import Denied, MailtopError, Missing
from mailtop.model.needs import Needs
from mailtop.model.snapshot import Health
from mailtop.model.survey import Right, Survey, Surveyed
from mailtop.model.text import Foreign, shown
from mailtop.model.topology import Identity, Role, Target
from mailtop.probe import Probe

BY = "doctor"

_VERSION = re.compile(rb"\d+\.\d+[\w.+~-]*")
_IN_SUDOERS = re.compile(r"([\\,:=*?\[\]!])")
_ACTS: tuple[Action | DestinationAct, ...] = (*ACTIONS, *DESTINATION_ACTS)


async def survey(watch: Watch, settings: HostSettings) -> Survey:
    """Look around one host; one that is not connected is told as such."""
    host, link = watch.link.host, watch.link
    found = Survey(
        host,
        link.state.link,
        link.state.note,
        ssh=settings.ssh,
        ssh_config=settings.ssh_config,
        docker=settings.docker,
        docker_socket=settings.docker_socket,
        shell=settings.shell,
    )
    if not link.up:
        return found
    own = await _may(watch, "") if watch.shell else UNKNOWN
    targets = await asyncio.gather(*(_surveyed(watch, target) for target in watch.known.values()))
    version = await _told(drive(_docker_version(), link, "", BY), "") if settings.docker and not watch.same else ""
    docker = _docker(watch, own, settings)
    if docker is not None and not watch.same:
        itself = targets[0] if targets and targets[0].target == host else Surveyed(host, user=own.user)
        itself = msgspec.structs.replace(itself, rights=(docker, *itself.rights))
        targets = [itself, *(one for one in targets if one.target != host)]
    return msgspec.structs.replace(
        found,
        note=watch.note,
        user=own.user,
        docker_version=version,
        same=watch.same,
        engine_of=watch.engine_of,
        targets=tuple(targets),
    )


async def _may(watch: Watch, container: str) -> Capabilities:
    try:
        return await watch.rights.of(container)
    except MailtopError:
        return UNKNOWN


async def _told(asked: Awaitable[object], otherwise: str) -> str:
    try:
        return str(await asked)
    except MailtopError:
        return otherwise


async def _surveyed(watch: Watch, target: Target) -> Surveyed:
    state = watch.targets[target.name]
    runs = state.state in ("running", "")
    may = await _may(watch, target.container) if runs else UNKNOWN
    versions = await _versions(watch.link, target) if runs and not watch.same else ()
    rights = [
        await _read(collector, may, watch.link)
        for (name, _), collector in watch.collectors.items()
        if name == target.name
    ]
    if follower := watch.followers.get(target.name):
        denied = follower.state.health is Health.DENIED and not target.container
        line = f"usermod -aG adm {may.user}" if denied else ""
        rights.append(Right("log", follower.state.health, follower.state.note, line))
    if Role.MTA in target.roles and runs:
        rights += [_act(act, target, may) for act in _ACTS]
    return Surveyed(target.name, target.roles, state.state, may.user, versions, tuple(rights))


async def _versions(link: Link, target: Target) -> tuple[tuple[str, str], ...]:
    """Ask each role's program for its version; none that is not there."""
    found = []
    for role in target.roles:
        for argv in services.VERSIONS.get(role, ()):
            try:
                answer = await link.ask(target.container, Command(argv, limit=64 << 10), BY)
            except MailtopError:
                continue
            match = _VERSION.search(answer.stdout + b"\n" + answer.stderr)
            if match is not None and answer.exit not in (126, 127):
                found.append((argv[0] if role is not Role.MTA else "postfix", shown(Foreign(match[0]), 40)))
                break
    return tuple(found)


def _docker_version() -> Asking[str]:
    answer = yield Engine("/version", keep=("Version",))
    return str(msgspec.json.decode(answer.stdout, type=dict[str, str]).get("Version", ""))


def _docker(watch: Watch, own: Capabilities, settings: HostSettings) -> Right | None:
    """May we ask the Engine? None where there is none, or it shall not be asked."""
    health, note = watch.discovery.health, watch.discovery.note
    socket = own.sockets.get(settings.docker_socket)
    if not settings.docker or (own.known and socket is None and not watch.containers and health is Health.OK):
        return None
    if health is not Health.DENIED:
        return Right("docker", health, note)
    group = socket.group if socket is not None else "docker"
    why = f"{settings.docker_socket} belongs to group {group}, which may do all that root may"
    return Right("docker", health, why, f"usermod -aG {group} {own.user or 'USER'}")


async def _read(collector: Collector, may: Capabilities, link: Link) -> Right:
    probe, state = collector.probe, collector.state
    note = state.note.removesuffix(f"; {SEE_DOCTOR}")
    if not state.tried and may.known:  # it costs too much to be asked by itself; its rights are there or not
        try:
            may.check(probe.needs)
        except MailtopError as error:
            return Right(probe.name, Health.DENIED if isinstance(error, Denied) else Health.UNKNOWN, str(error))
        return Right(probe.name, Health.OK, "not asked yet")
    if state.health is Health.OK and _by_sudo(probe.needs, may, collector.target):
        note = "by sudo"
    line = ""
    if state.health is not Health.OK and probe.needs.root and may.known and not may.root:
        line = _sudoers(may, await _commands(probe, collector.target, link, may))
    return Right(probe.name, state.health, note, line)


def _by_sudo(needs: Needs, may: Capabilities, target: Target) -> bool:
    return needs.root and may.known and not may.root and not target.container


async def _commands(probe: Probe, target: Target, link: Link, may: Capabilities) -> list[tuple[str, ...]]:
    """The very commands that a probe would run as root: it is asked without, which is denied, and they are noted."""
    noted: list[tuple[str, ...]] = []
    note = partial(_noted, probe.needs, noted.append)
    await _told(drive(probe.run(target), link, target.container, BY, note), "")
    return [(may.programs.get(argv[0], argv[0]), *argv[1:]) for argv in noted]


def _noted(needs: Needs, note: Callable[[tuple[str, ...]], None], ask: Look) -> Look:
    for argv in (ask.argv, *ask.pipe) if isinstance(ask, Command) else ():
        if argv[0] == needs.sudo:
            note(argv)
    return ask


def _act(act: Action | DestinationAct, target: Target, may: Capabilities) -> Right:
    """May this act be carried out there?"""
    if not may.known:
        return Right(act.key, Health.UNKNOWN, "nobody can tell: there is no shell", act=True)
    try:
        may.check(act.needs)
    except Missing as error:
        return Right(act.key, Health.UNKNOWN, str(error), act=True)
    except Denied:
        pass  # what may be sent says more
    if may.root or not act.needs.root:
        return Right(act.key, Health.OK, act=True)
    commands = _sent(act, target, may)
    if commands and all(map(may.sudoes, commands)):
        return Right(act.key, Health.OK, "by sudo", act=True)
    writes = "Postfix's queue" if isinstance(act, Action) else "Postfix's configuration"
    why = f"not by {may.user}" if commands else f"it writes {writes}: only by a login as root"
    return Right(act.key, Health.DENIED, why, _sudoers(may, commands), act=True)


def _sent(act: Action | DestinationAct, target: Target, may: Capabilities) -> list[tuple[str, ...]]:
    """What an act may send by sudo: its one program; none for one that writes files."""
    if not isinstance(act, Action) or not act.needs.sudo:
        return []
    argv = act.argv(Identity("", instance=target.instance))
    return [(may.programs.get(argv[0], argv[0]), *argv[1:])]


def _sudoers(may: Capabilities, commands: Iterable[tuple[str, ...]]) -> str:
    """The line of sudoers(5) that allows just these commands, empty for none."""
    words = [" ".join((argv[0], *(_IN_SUDOERS.sub(r"\\\1", word) for word in argv[1:]))) for argv in commands]
    return f"{may.user} ALL=(root) NOPASSWD: {', '.join(dict.fromkeys(words))}" if words else ""
