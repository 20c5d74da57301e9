"""The Engine's client and the live host against a real Engine, here and over SSH."""

from __future__ import annotations

import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from uuid import uuid4

import pytest

from mailtop.client.host import LiveHost
from mailtop.model.ask import Chunk, Command, Engine, Follow, Put
from mailtop.model.errors import AskFailed, CommandFailed, Denied, LinkLost, Missing
from mailtop.transport import Transport
from mailtop.transport.local import Local
from mailtop.transport.ssh import Ssh, resolve

pytestmark = pytest.mark.lab

SSH_CONFIG = Path(__file__).parent.parent / "lab/.state/ssh/config"
COUNTING = 'i=0; while :; do i=$((i+1)); echo "line $i"; echo "err $i" >&2; sleep 0.1; done'


def docker(*words: str) -> str:
    done = subprocess.run(("docker", *words), capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


@contextmanager
def container(*words: str) -> Iterator[str]:
    """A small container of our own beside the lab's."""
    images = docker("images", "--format", "{{.Repository}}:{{.Tag}}").splitlines()
    image = next((image for image in images if "/bookworm:" in image), "")
    if not image:
        pytest.skip("the lab's base image is not built")
    name = f"mailtop-test-{uuid4().hex[:8]}"
    docker("run", "-d", "--name", name, *words[:-1], image, "sh", "-c", words[-1])
    try:
        yield name
    finally:
        docker("rm", "-f", name)


@pytest.fixture(scope="module")
def counting() -> Iterator[str]:
    with container(COUNTING) as name:
        yield name


@pytest.fixture(scope="module", params=["local", "ssh"])
def mail1(request: pytest.FixtureRequest) -> Iterator[LiveHost]:
    host = LiveHost(over_ssh("ops@mail1") if request.param == "ssh" else Local("mail1"))
    host.connect()
    yield host
    host.close()


def over_ssh(destination: str) -> Transport:
    if not SSH_CONFIG.exists():
        pytest.skip("the lab is not up")
    return Ssh("mail1", resolve(destination, str(SSH_CONFIG)))


def read(chunks: Iterator[Chunk], lines: int) -> tuple[bytes, str]:
    """Read until so many lines have come; they and the resume point."""
    text = b""
    for chunk in chunks:
        text += chunk.lines
        if text.count(b"\n") >= lines:
            return text, chunk.resume
    return text, ""


def test_a_container_is_asked_and_told(mail1: LiveHost, counting: str) -> None:
    octets = bytes(range(256)) * 2000

    assert mail1.ask(counting, Command(("cat", "/etc/hostname"))).stdout
    assert mail1.ask(counting, Put(("cat",), octets)).stdout == octets
    assert mail1.ask(counting, Command(("sh", "-c", "echo no >&2; exit 7"))).exit == 7
    with pytest.raises(Missing):
        mail1.ask(counting, Command(("/no/such",))).ok("/no/such")


def test_the_engine_tells_what_is_kept(mail1: LiveHost, counting: str) -> None:
    answer = mail1.ask("", Engine(f"/containers/{counting}/json", ("Name", "State.Status")))

    assert answer.stdout == b'{"Name":"/%s","State":{"Status":"running"}}' % counting.encode()
    with pytest.raises(Missing, match="No such container"):
        mail1.ask("", Engine("/containers/nosuch/json", ("Name",)))


def test_a_log_resumes_without_loss_or_repetition(mail1: LiveHost, counting: str) -> None:
    text, resume = b"", ""
    for lines in (3, 1, 8):
        more, resume = read(mail1.follow(counting, Follow(resume=resume, since=1)), lines)
        text += more

    for word in (b"line", b"err"):
        numbers = [int(line.split()[1]) for line in text.splitlines() if line.startswith(word)]
        assert numbers == list(range(1, len(numbers) + 1))


def test_only_new_lines_come_where_no_more_is_asked_for(mail1: LiveHost, counting: str) -> None:
    before, _ = read(mail1.follow(counting, Follow(since=1)), 6)

    log = mail1.follow(counting, Follow())

    assert next(log).lines == b""
    new, _ = read(log, 1)
    assert not set(new.splitlines()) & set(before.splitlines()[:4])


def test_a_log_ends_with_its_container_and_goes_on_with_the_next_run(mail1: LiveHost) -> None:
    with container("echo begin; read x || sleep 1; echo end") as name:
        first = b"".join(chunk.lines for chunk in mail1.follow(name, Follow(since=1)))
        resume = list(mail1.follow(name, Follow(since=1)))[-1].resume
        docker("start", name)
        second = list(mail1.follow(name, Follow(resume=resume)))

    assert first == b"begin\nend\n"
    assert b"".join(chunk.lines for chunk in second) == b"begin\nend\n"
    assert [chunk.gap for chunk in second] == [0.0] * len(second)


def test_a_container_made_anew_under_its_name_says_what_may_be_missing(mail1: LiveHost) -> None:
    with container("echo old") as name:
        resume = list(mail1.follow(name, Follow(since=1)))[-1].resume
        docker("rm", "-f", name)
        image = next(i for i in docker("images", "--format", "{{.Repository}}:{{.Tag}}").split() if "/bookworm:" in i)
        docker("run", "-d", "--name", name, image, "echo", "new")
        chunks = list(mail1.follow(name, Follow(resume=resume)))

    assert b"".join(chunk.lines for chunk in chunks) == b"new\n"
    assert 0.0 < max(chunk.gap for chunk in chunks) < 30.0


def test_a_rotated_log_says_how_much_is_missing(mail1: LiveHost) -> None:
    words = ("--log-opt", "max-size=10k", "--log-opt", "max-file=1")
    with container(
        *words, 'echo first; sleep 1; i=0; while [ $i -lt 500 ]; do i=$((i+1)); echo "more $i"; done'
    ) as name:
        _, resume = read(mail1.follow(name, Follow(since=1)), 1)
        docker("wait", name)
        chunks = list(mail1.follow(name, Follow(resume=resume)))

    lines = b"".join(chunk.lines for chunk in chunks)
    assert b"first" not in lines
    assert lines.endswith(b"more 500\n")
    assert max(chunk.gap for chunk in chunks) > 0.5


@pytest.mark.parametrize("tty", [False, True])
def test_long_lines_and_terminals_are_read_alike(mail1: LiveHost, tty: bool) -> None:
    script = "head -c 40000 /dev/zero | tr '\\0' x; echo; echo short; printf last"
    with container(*(["-t"] if tty else []), script) as name:
        docker("wait", name)
        lines = b"".join(chunk.lines for chunk in mail1.follow(name, Follow(since=1)))

    assert lines == b"x" * 40000 + b"\nshort\nlast\n"


def test_a_restarted_container_answers_the_next_ask(mail1: LiveHost) -> None:
    with container("exec sleep 600") as name:
        assert mail1.ask(name, Command(("echo", "1"))).stdout == b"1\n"
        docker("restart", "-t", "0", name)
        assert mail1.ask(name, Command(("echo", "2"))).stdout == b"2\n"


def test_a_paused_container_holds_nothing_up_and_is_named(mail1: LiveHost, counting: str) -> None:
    with container("exec sleep 600") as name:
        mail1.ask(name, Command(("true",)))
        docker("pause", name)
        with pytest.raises(AskFailed):
            mail1.ask(name, Command(("true",), timeout=0.5))
        with pytest.raises(CommandFailed, match="the container is paused"):
            mail1.ask(name, Command(("true",), timeout=2))
        assert mail1.ask(counting, Command(("echo", "well"))).stdout == b"well\n"
        docker("unpause", name)
        assert mail1.ask(name, Command(("echo", "back"))).stdout == b"back\n"
        docker("stop", "-t", "0", name)
        with pytest.raises(CommandFailed, match="the container is not running"):
            mail1.ask(name, Command(("true",), timeout=2))


@pytest.mark.parametrize("way", ["local", "ssh"])
def test_closing_wakes_a_follower(way: str, counting: str) -> None:
    host = LiveHost(over_ssh("ops@mail1") if way == "ssh" else Local("mail1"))
    host.connect()
    following, lost = threading.Event(), threading.Event()

    def follow() -> None:
        try:
            for _ in host.follow(counting, Follow(since=1)):
                following.set()
        except LinkLost:
            lost.set()

    threading.Thread(target=follow, daemon=True).start()
    assert following.wait(5)
    host.close()

    assert lost.wait(5)


def test_who_is_not_in_group_docker_is_told_so_and_asks_the_host_all_the_same() -> None:
    host = LiveHost(over_ssh("guest@mail1"))
    host.connect()

    assert b"guest" in host.ask("", Command(("id",))).stdout
    with pytest.raises(Denied, match="add the user to group docker"):
        host.ask("", Engine("/info", ("ID",)))
    host.close()
