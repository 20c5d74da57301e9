"""Hosts as people have them, and worse: each works, or says in one line why not. Real sshds, each strict in one way."""

from __future__ import annotations

import os
import re
import socket
import subprocess
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import pytest
from maillab import strange_hosts
from maillab.lab import Lab
from maillab.strange_hosts import KEYS, TOTP, ssh_config

from mailtop.client.host import LiveHost
from mailtop.client.shell import run_once
from mailtop.model.ask import Command, Engine
from mailtop.model.errors import (
    Garbled,
    HostKeyRefused,
    LoginRefused,
    MailtopError,
    Missing,
    NoSession,
    Unanswered,
    Unreachable,
)
from mailtop.model.question import Kind
from mailtop.transport.ssh import Ssh, resolve
from tests.transport.asking import REFUSED, Script, code

pytestmark = pytest.mark.lab
PONG = Command(("echo", "PONG"))
CODE = partial(code, TOTP)


@pytest.fixture(scope="module", autouse=True)
def strange(lab: Lab) -> None:
    strange_hosts.up(lab.engine)


@pytest.fixture
def config(tmp_path: Path) -> Callable[..., str]:
    """Writes an ssh_config; a number is a port of odd1."""
    return lambda *lines, **more: ssh_config(
        tmp_path, *(f"Host odd1\n  Port {line}" if isinstance(line, int) else line for line in lines), **more
    )


@contextmanager
def connected(config: str, host: str = "odd1", asker: Script | None = None) -> Iterator[Ssh]:
    ssh = Ssh(host, resolve(host, config), asker=asker)
    try:
        ssh.connect()
        yield ssh
    finally:
        ssh.close()


def pong(config: str, host: str = "odd1", asker: Script | None = None) -> bytes:
    with connected(config, host, asker) as ssh:
        return run_once(ssh.open, PONG).stdout


def trouble(config: str, host: str = "odd1", asker: Script | None = None) -> str:
    with pytest.raises(MailtopError) as raised:
        pong(config, host, asker)
    assert "\n" not in str(raised.value)
    return f"{type(raised.value).__name__} {raised.value}"


def authority(name: str = "authority") -> str:
    return " ".join((KEYS / f"{name}.pub").read_text().split()[:2])


# ways there


def test_one_jump_host_and_two(config: Callable[..., str]) -> None:
    behind = "Host behind\n  HostName 127.0.0.1\n  Port 2222\n  HostKeyAlias behind\n  ProxyJump jump1,jump2"
    assert pong(config("Host odd1\n  ProxyJump jump1")) == b"PONG\n"
    assert pong(config(behind), "behind") == b"PONG\n"
    assert "reset" in trouble(config(), "jump2") or "refused" in trouble(config(), "jump2")  # but from jump1 alone


def test_a_proxy_command_is_the_way_and_ends_with_the_connection(config: Callable[..., str], tmp_path: Path) -> None:
    way = f"ssh -F {tmp_path}/config -W %h:%p jump1"
    with connected(config(f"Host odd1\n  ProxyCommand {way}")) as odd1:
        assert run_once(odd1.open, PONG).stdout == b"PONG\n"
        program = odd1._proxy._process.pid  # type: ignore[union-attr]
        assert Path(f"/proc/{program}/cmdline").read_bytes().startswith(b"ssh\0-F")
    assert not Path(f"/proc/{program}").exists()


def test_a_proxy_command_that_fails_has_the_last_word(config: Callable[..., str]) -> None:
    said = trouble(config('Host odd1\n  ProxyCommand sh -c "echo no way to %h for %r >&2; exit 3"'))
    assert said.startswith("Unreachable odd1: ProxyCommand said: no way to 172.28.0.112 for root; try: ssh odd1")


def test_what_does_not_answer_says_so(config: Callable[..., str]) -> None:
    assert trouble(config(), "nobody.invalid").endswith("nobody.invalid has no address; is the name right?")
    assert trouble(config(1)) == "Unreachable odd1: 172.28.0.112 port 1: connection refused; is sshd up?"


# who the host is


@pytest.mark.parametrize("port", [2208, 2212])
def test_a_hosts_certificate_is_verified(config: Callable[..., str], port: int) -> None:
    assert pong(config(port, known=f"@cert-authority odd*,jump1 {authority()}\n")) == b"PONG\n"


@pytest.mark.parametrize(
    ("port", "why"),
    [
        (2209, "its certificate 'late' expired 2020-01-02 00:00 UTC; ask who runs its authority to sign it again"),
        (2210, "its certificate 'astray' is for mail7, not for odd1; ask who"),
        (2211, r"is not known, nor the authority of its certificate by .*known_hosts:1; compare it, then: ssh-keyscan"),
        (22, "is not known, and has no certificate; compare it, then: ssh-keyscan -t ed25519 172"),
    ],
)
def test_a_certificate_that_proves_nothing_is_refused(config: Callable[..., str], port: int, why: str) -> None:
    with pytest.raises(HostKeyRefused, match=why):
        pong(config(port, known=f"@cert-authority odd1 {authority()}\n"))


def test_a_revoked_authority_proves_nothing(config: Callable[..., str]) -> None:
    known = f"@cert-authority odd1 {authority()}\n@revoked * {authority()}\n"
    with pytest.raises(HostKeyRefused, match=r"of its certificate 'good' is revoked in .*:2"):
        pong(config(2208, known=known))


def test_a_known_key_does_where_the_authority_is_another(config: Callable[..., str]) -> None:
    key = " ".join((KEYS / "host.pub").read_text().split()[:2])
    assert pong(config(2211, known=f"@cert-authority odd1 {authority()}\nodd1 {key}\n")) == b"PONG\n"


# who we are


def test_a_users_certificate_logs_in(config: Callable[..., str]) -> None:
    assert pong(config(2213, identity="member")) == b"PONG\n"
    named = f"Host odd1\n  Port 2213\n  CertificateFile {KEYS}/member-cert.pub"
    assert pong(config(named)) == b"PONG\n"
    asker = Script("swordfish")
    assert pong(config(2213, identity="vaulted"), asker=asker) == b"PONG\n"


def test_an_expired_certificate_is_named(config: Callable[..., str]) -> None:
    assert re.search(
        r"former refused; certificate .*former-cert.pub expired 2020-01-02 00:00 UTC",
        trouble(config(2213, identity="former")),
    )


def test_an_agents_keys_and_certificates_log_in(config: Callable[..., str], tmp_path: Path) -> None:
    sock = str(tmp_path / "agent")
    with subprocess.Popen(("ssh-agent", "-D", "-a", sock), stdout=subprocess.DEVNULL) as agent:
        try:
            pause = threading.Event()
            while not Path(sock).exists():
                pause.wait(0.01)
            env = {**os.environ, "SSH_AUTH_SOCK": sock}
            subprocess.run(("ssh-add", "-q", str(KEYS / "member")), env=env, check=True, capture_output=True)
            for port in (22, 2213):
                lines = f"Host odd1\n  Port {port}\n  IdentityAgent {sock}"
                assert pong(config(lines, identity="nothing")) == b"PONG\n"
            only = f"Host odd1\n  IdentityAgent {sock}\n  IdentitiesOnly yes"
            assert pong(config(only, identity="id.pub")) == b"PONG\n"
            assert "no key for root" in trouble(config(only, identity="nothing"))
        finally:
            agent.terminate()


@pytest.mark.parametrize("identity", ["locked", "old"])
def test_a_locked_key_is_asked_for_and_its_passphrase_remembered(config: Callable[..., str], identity: str) -> None:
    asker = Script("wrong", "swordfish")
    file = config(identity=identity)
    assert pong(file, asker=asker) == b"PONG\n"
    words = f"passphrase of {KEYS}/{identity}"
    assert asker.asked == [(Kind.PASSPHRASE, words), (Kind.PASSPHRASE, f"{words} (wrong; once more)")]
    assert pong(file, asker=asker) == b"PONG\n"
    assert len(asker.asked) == 2


def test_three_wrong_passphrases_are_enough(config: Callable[..., str]) -> None:
    said = trouble(config(identity="locked"), asker=Script("a", "b", "c"))
    assert said == f"Unanswered odd1: no right passphrase for {KEYS}/locked; or: ssh-add {KEYS}/locked"


def test_a_password_is_asked_for_and_remembered(config: Callable[..., str]) -> None:
    asker, file = Script("wrong", "swordfish"), config(2205, user="ann")
    assert pong(file, asker=asker) == b"PONG\n"
    assert [words for _, words in asker.asked] == ["ann@odd1's password", "ann@odd1's password (wrong; once more)"]
    assert pong(file, asker=asker) == b"PONG\n"
    assert len(asker.asked) == 2


def test_a_configured_password_is_for_its_host_alone(config: Callable[..., str]) -> None:
    told: list[str] = []

    def password() -> str:
        told.append("once")
        return "swordfish"

    ssh = Ssh("odd1", resolve("odd1", config(2205, user="ann")), password=password)
    ssh.connect()
    assert (run_once(ssh.open, PONG).stdout, told) == (b"PONG\n", ["once"])
    ssh.close()
    behind = Ssh("jump1", resolve("jump1", config(2205, "Host jump1\n  ProxyJump ann@odd1")), password=password)
    with pytest.raises(LoginRefused, match="it takes no keys from ann, only password"):
        behind.connect()
    behind.close()
    assert told == ["once"]


def test_a_wrong_password_and_a_refusal_are_said(config: Callable[..., str]) -> None:
    file = config(2205, user="ann")
    with pytest.raises(Unanswered, match="ann may not log in: password refused; r asks once more"):
        pong(file, asker=Script("a", "b", "c"))
    with pytest.raises(Unanswered, match="asked for ann@odd1's password: not answered; r asks again"):
        pong(file, asker=Script(REFUSED))
    with pytest.raises(LoginRefused, match="it takes no keys from ann, only password"):
        pong(file)


def test_a_password_and_a_code_are_asked_for_and_then_the_code_alone(config: Callable[..., str]) -> None:
    asker, file = Script("swordfish", CODE, CODE), config(2206, user="ann")
    assert pong(file, asker=asker) == b"PONG\n"
    assert pong(file, asker=asker) == b"PONG\n"
    assert asker.asked == [
        (Kind.PASSWORD, "ann@odd1: Password"),
        (Kind.CODE, "ann@odd1: Verification code"),
        (Kind.CODE, "ann@odd1: Verification code"),
    ]


def test_a_key_and_a_code(config: Callable[..., str]) -> None:
    asker = Script(CODE)
    assert pong(config(2207), asker=asker) == b"PONG\n"
    assert trouble(config(2207)).startswith("LoginRefused odd1: it wants keyboard-interactive besides publickey;")


def test_a_host_that_loses_patience_meanwhile_is_noticed(config: Callable[..., str]) -> None:
    gone = threading.Event()

    class Slow(Script):
        def ask(self, kind, about, words, secret, wanted):  # type: ignore[no-untyped-def]
            while wanted():
                gone.wait(0.05)
            raise Unanswered("odd1", "the host hung up")

    with pytest.raises(Unanswered, match="hung up"):
        pong(config(2218, user="ann"), asker=Slow())


@pytest.mark.parametrize(
    ("identity", "why"),
    [
        ("broken", "broken is no private key that mailtop can read"),
        (".", "strange cannot be read: is a directory"),
        ("stranger", "stranger refused"),
        ("locked", "locked needs its passphrase: ssh-add it"),
    ],
)
def test_a_key_that_is_of_no_use_is_named(config: Callable[..., str], identity: str, why: str) -> None:
    assert why in trouble(config(identity=identity))


def test_too_many_keys_are_said(config: Callable[..., str]) -> None:
    many = "".join(f"\n  IdentityFile {KEYS}/{name}" for name in ("stranger", "curve", "id"))
    said = trouble(config(f"Host odd1\n  Port 2217{many}", identity="nothing"))
    assert "it ended the login, perhaps for too many tries" in said
    assert "stranger refused); offer it fewer keys: IdentitiesOnly" in said


# what it lets us do


@pytest.mark.parametrize("user", ["fish", "tcsh", "chatty"])
def test_a_login_shell_may_be_another_and_may_talk(config: Callable[..., str], user: str) -> None:
    with connected(config(user=user)) as ssh:
        host = LiveHost(ssh, docker=False)
        assert [host.ask("", PONG).stdout for _ in range(3)] == [b"PONG\n"] * 3


def test_a_login_that_says_ten_megabytes_is_told_so(config: Callable[..., str]) -> None:
    with pytest.raises(Garbled, match="bytes or more came before the answer; make the login's start-up files silent"):
        pong(config(user="loud"))


def test_a_busybox_userland_and_dropbear(config: Callable[..., str]) -> None:
    with connected(config(), "bare") as ssh:
        host = LiveHost(ssh, docker=False)
        assert host.ask("", Command(("readlink", "/usr/bin/timeout"))).stdout == b"/bin/busybox\n"
        assert host.ask("", Command(("seq", "3"), pipe=(("tail", "-n1"),))).stdout == b"3\n"
        assert host.ask("", Command(("sh", "-c", "exit 7"))).exit == 7


def test_what_runs_no_shell_says_why(config: Callable[..., str]) -> None:
    shell = "mailtop needs a login that may run /bin/sh"
    assert trouble(config(), "nosh") == f"Missing shell: bash: line 1: /bin/sh: No such file or directory; {shell}"
    assert trouble(config(2204)) == f"Missing shell: this account is for backups; {shell}"
    assert trouble(config(2214)) == f"Missing shell: This service allows sftp connections only.; {shell}"
    with pytest.raises(NoSession, match="MaxSessions"):
        pong(config(2216))


def test_without_forwarding_docker_is_asked_by_a_program(config: Callable[..., str]) -> None:
    with connected(config(2203)) as ssh:
        host = LiveHost(ssh)
        host.connect()
        assert b"Containers" in host.ask("", Engine("/info", keep=("Containers",))).stdout
        assert host.ask("", PONG).stdout == b"PONG\n"
        host.close()


def test_one_session_is_shared_and_large_answers_wait_their_turn(config: Callable[..., str]) -> None:
    with connected(config(2201)) as ssh, ThreadPoolExecutor(6) as pool:
        host = LiveHost(ssh)
        host.connect()
        slow = Command(("sh", "-c", "sleep 0.2; echo PONG"), timeout=20)
        large = Command(("seq", "100000"), timeout=20, large=True, limit=1 << 20)
        asked = [pool.submit(host.ask, "", one) for one in (slow, PONG, large, slow, large, PONG)]
        engine = host.ask("", Engine("/info", keep=("Containers",)))
        lengths = [len(one.result(30).stdout) for one in asked]
        assert lengths == [5, 5, 588895, 5, 588895, 5]
        assert b"Containers" in engine.stdout
        assert host._sessions.limit == 1
        host.close()


def test_one_session_and_no_forwarding_leave_the_host_itself(config: Callable[..., str]) -> None:
    with connected(config(2215)) as ssh:
        host = LiveHost(ssh)
        host.connect()
        assert host.ask("", PONG).stdout == b"PONG\n"
        with pytest.raises(Missing, match=r"odd1: Docker: no socket is forwarded, and no session is left; set"):
            host.ask("", Engine("/info", keep=("Containers",)))
        host.close()


def test_an_sshd_that_takes_no_more_connections_says_so(config: Callable[..., str]) -> None:
    with socket.create_connection((strange_hosts.ADDRESSES["odd1"], 2202), 5) as first:
        assert first.recv(4) == b"SSH-"  # and never goes on
        with pytest.raises(
            Unreachable, match=r"sshd on .* port 2202 takes no more connections just now \(MaxStartups\)"
        ):
            pong(config(2202))
    until_free = threading.Event()
    for _ in range(100):
        try:
            assert pong(config(2202)) == b"PONG\n"
            break
        except Unreachable:
            until_free.wait(0.05)
    else:
        raise AssertionError("it never came back")
