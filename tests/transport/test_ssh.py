"""SSH on loopback: one real connection each, to paramiko's server and to OpenSSH's where it is installed."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec
import pytest

from mailtop.client.shell import LOGIN, Lanes, Shell, run_once
from mailtop.model.ask import Command, Put
from mailtop.model.errors import (
    Denied,
    HostKeyRefused,
    LinkLost,
    LoginRefused,
    Missing,
    NoSession,
    TimedOut,
    Unreachable,
)
from mailtop.transport import TcpAddress, UnixAddress
from mailtop.transport.ssh import Ssh, SshOptions, resolve
from tests.transport.asking import Script
from tests.transport.sshd import SSHD, OpenSshd, ParamikoSshd, serving, write_key

KINDS = ["paramiko", pytest.param("openssh", marks=pytest.mark.skipif(not SSHD, reason="no sshd here"))]
needs_ssh = pytest.mark.skipif(not shutil.which("ssh"), reason="no OpenSSH client here")
needs_sshd = pytest.mark.skipif(not SSHD, reason="no sshd here")


@pytest.fixture(params=KINDS)
def sshd(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[ParamikoSshd | OpenSshd]:
    try:
        with serving(request.param, tmp_path) as server:
            yield server
    except FileNotFoundError as error:
        pytest.skip(str(error))


@pytest.fixture
def threaded(tmp_path: Path) -> Iterator[ParamikoSshd]:
    server = ParamikoSshd(tmp_path)
    yield server
    server.stop()


@pytest.fixture
def mail1(sshd: ParamikoSshd | OpenSshd) -> Iterator[Ssh]:
    host = Ssh("mail1", resolve("mail1", str(sshd.keys.config)))
    host.connect()
    yield host
    host.close()


@contextmanager
def connected(server: ParamikoSshd | OpenSshd) -> Iterator[Ssh]:
    host = Ssh("mail1", resolve("mail1", str(server.keys.config)))
    try:
        host.connect()
        yield host
    finally:
        host.close()


@contextmanager
def echo_server(address: str | tuple[str, int]) -> Iterator[tuple[str, int]]:
    """Answers with what it heard, once the other side has said all."""
    family = socket.AF_UNIX if isinstance(address, str) else socket.AF_INET
    with socket.socket(family) as listener:
        listener.bind(address)
        listener.listen()
        thread = threading.Thread(target=_echo, args=(listener,))
        thread.start()
        yield listener.getsockname()
        listener.shutdown(socket.SHUT_RDWR)
        thread.join()


def _echo(listener: socket.socket) -> None:
    while True:
        try:
            stream = listener.accept()[0]
        except OSError:
            return
        with stream, contextlib.suppress(OSError):  # a client may have gone
            stream.sendall(all_of(stream))


def all_of(stream: socket.socket) -> bytes:
    return b"".join(iter(lambda: stream.recv(1 << 16), b""))


def test_a_program_has_three_streams_and_a_status(mail1: Ssh) -> None:
    channel = mail1.open("cat; echo err >&2; exit 3")
    channel.send(b"PING", 5)
    channel.end_of_input()
    stdout = stderr = b""
    while (piece := channel.read(5)) != (b"", b""):
        stdout, stderr = stdout + piece[0], stderr + piece[1]

    assert (stdout, stderr, channel.exit_status(5)) == (b"PING", b"err\n", 3)
    channel.close()


def test_a_kept_shell_runs_over_it(mail1: Ssh) -> None:
    shell = Shell(lambda: mail1.open(LOGIN))
    assert [shell.run(Command(("echo", str(n)))).stdout for n in range(5)] == [b"%d\n" % n for n in range(5)]
    wild = bytes(range(256)).replace(b"\0", b"") * 20
    assert shell.run(Command(("printf", "%s", os.fsdecode(wild)))).stdout == wild
    shell.close()


def test_stdin_is_streamed_while_the_answer_comes(mail1: Ssh) -> None:
    stdin = os.urandom(3_000_000)
    assert run_once(mail1.open, Put(("cat",), stdin)).stdout == stdin


def test_a_silent_program_times_out_and_closing_wakes_its_reader(mail1: Ssh) -> None:
    channel = mail1.open("exec cat")
    with pytest.raises(TimedOut):
        channel.read(0.05)
    closer = threading.Timer(0.1, channel.close)
    closer.start()
    with pytest.raises(LinkLost):
        channel.read(30)
    closer.join()


def test_a_unix_socket_is_dialled_with_half_closes_both_ways(mail1: Ssh, tmp_path: Path) -> None:
    message = os.urandom(2_000_000)
    with echo_server(str(tmp_path / "docker.sock")), mail1.dial(UnixAddress(str(tmp_path / "docker.sock"))) as stream:
        _send(stream, message)
        assert all_of(stream) == message


def test_a_tcp_port_is_dialled(mail1: Ssh) -> None:
    with echo_server(("127.0.0.1", 0)) as address, mail1.dial(TcpAddress("127.0.0.1", address[1])) as stream:
        _send(stream, b"PING\n")
        assert all_of(stream) == b"PING\n"


def test_many_are_dialled_at_once_by_one_thread(mail1: Ssh, tmp_path: Path) -> None:
    with echo_server(str(tmp_path / "s")):
        mail1.dial(UnixAddress(str(tmp_path / "s"))).close()
        streams = [mail1.dial(UnixAddress(str(tmp_path / "s"))) for _ in range(30)]
        assert sum(thread.name == "pump mail1" for thread in threading.enumerate()) == 1
        for stream in streams:
            _send(stream, b"PING")
            stream.close()


def test_what_is_not_there_is_missing(mail1: Ssh, tmp_path: Path) -> None:
    with pytest.raises(Missing, match=r"may .* open it, and does sshd allow AllowStreamLocalForwarding"):
        mail1.dial(UnixAddress(str(tmp_path / "nothing")))
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    with pytest.raises(Missing):
        mail1.dial(TcpAddress("127.0.0.1", port))
    assert mail1.alive()


def test_a_configured_password_that_is_wrong_is_said_to_be(threaded: ParamikoSshd) -> None:
    threaded.password = "swordfish"
    asked: list[str] = []

    def fetched(word: str) -> str:
        asked.append(word)
        return word

    options = resolve("mail1", str(threaded.keys.config))
    wrong = Ssh("mail1", options, password=lambda: fetched("sesame"))
    with pytest.raises(LoginRefused, match="password refused") as raised:
        wrong.connect()
    wrong.close()
    assert "sesame" not in f"{raised.value!r}{raised.value.__cause__!r}{raised.value.__context__!r}"
    right = Ssh("mail1", options, password=lambda: fetched("swordfish"))
    right.connect()
    right.close()
    assert asked == ["sesame", "swordfish"]


def test_a_host_may_take_its_time_over_an_answer(threaded: ParamikoSshd) -> None:
    """It may have asked a telephone, and a person is slower than a connection."""
    telephone, asker = threading.Event(), Script("123456")
    options = msgspec.structs.replace(resolve("mail1", str(threaded.keys.config)), timeout=0.5)
    threaded.judge = lambda answers: not telephone.wait(1.5) and answers == ["123456"]
    host = Ssh("mail1", options, asker=asker)
    host.connect()
    assert host.alive()
    host.close()


def test_a_password_that_is_not_utf8_is_sent_as_it_was_typed(threaded: ParamikoSshd) -> None:
    threaded.password = "swordfish"
    typed = b"caf\xe9".decode("utf-8", "surrogateescape")
    wrong = Ssh("mail1", resolve("mail1", str(threaded.keys.config)), password=lambda: typed)
    with pytest.raises(LoginRefused, match="password refused"):
        wrong.connect()
    wrong.close()


@pytest.mark.parametrize(("silent", "why"), [(True, "it says nothing for 0.5 s"), (False, "hung up without a word")])
def test_a_host_that_says_nothing_has_not_hung_up(silent: bool, why: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        host = Ssh("mute", SshOptions("mute", "127.0.0.1", listener.getsockname()[1], timeout=0.5))
        hanging_up = threading.Thread(target=lambda: listener.accept()[0].close())
        if not silent:
            hanging_up.start()
        with pytest.raises(Unreachable, match=why):
            host.connect()
        host.close()
        if not silent:
            hanging_up.join()


@pytest.mark.parametrize(
    ("said", "why"),
    [
        (b"SSH-2.0-odd\r\n", "its handshake takes too long; is it sshd, and is it up?"),
        (b"220 mail ESMTP\r\n", "it says 220 mail ESMTP; is it sshd's port?"),
        (b"\x1b[2J" * 100, "is it sshd's port?"),
    ],
)
def test_what_speaks_something_else_or_no_more_is_quoted(said: bytes, why: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        host = Ssh("odd", SshOptions("odd", "127.0.0.1", listener.getsockname()[1], timeout=0.5))
        held: list[socket.socket] = []

        def speak() -> None:
            held.append(listener.accept()[0])
            held[0].sendall(said)

        speaking = threading.Thread(target=speak)
        speaking.start()
        with pytest.raises(Unreachable) as raised:
            host.connect()
        host.close()
        speaking.join()
        held[0].close()
    assert str(raised.value).endswith(why)
    assert "\x1b" not in str(raised.value)


@pytest.mark.parametrize("payload", [b"\x14" + b"c" * 16 + b"\0\0\0\2\xff\xfe", b"\x14", b"\x14" + b"\xff" * 40])
def test_a_host_that_speaks_nonsense_is_unreachable_in_one_line(tmp_path: Path, payload: bytes) -> None:
    padding = 16 - (len(payload) + 5) % 8
    packet = (len(payload) + 1 + padding).to_bytes(4, "big") + bytes([padding]) + payload + bytes(padding)

    def serve() -> None:
        stream = listener.accept()[0]
        with stream, contextlib.suppress(OSError):
            stream.sendall(b"SSH-2.0-odd\r\n" + packet)
            while stream.recv(1 << 10):
                pass

    with socket.create_server(("127.0.0.1", 0)) as listener:
        serving_it = threading.Thread(target=serve)
        serving_it.start()
        host = Ssh("odd", SshOptions("odd", "127.0.0.1", listener.getsockname()[1], timeout=2.0))
        with pytest.raises(Unreachable, match="no SSH with") as raised:
            host.connect()
        host.close()
        serving_it.join()
    assert "\n" not in str(raised.value)


def test_no_password_goes_to_a_host_whose_key_is_not_known(threaded: ParamikoSshd) -> None:
    threaded.password = "swordfish"
    threaded.keys.known_hosts.write_text("")
    asked: list[str] = []
    host = Ssh("mail1", resolve("mail1", str(threaded.keys.config)), password=lambda: asked.append("") or "swordfish")  # type: ignore[func-returns-value]
    with pytest.raises(HostKeyRefused):
        host.connect()
    host.close()
    assert asked == []


def test_forwarding_that_is_forbidden_is_denied(threaded: ParamikoSshd) -> None:
    threaded.forwards = False
    with connected(threaded) as mail1:
        with pytest.raises(Denied, match="AllowTcpForwarding"):
            mail1.dial(TcpAddress("127.0.0.1", 25))
        with pytest.raises(Denied):
            mail1.dial(UnixAddress("/run/docker.sock"))


def test_no_session_and_no_program_are_denied(threaded: ParamikoSshd) -> None:
    with connected(threaded) as mail1:
        threaded.starts = False
        with pytest.raises(Denied, match="ForceCommand"):
            mail1.open(LOGIN)
        threaded.sessions = False
        with pytest.raises(NoSession, match="MaxSessions"):
            mail1.open(LOGIN)


@needs_sshd
def test_more_sessions_than_sshd_gives_are_refused_and_harm_no_other(tmp_path: Path) -> None:
    with serving("openssh", tmp_path) as sshd, connected(sshd) as mail1:
        channels = [mail1.open("exec cat") for _ in range(10)]
        with pytest.raises(NoSession, match="mail1: no further session; MaxSessions"):
            mail1.open(LOGIN)
        channels[0].send(b"PING", 5)
        assert channels[0].read(5) == (b"PING", b"")


def test_closing_leaves_no_thread_and_a_later_connect_works(sshd: ParamikoSshd | OpenSshd, tmp_path: Path) -> None:
    with echo_server(str(tmp_path / "s")), connected(sshd) as mail1:
        stream = mail1.dial(UnixAddress(str(tmp_path / "s")))
        channel = mail1.open(LOGIN)
        mail1.close()

        assert not [thread for thread in threading.enumerate() if thread.name == "pump mail1"]
        assert not mail1.alive()
        assert stream.recv(10) == b""
        stream.close()
        with pytest.raises(LinkLost):
            channel.read(5)
        with pytest.raises(LinkLost):
            mail1.open(LOGIN)
        mail1.connect()
        assert run_once(mail1.open, Command(("echo", "PONG"))).stdout == b"PONG\n"


def test_a_lost_connection_is_told_to_all_and_can_be_made_again(threaded: ParamikoSshd, tmp_path: Path) -> None:
    with echo_server(str(tmp_path / "s")), connected(threaded) as mail1:
        lanes = Lanes(lambda: mail1.open(LOGIN))
        lanes.run(Command(("true",)))
        stream = mail1.dial(UnixAddress(str(tmp_path / "s")), 5)
        channel = mail1.open(LOGIN)
        threaded.cut()

        with pytest.raises(LinkLost):
            channel.read(5)
        assert stream.recv(10) == b""
        stream.close()
        with pytest.raises(LinkLost):
            lanes.run(Command(("true",)))
        mail1.connect()
        assert lanes.run(Command(("echo", "PONG"))).stdout == b"PONG\n"
        lanes.close()


@needs_sshd
def test_a_stopped_sshd_times_out_each_ask_and_then_counts_as_lost(tmp_path: Path) -> None:
    with serving("openssh", tmp_path) as sshd:
        assert isinstance(sshd, OpenSshd)
        mail1 = Ssh("mail1", resolve("mail1", str(sshd.keys.config)), keepalive=1, silence=4.0)
        mail1.connect()
        shell = Shell(lambda: mail1.open(LOGIN))
        shell.run(Command(("true",)))
        stopped = _tree(sshd.session())
        for pid in stopped:
            os.kill(pid, signal.SIGSTOP)
        try:
            with pytest.raises(TimedOut, match="true: no answer within"):
                shell.run(Command(("true",), timeout=0.1))
            with pytest.raises((TimedOut, LinkLost)):
                mail1.dial(UnixAddress("/run/docker.sock"), 0.2)
            wait_for(lambda: not mail1.alive())
            with pytest.raises(LinkLost):
                shell.run(Command(("true",)))
        finally:
            for pid in stopped:
                os.kill(pid, signal.SIGCONT)
        mail1.connect()
        assert shell.run(Command(("echo", "PONG"))).stdout == b"PONG\n"
        shell.close()
        mail1.close()


def test_a_host_that_accepts_and_says_nothing_is_unreachable(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        host = f"ssh://ann@127.0.0.1:{silent.getsockname()[1]}"
        options = resolve(host)
        with pytest.raises(Unreachable, match="no SSH with 127"):
            Ssh("mail1", _quick(options)).connect()
    with pytest.raises(Unreachable, match="connection refused; is sshd up"):
        Ssh("mail1", _quick(options)).connect()


def test_closing_ends_a_connect_on_its_way() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        host = Ssh("mail1", SshOptions("mail1", "127.0.0.1", silent.getsockname()[1], "ann", timeout=30))
        closer = threading.Timer(0.2, host.close)
        closer.start()
        with pytest.raises(Unreachable):
            host.connect()
        closer.join()


def test_an_unknown_key_is_refused_with_the_line_that_adds_it(sshd: ParamikoSshd | OpenSshd) -> None:
    keys = sshd.keys
    keys.known_hosts.write_text("")
    with pytest.raises(HostKeyRefused) as refused, connected(sshd):
        pass
    assert f"ssh-keyscan -t ed25519 -p {keys.port} 127.0.0.1 >> {keys.known_hosts}" in str(refused.value)
    assert "SHA256:" in refused.value.reason


@needs_sshd
@needs_ssh
def test_the_line_that_is_given_works(tmp_path: Path) -> None:
    with serving("openssh", tmp_path) as sshd:
        sshd.keys.known_hosts.write_text(f"[127.0.0.1]:{sshd.keys.port} {(tmp_path / 'stranger.pub').read_text()}")
        with pytest.raises(HostKeyRefused, match="is not the one in") as refused, connected(sshd):
            pass
        line = refused.value.remedy.partition(": ")[2]
        subprocess.run(("/bin/sh", "-c", line), check=True, capture_output=True)
        with connected(sshd) as mail1:
            assert mail1.alive()


def test_a_revoked_key_is_refused(sshd: ParamikoSshd | OpenSshd) -> None:
    keys = sshd.keys
    known = keys.known_hosts.read_text()
    keys.known_hosts.write_text(f"{known}@revoked * {known.partition(' ')[2]}")
    with pytest.raises(HostKeyRefused, match=r"revoked in .*:2"), connected(sshd):
        pass


def test_a_login_that_is_refused_says_which_keys_were_tried(sshd: ParamikoSshd | OpenSshd) -> None:
    sshd.keys.configure("stranger")
    with pytest.raises(LoginRefused, match=r"stranger refused.*ssh-copy-id") as refused, connected(sshd):
        pass
    assert refused.value.thing == "mail1"


def test_a_locked_key_is_named(sshd: ParamikoSshd | OpenSshd, tmp_path: Path) -> None:
    write_key(tmp_path / "operator", password=b"swordfish")
    with pytest.raises(LoginRefused, match="operator needs its passphrase: ssh-add it"), connected(sshd):
        pass


@needs_ssh
def test_a_jump_host_is_gone_through(sshd: ParamikoSshd | OpenSshd) -> None:
    keys = sshd.keys
    config = keys.configure(more="  ProxyJump bastion\n" + keys.config.read_text().replace("mail1", "bastion"))
    options = resolve("mail1", config)
    assert options.jump
    assert (options.jump.destination, options.jump.jump) == ("bastion", None)
    host = Ssh("mail1", options)
    host.connect()
    assert run_once(host.open, Command(("echo", "PONG"))).stdout == b"PONG\n"
    host.close()


def test_a_locked_key_that_the_host_does_not_take_is_no_reason_to_ask(
    sshd: ParamikoSshd | OpenSshd, tmp_path: Path
) -> None:
    write_key(tmp_path / "locked", password=b"swordfish")
    sshd.keys.configure("locked")
    with pytest.raises(LoginRefused, match="locked refused"), connected(sshd):
        pass


@needs_ssh
def test_what_is_not_supported_is_named(tmp_path: Path) -> None:
    config = tmp_path / "config"
    config.write_text("Host mail1\n  KnownHostsCommand /bin/keys %H\n")
    with pytest.raises(Unreachable, match="mail1: not supported yet: knownhostscommand /bin/keys"):
        Ssh("mail1", resolve("mail1", str(config))).connect()


def test_paramiko_is_imported_when_it_is_first_used() -> None:
    code = "import sys, mailtop.transport.ssh; sys.exit('paramiko' in sys.modules)"
    assert subprocess.run((sys.executable, "-c", code), check=False).returncode == 0


def test_nothing_of_paramikos_log_reaches_the_terminal(
    threaded: ParamikoSshd, capfd: pytest.CaptureFixture[str]
) -> None:
    with connected(threaded) as mail1, pytest.raises(Missing):
        mail1.dial(UnixAddress("/nothing"))
    assert capfd.readouterr() == ("", "")


def _quick(options: SshOptions) -> SshOptions:
    return msgspec.structs.replace(options, timeout=0.3)


def _send(stream: socket.socket, message: bytes) -> None:
    """Send all while the other side may answer already, then say so."""
    stream.sendall(message)
    stream.shutdown(socket.SHUT_WR)


def _tree(pids: list[int]) -> list[int]:
    found = list(pids)
    for pid in pids:
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
        found += _tree([int(child) for child in children])
    return found


def wait_for(condition: Callable[[], object], seconds: float = 20) -> None:
    """Wait until it is so."""
    pause = threading.Event()
    for _ in range(int(seconds * 100)):
        if condition():
            return
        pause.wait(0.01)
    raise AssertionError("it never came")
