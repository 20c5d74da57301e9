"""What we may do on a target: nothing is tried, nothing is asked twice, and sudo is used for exactly what it allows."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from mailtop.engine.capabilities import UNKNOWN, Capabilities, Rights, Socket
from mailtop.engine.clock import SystemClock
from mailtop.engine.collector import Collector
from mailtop.engine.link import Link
from mailtop.model.ask import Answer, Command, Engine
from mailtop.model.errors import Denied, LinkLost, Missing
from mailtop.model.needs import Needs
from mailtop.model.snapshot import Health
from mailtop.model.topology import Role, Target
from mailtop.parse.sudo_list import Allowed
from mailtop.probe import probes
from mailtop.transport.replay import ReplaySource

FIND = Needs(binary=("find",), root=True, sudo="find")
COUNT = Command(("find", "/var/spool/postfix/hold"), pipe=(("awk", "1"),))
PROGRAMS = {"find": "/usr/bin/find", "sudo": "/usr/bin/sudo"}


def of(user: str = "ops", uid: int = 1000, *sudo: Allowed) -> Capabilities:
    return Capabilities(True, uid, user, (user,), PROGRAMS, {"/run/x": Socket(False, "engine")}, sudo)


def test_root_and_who_nobody_knows_are_not_held_up() -> None:
    for may in (UNKNOWN, of("root", 0)):
        may.check(FIND)
        assert may.fitted(COUNT, FIND) == COUNT


def test_a_right_that_is_missing_is_denied_without_asking_and_says_what_to_do() -> None:
    with pytest.raises(Denied, match="find: only root may, and ops may not by sudo; mailtop doctor shows the line"):
        of().check(FIND)
    with pytest.raises(Missing, match="postqueue: not in PATH"):
        of("root", 0).check(Needs(binary=("postqueue",)))
    with pytest.raises(Denied, match="add ops to group engine"):
        of().check(Needs(socket="/run/x"))


def test_sudo_is_used_for_the_very_command_it_allows_and_for_no_other() -> None:
    may = of("ops", 1000, Allowed("/usr/bin/find", "/var/spool/postfix/hold"))
    may.check(FIND)

    assert may.fitted(COUNT, FIND) == Command(
        ("sudo", "-n", "/usr/bin/find", "/var/spool/postfix/hold"), pipe=(("awk", "1"),)
    )
    other = Command(("find", "/etc"))
    assert may.fitted(other, FIND) == other
    assert may.fitted(Engine("/info", ("ID",)), FIND) == Engine("/info", ("ID",))


SAID = b"uid\t1000\nuser\tops\ngroups\tops engine\nprogram\tfind\t/usr/bin/find\nprogram\tsudo\t/usr/bin/sudo\n"
LIST = b"User ops may run the following commands on mail1:\n    (root) NOPASSWD: /usr/bin/find\n"


class Telling(ReplaySource):
    """A host that tells who we are; `asked` keeps the programs."""

    def __init__(self) -> None:
        super().__init__({})
        self.programs: list[str] = []
        self.says: Answer | LinkLost = Answer(SAID)

    def ask(self, container: str, ask: object, by: str = "") -> Answer:
        assert isinstance(ask, Command)
        self.programs.append(" ".join(ask.argv[:3]) if ask.argv[0] == "sudo" else ask.argv[0])
        if ask.argv[0] == "sudo":
            return Answer(LIST)
        if isinstance(self.says, LinkLost):
            raise self.says
        return self.says


@pytest.fixture
def source() -> Telling:
    return Telling()


@pytest.fixture
async def link(source: Telling, tmp_path: Path) -> AsyncIterator[Link]:
    link = Link("mail1", lambda: source, SystemClock())
    await link._connect()
    yield link
    await link.close()


async def test_rights_are_found_once_a_connection_and_sudo_is_only_listed(link: Link, source: Telling) -> None:
    rights = Rights(link)
    first, again = await rights.of(""), await rights.of("")

    assert first is again
    assert (first.user, first.groups, first.sudo) == ("ops", ("ops", "engine"), (Allowed("/usr/bin/find"),))
    assert source.programs == ["sh", "sudo -n -l"]
    link.generation += 1
    await rights.of("")
    assert len(source.programs) == 4


async def test_sudo_is_left_alone_where_the_settings_say_so_and_for_root(link: Link, source: Telling) -> None:
    assert (await Rights(link, sudo=False).of("")).sudo == ()
    source.says = Answer(SAID.replace(b"uid\t1000", b"uid\t0"))
    assert (await Rights(link).of("")).root
    assert source.programs == ["sh", "sh"]


async def test_a_lost_connection_has_not_told_anything_and_no_shell_leaves_all_to_be_tried(
    link: Link, source: Telling
) -> None:
    rights = Rights(link)
    source.says = LinkLost("mail1", "lost")
    with pytest.raises(LinkLost):
        await rights.of("")
    source.says = Answer(b"", b"sh: not found", 127)
    assert await rights.of("") == UNKNOWN
    source.says = Answer(SAID)
    assert (await rights.of("")).known


async def test_a_failure_that_nobody_waits_for_any_more_is_no_fault_of_ours(
    link: Link, source: Telling, caplog: pytest.LogCaptureFixture
) -> None:
    source.says = LinkLost("mail1", "lost")
    rights = Rights(link)
    waiting = asyncio.create_task(rights.of(""))
    await asyncio.sleep(0)  # it has begun
    (finding,) = rights._finding.values()
    waiting.cancel()
    await asyncio.wait((waiting, finding))
    del waiting, finding
    rights._finding.clear()
    gc.collect()

    assert not caplog.records


async def test_a_denied_need_is_marked_and_the_host_is_not_even_asked(link: Link, source: Telling) -> None:
    source.says = Answer(SAID.replace(b"find\t/usr/bin/find\n", b"awk\t/usr/bin/awk\n"))
    rights = Rights(link, sudo=False)
    (probe,) = (probe for probe in probes() if probe.name == "postfix_queue")
    collector = Collector(
        probe, Target("mail1", "", (Role.MTA,)), link, SystemClock(), lambda *_: None, rights=rights.of
    )
    await collector.run()
    assert (collector.state.health, collector.state.last_ok) == (Health.UNKNOWN, 0.0)
    assert collector.state.note == "postconf: not in PATH there"

    source.says = Answer(SAID + b"program\tpostconf\t/usr/sbin/postconf\nprogram\tawk\t/usr/bin/awk\n")
    link.generation += 1
    await collector.run()
    assert collector.state.health is Health.DENIED
    assert "only root may, and ops may not by sudo" in collector.state.note
    assert set(source.programs) == {"sh"}
