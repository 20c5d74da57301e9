"""A live host: each ask takes its way, and each failure is its own."""

from __future__ import annotations

import contextlib
import socket
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from mailtop.client.dial_stdio import COMMAND
from mailtop.client.host import LiveHost, local_engine
from mailtop.model.ask import Command, Engine, Follow, Put
from mailtop.model.errors import AskFailed, Denied, LinkLost, MailtopError, Missing, TimedOut, UsageError
from mailtop.transport import Address, Channel, TcpAddress, UnixAddress
from mailtop.transport.local import Local
from tests.client.fake_engine import FakeEngine, engine_at
from tests.fault.transport import Cut, Drip, Fault, Garble, HalfClose, Misbehaving, Stall

BRIDGE = """
import socket, sys, threading, os
s = socket.socket(socket.AF_UNIX); s.connect(sys.argv[1])
def there():
    while octets := os.read(0, 65536): s.sendall(octets)
    s.shutdown(socket.SHUT_WR)
threading.Thread(target=there, daemon=True).start()
while octets := s.recv(65536): os.write(1, octets)
"""


FORBIDDEN = Denied("mail1", "open failed: administratively prohibited")


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[FakeEngine]:
    with engine_at(tmp_path / "docker.sock") as engine:
        engine.real.add("postfix")
        engine.says["/info"] = (200, {"ID": "ABCD", "Name": "mail1"})
        yield engine


@pytest.fixture
def mail1(engine: FakeEngine) -> Iterator[LiveHost]:
    host = LiveHost(Local("mail1"), engine=UnixAddress(str(engine.path)))
    host.connect()
    yield host
    host.close()


class NoForwarding:
    """A host whose sshd forwards nothing, and where `docker system dial-stdio` is this program."""

    name = "mail1"

    def __init__(self, program: str, refused: AskFailed = FORBIDDEN) -> None:
        self.inner = Local("mail1")
        self.program = program
        self.refused = refused

    def connect(self) -> None:
        self.inner.connect()

    def open(self, command: str) -> Channel:
        return self.inner.open(self.program if command == COMMAND else command)

    def dial(self, address: Address, timeout: float = 10.0) -> socket.socket:
        raise self.refused

    def alive(self) -> bool:
        return self.inner.alive()

    def close(self) -> None:
        self.inner.close()


def test_the_host_its_engine_and_its_containers_are_asked_over_one_connection(mail1: LiveHost) -> None:
    assert mail1.ask("", Command(("echo", "host"))).stdout == b"host\n"
    assert mail1.ask("postfix", Command(("echo", "container"))).stdout == b"container\n"
    assert mail1.ask("", Engine("/info", ("ID",))).stdout == b'{"ID":"ABCD"}'


def test_a_containers_shell_is_kept(mail1: LiveHost, engine: FakeEngine) -> None:
    for number in range(5):
        assert mail1.ask("postfix", Command(("echo", str(number)))).stdout == b"%d\n" % number

    assert list(engine.programs.values()) == [["/bin/sh"]]


def test_large_answers_and_acts_have_a_channel_of_their_own(mail1: LiveHost, engine: FakeEngine) -> None:
    mail1.ask("postfix", Command(("true",)))
    assert mail1.ask("postfix", Command(("echo", "much"), large=True)).stdout == b"much\n"
    assert mail1.ask("postfix", Put(("cat",), b"4TqX2m6bYzz3F\n")).stdout == b"4TqX2m6bYzz3F\n"

    assert len(engine.programs) == 3


def test_a_restarted_container_is_asked_again_through_a_new_shell(mail1: LiveHost, engine: FakeEngine) -> None:
    mail1.ask("postfix", Command(("true",)))

    engine.kill()

    assert mail1.ask("postfix", Command(("echo", "again"))).stdout == b"again\n"


def test_an_act_is_never_sent_twice(mail1: LiveHost, engine: FakeEngine, tmp_path: Path) -> None:
    act = Put(("sh", "-c", f"echo run >>{tmp_path}/runs; sleep 20"), b"id\n", timeout=15)
    done = threading.Event()

    def restart() -> None:
        while not (tmp_path / "runs").exists():
            done.wait(0.01)
        engine.kill()

    threading.Thread(target=restart, daemon=True).start()
    with pytest.raises(LinkLost):
        mail1.ask("postfix", act)

    assert (tmp_path / "runs").read_text() == "run\n"


def refuse_shell(engine: FakeEngine) -> None:
    """The container has programs, and no /bin/sh."""
    run = engine.attach

    def attach(sock: socket.socket, number: str) -> None:
        if engine.programs[number] == ["/bin/sh"]:
            engine.programs[number] = ["sh", "-c", "echo OCI runtime exec failed: no such file; exit 126"]
        run(sock, number)

    engine.attach = attach  # type: ignore[method-assign]  # the fake is bent on purpose


def test_a_container_without_a_shell_is_asked_by_one_exec_each(mail1: LiveHost, engine: FakeEngine) -> None:
    refuse_shell(engine)

    assert mail1.ask("postfix", Command(("echo", "one"))).stdout == b"one\n"
    assert mail1.ask("postfix", Command(("sh", "-c", "echo two; exit 3"))).exit == 3
    assert mail1.ask("postfix", Put(("cat",), b"x" * 300000)).stdout == b"x" * 300000
    assert mail1.ask("postfix", Command(("yes",), limit=1000)).cut
    with pytest.raises(Missing, match="a pipe needs it"):
        mail1.ask("postfix", Command(("echo", "x"), pipe=(("cat",),)))
    with pytest.raises(TimedOut):
        mail1.ask("postfix", Command(("sleep", "5"), timeout=0.3))


def test_a_container_that_was_being_stopped_has_its_shell_again_when_it_is_back(
    mail1: LiveHost, engine: FakeEngine
) -> None:
    piped = Command(("echo", "x"), pipe=(("cat",),))
    run = engine.attach
    refuse_shell(engine)
    assert mail1.ask("postfix", Command(("echo", "one"))).stdout == b"one\n"  # an exec that was just in time
    with pytest.raises(Missing):
        mail1.ask("postfix", piped)

    engine.attach = run  # type: ignore[method-assign]  # well again

    assert mail1.ask("postfix", piped).stdout == b"x\n"


def test_a_host_whose_engine_is_away_is_asked_all_the_same() -> None:
    host = LiveHost(NoForwarding("echo docker: not found >&2; exit 127", Missing("mail1", "no such file", "is it up?")))
    host.connect()

    assert host.ask("", Command(("echo", "host"))).stdout == b"host\n"
    for ask in (Engine("/info", ("ID",)), Command(("true",))):
        with pytest.raises(Missing, match=r"mail1: Docker: no such file; is it up\?"):
            host.ask("postfix", ask)
    host.close()


def test_without_docker_a_container_cannot_be_asked() -> None:
    host = LiveHost(Local("mail1"), docker=False)
    host.connect()

    with pytest.raises(Missing, match="set docker = true"):
        host.ask("postfix", Command(("true",)))
    with pytest.raises(Missing, match="set docker = true"):
        host.follow("postfix", Follow("docker"))
    with pytest.raises(Missing, match="'piler' is no log that can be followed"):
        host.follow("", Follow("piler"))
    host.close()


def test_where_no_socket_is_forwarded_dial_stdio_is_its_substitute(engine: FakeEngine) -> None:
    wire = NoForwarding(f"exec {sys.executable} -c '{BRIDGE}' {engine.path}")
    host = LiveHost(wire)
    host.connect()

    assert host.ask("", Engine("/info", ("ID",))).stdout == b'{"ID":"ABCD"}'
    assert host.ask("postfix", Command(("echo", "container"))).stdout == b"container\n"
    assert host.ask("postfix", Put(("cat",), b"x" * 300000)).stdout == b"x" * 300000
    with pytest.raises(Denied, match="postfix: log: left out: no socket is forwarded"):
        next(host.follow("postfix", Follow("docker", spare=True)))
    host.close()


def test_a_user_who_may_not_ask_the_engine_is_told_what_to_do() -> None:
    host = LiveHost(NoForwarding("echo 'permission denied while trying to connect' >&2; exit 1"))
    host.connect()

    with pytest.raises(Denied, match="add the user to group docker"):
        host.ask("", Engine("/info", ()))
    host.close()


def test_substitutes_are_given_back(engine: FakeEngine) -> None:
    host = LiveHost(NoForwarding(f"exec {sys.executable} -c '{BRIDGE}' {engine.path}"))
    host.connect()

    for _ in range(9):
        assert host.ask("postfix", Command(("echo", "x"), large=True)).stdout == b"x\n"
    host.close()


FAULTS: list[Fault] = [Stall(), Stall(after=200), Cut(), Cut(after=200), Garble(after=130), HalfClose(after=200)]


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_under_a_containers_shell_ends_in_time_and_the_next_ask_is_well(
    engine: FakeEngine, fault: Fault
) -> None:
    wire = Misbehaving(Local("mail1"), [None, fault])  # the second connection is the shell's
    host = LiveHost(wire, engine=UnixAddress(str(engine.path)))
    host.connect()

    with contextlib.suppress(AskFailed):  # what only dies with its connection is asked again at once
        host.ask("postfix", Command(("echo", "first"), timeout=1))

    assert host.ask("postfix", Command(("echo", "next"))).stdout == b"next\n"
    host.close()


def test_octet_by_octet_a_shell_answers(engine: FakeEngine) -> None:
    host = LiveHost(Misbehaving(Local("mail1"), [Drip(), Drip(), Drip()]), engine=UnixAddress(str(engine.path)))
    host.connect()

    assert host.ask("postfix", Command(("echo", "slow"))).stdout == b"slow\n"
    host.close()


@pytest.mark.parametrize("large", [False, True])
@pytest.mark.parametrize("container", ["", "postfix"])
def test_closing_wakes_whoever_waits(mail1: LiveHost, tmp_path: Path, container: str, large: bool) -> None:
    ask = Command(("sh", "-c", f"touch {tmp_path}/begun; sleep 20"), timeout=15, large=large)
    told: list[MailtopError] = []
    woken = threading.Event()

    def wait() -> None:
        try:
            mail1.ask(container, ask)
        except MailtopError as error:
            told.append(error)
        woken.set()

    threading.Thread(target=wait, daemon=True).start()
    while not (tmp_path / "begun").exists():
        woken.wait(0.01)
    mail1.close()

    assert woken.wait(5)
    assert isinstance(told[0], LinkLost)
    assert not mail1.alive()


@pytest.mark.parametrize(
    ("environ", "address"),
    [
        ({}, UnixAddress("/var/run/docker.sock")),
        ({"DOCKER_HOST": "unix:///run/user/1000/docker.sock"}, UnixAddress("/run/user/1000/docker.sock")),
        ({"DOCKER_HOST": "tcp://127.0.0.1:2375"}, TcpAddress("127.0.0.1", 2375)),
    ],
)
def test_the_local_engine_is_where_docker_host_says(environ: dict[str, str], address: Address) -> None:
    assert local_engine(environ) == address


@pytest.mark.parametrize("named", ["ssh://mail1", "tcp://mail1", "unix://", "nonsense"])
def test_an_engine_that_cannot_be_dialled_is_said(named: str) -> None:
    with pytest.raises(UsageError, match="DOCKER_HOST"):
        local_engine({"DOCKER_HOST": named})
