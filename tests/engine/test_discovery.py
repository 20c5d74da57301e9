"""What a host is found to run: by what runs, whatever it is called; several Postfix instances; nothing twice."""

from __future__ import annotations

import json
from collections.abc import Mapping

import pytest

from mailtop.config import HostSettings
from mailtop.engine.discovery import Container, Finder, instances, roles_of, target_of_host
from mailtop.model.ask import Answer, Asking, Look, ask_key
from mailtop.model.errors import AskFailed, Denied, LinkLost, Missing
from mailtop.model.topology import Role, Target
from mailtop.parse.processes import LOOK, Processes

BOX, PYTHON, STOPPED = "b" * 64, "d" * 64, "e" * 64
SERVICE = {"com.docker.compose.service": "piler"}
LISTED = [
    {"Id": BOX, "Names": ["/box7"], "Image": "debian", "State": "running"},
    {"Id": PYTHON, "Names": ["/store"], "Image": "python", "State": "running", "Labels": SERVICE},
    {"Id": STOPPED, "Names": ["/mail-postfix-1"], "Image": "debian", "State": "exited", "Labels": None, "Ports": None},
]  # fmt: skip
LOOKED = f"""\
/proc/1/comm:systemd
/proc/1/cgroup:0::/init.scope
/proc/5/comm:dovecot
/proc/5/cgroup:0::/system.slice/dovecot.service
/proc/9/comm:qmgr
/proc/9/cgroup:0::/system.slice/docker-{BOX}.scope
/proc/11/comm:python3
/proc/11/cgroup:0::/system.slice/docker-{PYTHON}.scope
"""
TOP = "/containers/{}/top?ps_args=-eo%20pid,comm"


class Host:
    """Answers by ask key; counts what is asked."""

    def __init__(self, answers: Mapping[str, bytes | AskFailed]) -> None:
        self.answers = dict(answers)
        self.asked: list[str] = []

    def drive(self, asking: Asking[object]) -> object:
        self.asked = []
        try:
            ask = next(asking)
            while True:
                ask = self._put(asking, ask)
        except StopIteration as end:
            return end.value

    def _put(self, asking: Asking[object], ask: Look) -> Look:
        self.asked.append(ask_key(ask))
        said = self.answers.get(ask_key(ask), Missing("host", "not there"))
        return asking.throw(said) if isinstance(said, AskFailed) else asking.send(Answer(said))


@pytest.fixture
def host() -> Host:
    return Host({"/containers/json?all=1": json.dumps(LISTED).encode(), ask_key(LOOK): LOOKED.encode()})


def a_finder() -> Finder:
    usual = HostSettings()
    return Finder("mail1", {}, docker=usual.docker, shell=usual.shell)


def found(finder: Finder) -> dict[str, tuple[Role, ...]]:
    return {target.name: target.roles for target, _ in finder.targets()}


def test_a_container_is_known_by_what_runs_in_it_and_the_host_by_what_runs_beside(host: Host) -> None:
    finder = a_finder()
    host.drive(finder.listed())
    assert found(finder)["mail1/box7"] == ()

    host.drive(finder.closer(100.0))

    assert host.asked == [ask_key(LOOK)]  # one command, whatever the number of containers
    assert found(finder) == {
        "mail1": (Role.IMAP,),
        "mail1/box7": (Role.MTA,),
        "mail1/mail-postfix-1": (Role.MTA,),
        "mail1/store": (Role.ARCHIVE,),
    }
    assert [target.name for target in finder.postfixes()] == ["mail1/box7"]  # the other one does not run


def test_processes_are_looked_at_once_a_minute(host: Host) -> None:
    finder = a_finder()
    host.drive(finder.listed())
    host.drive(finder.closer(100.0))

    assert host.drive(finder.closer(159.0)) is False
    assert host.asked == []
    host.drive(finder.closer(160.0))
    assert host.asked == [ask_key(LOOK)]


def test_the_engine_tells_what_runs_where_the_host_does_not_show_it(host: Host) -> None:
    top = {"Titles": ["PID", "COMMAND"], "Processes": [["1", "docker-init"], ["7", "qmgr"]]}
    host.answers |= {TOP.format(BOX): json.dumps(top).encode(), TOP.format(PYTHON): b'{"Processes": null}'}
    finder = Finder("mail1", {}, docker=True, shell=False)
    host.drive(finder.listed())
    host.drive(finder.closer(100.0))

    assert found(finder)["mail1/box7"] == (Role.MTA,)
    host.drive(finder.closer(110.0))
    assert host.asked == []


def test_a_host_that_shows_nothing_leaves_the_names_and_a_lost_link_is_no_answer(host: Host) -> None:
    finder = a_finder()
    host.answers[ask_key(LOOK)] = Denied("sh", "permission denied")
    host.drive(finder.listed())
    host.drive(finder.closer(100.0))
    assert found(finder)["mail1/store"] == (Role.ARCHIVE,)

    host.answers[ask_key(LOOK)] = LinkLost("mail1", "gone")
    with pytest.raises(LinkLost):
        host.drive(finder.closer(200.0))


def test_each_instance_of_a_postfix_is_a_target_with_its_own_lines_in_the_log(host: Host) -> None:
    host.answers["postmulti -l"] = (
        b"-               -               y         /etc/postfix\n"
        b"postfix-out     mta             y         /etc/postfix-out\n"
        b"postfix-old     mta             n         /etc/postfix-old\n"
    )
    finder = a_finder()
    host.drive(finder.listed())
    host.drive(finder.closer(100.0))
    (default,) = finder.postfixes()
    further = host.drive(instances(default))
    assert isinstance(further, dict)

    assert finder.told(default, further) is True
    assert finder.told(default, further) is False
    names = [target.name for target, _ in finder.targets()]
    assert names[:3] == ["mail1", "mail1/box7", "mail1/box7@postfix-out"]
    out = Target("mail1", "box7", (Role.MTA,), "/etc/postfix-out")
    assert out.config == ("-c", "/etc/postfix-out")
    assert finder.writers(out) == (b"postfix-out", frozenset({b"postfix-out"}))
    assert finder.writers(default) == (b"", frozenset({b"postfix-out"}))


def test_what_stands_beside_a_service_is_not_the_service() -> None:
    def named(name: str) -> tuple[Role, ...]:
        return roles_of(Container("", name, "debian", "running"))

    assert named("mail-postfix-1") == (Role.MTA,)
    assert named("postfix-exporter") == named("maildb-backup") == ()
    assert roles_of(Container("", "x", "debian", "running", ports=(143, 993))) == (Role.IMAP,)
    assert roles_of(Container("", "postfix", "debian", "running"), ["dovecot"]) == (Role.IMAP,)


def test_ports_tell_only_where_processes_are_hidden_and_only_those_that_are_the_hosts() -> None:
    hidden = Processes(frozenset({"sh"}), ports=frozenset({25, 3310, 22}), whole=False)

    assert target_of_host("mail1", hidden, {}, published=(25,)).roles == (Role.ANTIVIRUS,)
    shown = Processes(frozenset({"sh"}), ports=frozenset({25}))
    assert target_of_host("mail1", shown, {}).roles == ()
    assert target_of_host("mail1", None, {"mail1": Role.MTA}).roles == (Role.MTA,)


def test_a_machine_is_told_from_its_clones_and_what_says_nothing_is_like_no_other() -> None:
    finder = a_finder()
    who = "cat /etc/machine-id /proc/sys/kernel/random/boot_id /proc/sys/kernel/hostname"
    host = Host({who: b"0.10 0.20\n", "/info": b'{"ID": "ABCD"}'})
    host.drive(finder.who())
    assert (finder.machine, finder.engine) == ("", "ABCD")

    host.answers[who] = b"0d14578d-b2af-45bc-9736-1b1446a09f4d\nmail1\n"
    host.drive(finder.who())
    assert "mail1" in finder.machine


def test_what_was_seen_holds_over_a_new_connection_until_it_is_looked_at_again(host: Host) -> None:
    finder = a_finder()
    host.drive(finder.listed())
    host.drive(finder.closer(1000.0))
    before = found(finder)
    finder.forget()

    assert found(finder) == before
    assert host.drive(finder.closer(1001.0)) is True
