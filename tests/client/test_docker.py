"""The Engine's client against real answers, and against an Engine and a wire that misbehave."""

from __future__ import annotations

import json
import socket
import struct
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from mailtop.client.docker import Docker, kept
from mailtop.model.errors import AskFailed, CommandFailed, Denied, Garbled, LinkLost, Missing, TimedOut
from mailtop.transport import UnixAddress
from mailtop.transport.local import Local
from tests.client.fake_engine import RUNNING, STOPPED, FakeEngine, engine_at, stream
from tests.fault.transport import Cut, Drip, Fault, Garble, HalfClose, Misbehaving, Stall

CONTAINERS = (Path(__file__).parent / "docker_containers.json").read_bytes()
DOVECOT = (Path(__file__).parent.parent / "parse" / "docker_log_dovecot.bin").read_bytes()
POSTFIX = "/containers/postfix"


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[FakeEngine]:
    with engine_at(tmp_path / "docker.sock") as engine:
        yield engine


@pytest.fixture
def docker(engine: FakeEngine) -> Iterator[Docker]:
    docker = dialled(Local(), engine.path)
    yield docker
    docker.close()


def dialled(transport: Local | Misbehaving, path: Path) -> Docker:
    return Docker(lambda: transport.dial(UnixAddress(str(path))), "mail1")


@pytest.fixture(params=["before the SDK is there", "with the SDK"])
def asked_docker(request: pytest.FixtureRequest, docker: Docker) -> Docker:
    """An Engine that knows its version; with the SDK it has been asked to start a program."""
    if request.param == "with the SDK":
        docker._api(1.0)
    else:
        docker._agreed(1.0)
    return docker


def close_when(event: threading.Event, docker: Docker) -> None:
    def run() -> None:
        event.wait(5)
        docker.close()

    threading.Thread(target=run, daemon=True).start()


def frame(octets: bytes, stream: int = 1) -> bytes:
    return struct.pack(">BxxxL", stream, len(octets)) + octets


def test_only_the_fields_that_are_kept_leave_the_client(engine: FakeEngine, docker: Docker) -> None:
    engine.says["/containers/json"] = CONTAINERS

    listed = json.loads(docker.get("/containers/json?all=1", ("Names", "State", "Labels.com.docker.compose.service")))

    assert listed[0] == {
        "Names": ["/piler"],
        "State": "running",
        "Labels": {"com.docker.compose.service": "piler"},
    }
    assert engine.asked[-1] == "GET /v1.41/containers/json?all=1 HTTP/1.1"


def test_nothing_is_kept_of_what_is_not_named() -> None:
    assert kept(RUNNING, ("State.Running", "Config.Tty", "Missing.Field", "Created.x")) == {
        "State": {"Running": True},
        "Config": {"Tty": False},
    }
    assert kept({"Mounts": [{"Source": "/a", "Mode": "ro"}, "junk"]}, ("Mounts.Source", "Mounts.Mode")) == {
        "Mounts": [{"Source": "/a", "Mode": "ro"}]
    }
    assert kept({"Env": ["PASSWORD=x"]}, ("Env.PASSWORD",)) == {"Env": []}
    assert kept("text", ("x",)) is None


@pytest.mark.parametrize(
    ("versions", "spoken"),
    [
        (("1.41", "1.12"), "v1.41"),
        (("1.24", "1.12"), "v1.24"),
        (("1.51", "1.24"), "v1.45"),
        (("1.60", "1.50"), "v1.50"),
    ],
)
def test_the_version_is_one_that_both_know(
    engine: FakeEngine, docker: Docker, versions: tuple[str, str], spoken: str
) -> None:
    engine.says["/version"] = (200, {"ApiVersion": versions[0], "MinAPIVersion": versions[1]})
    engine.says["/info"] = b"{}"

    docker.get("/info", ())

    assert engine.asked[-1] == f"GET /{spoken}/info HTTP/1.1"


def test_an_engine_too_old_is_named(engine: FakeEngine, docker: Docker) -> None:
    engine.says["/version"] = (200, {"ApiVersion": "1.18"})

    with pytest.raises(Missing, match=r"its API 1\.18 is older than 1\.24; upgrade Docker"):
        docker.get("/info", ())


@pytest.mark.parametrize(
    ("status", "message", "kind", "words"),
    [
        (404, "No such container: nosuch", Missing, "No such container"),
        (403, "authorization denied by plugin", Denied, "authorization denied"),
        (400, "client version 1.99 is too new", CommandFailed, "too new"),
        (409, "Container 0abc is paused, unpause the container before exec", CommandFailed, "the container is paused"),
        (409, "Container 0abc is not running", CommandFailed, "the container is not running"),
        (409, "Container 0abc is restarting, wait until", CommandFailed, "the container is restarting"),
        (501, "configured logging driver does not support reading", Missing, "json-file"),
        (500, "server error", CommandFailed, "server error"),
    ],
)
def test_a_refusal_says_what_it_means(
    engine: FakeEngine, docker: Docker, status: int, message: str, kind: type[AskFailed], words: str
) -> None:
    engine.says[f"{POSTFIX}/json"] = (status, {"message": message})
    engine.says[f"{POSTFIX}/exec"] = (status, {"message": message})

    with pytest.raises(kind, match=words):
        docker.get(f"{POSTFIX}/json", ("Id",))
    with pytest.raises(kind, match=words):
        docker.exec_channel("postfix", ("true",))
    with pytest.raises(kind, match=words):
        next(docker.logs("postfix"))


def test_a_socket_that_is_not_there_says_what_to_do(tmp_path: Path) -> None:
    def dial() -> socket.socket:
        sock = socket.socket(socket.AF_UNIX)
        try:
            sock.connect(str(tmp_path / "none"))
        finally:
            sock.close()
        return sock

    with pytest.raises(Missing, match="install and start Docker"):
        Docker(dial, "mail1").ping()


def test_a_socket_that_may_not_be_opened_says_what_to_do() -> None:
    def dial() -> socket.socket:
        raise PermissionError(13, "Permission denied")

    with pytest.raises(Denied, match="add the user to group docker"):
        Docker(dial, "mail1").ping()


def test_what_is_no_json_is_garbled(engine: FakeEngine, docker: Docker) -> None:
    engine.says["/info"] = b"<html>"

    with pytest.raises(Garbled, match="not JSON"):
        docker.get("/info", ("ID",))


def chunk(octets: bytes, extension: bytes = b"") -> bytes:
    return b"%x%s\r\n%s\r\n" % (len(octets), extension, octets)


def test_an_answer_in_chunks_is_whole_and_one_cut_short_is_a_lost_link(engine: FakeEngine, docker: Docker) -> None:
    head = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
    whole = chunk(b'{"ID"', b";a=b") + chunk(b':\r\n"0\\r\\n') + chunk(b'x"}') + chunk(b"")
    bodies = (whole, whole[:-8], b"-5\r\n", b"zz\r\n")
    engine.says["/info"] = [lambda sock, body=body: sock.sendall(head + body) for body in bodies]  # type: ignore[misc]

    assert docker.get("/info", ("ID",)) == b'{"ID":"0\\r\\nx"}'
    with pytest.raises(LinkLost, match="the Engine ended the connection"):
        docker.get("/info", ("ID",))
    for _ in range(2):
        with pytest.raises(Garbled, match="not a chunk's size"):
            docker.get("/info", ("ID",))


def test_a_first_answer_needs_no_sdk(engine: FakeEngine) -> None:
    program = (
        "import socket, sys; from mailtop.client.docker import Docker\n"
        "def dial():\n    end = socket.socket(socket.AF_UNIX); end.connect(sys.argv[1]); return end\n"
        "docker = Docker(dial); docker.ping(); docker.get('/info', ('ID',)); docker.close()\n"
        "sys.exit('docker' in sys.modules or 'requests' in sys.modules)"
    )
    engine.says["/info"] = (200, {"ID": "x"})

    assert subprocess.run([sys.executable, "-c", program, str(engine.path)], timeout=20).returncode == 0


FAULTS: list[tuple[Fault, type[AskFailed]]] = [
    (Stall(), TimedOut),
    (Stall(after=30), TimedOut),
    (Cut(), LinkLost),
    (Cut(after=30), LinkLost),  # within the head
    (Cut(after=60), LinkLost),
    (HalfClose(after=60), LinkLost),
    (Garble(), Garbled),
]


@pytest.mark.parametrize(("fault", "kind"), FAULTS)
def test_a_fault_of_a_first_question_ends_in_its_error_and_the_next_ask_is_well(
    engine: FakeEngine, fault: Fault, kind: type[AskFailed]
) -> None:
    engine.says["/info"] = (200, {"ID": "x" * 200})
    wire = Misbehaving(Local(), [fault])
    docker = dialled(wire, engine.path)

    with pytest.raises(kind):
        docker.get("/info", ("ID",), timeout=0.5)

    assert docker.get("/info", ("ID",)) == b'{"ID":"%s"}' % (b"x" * 200)
    docker.close()
    wire.close()


@pytest.mark.parametrize(("fault", "kind"), [*FAULTS[:3], (Cut(after=30), Garbled), *FAULTS[4:]])
def test_a_fault_with_the_sdk_ends_in_its_error_and_the_next_ask_is_well(
    engine: FakeEngine, fault: Fault, kind: type[AskFailed]
) -> None:
    engine.says["/info"] = (200, {"ID": "x" * 200})
    wire = Misbehaving(Local(), [None, fault])
    docker = dialled(wire, engine.path)
    docker._api(1.0)

    with pytest.raises(kind):
        docker.get("/info", ("ID",), timeout=0.5)

    assert docker.get("/info", ("ID",)) == b'{"ID":"%s"}' % (b"x" * 200)
    docker.close()
    wire.close()


def test_an_answer_octet_by_octet_is_an_answer(engine: FakeEngine) -> None:
    engine.says["/info"] = (200, {"ID": "x"})
    wire = Misbehaving(Local(), [Drip(), Drip()])
    docker = dialled(wire, engine.path)

    assert docker.get("/info", ("ID",)) == b'{"ID":"x"}'
    docker.close()
    wire.close()


def test_an_answer_that_trickles_has_one_deadline(engine: FakeEngine, asked_docker: Docker) -> None:
    stop = threading.Event()

    def trickle(sock: socket.socket) -> None:
        sock.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n")
        while not stop.wait(0.05):
            sock.sendall(b"x")

    engine.says["/info"] = trickle

    with pytest.raises(TimedOut):
        asked_docker.get("/info", (), timeout=0.4)
    stop.set()


def test_closing_wakes_a_request(engine: FakeEngine, asked_docker: Docker) -> None:
    asked, stop = threading.Event(), threading.Event()

    def silent(sock: socket.socket) -> None:
        asked.set()
        stop.wait(10)

    engine.says["/info"] = silent
    close_when(asked, asked_docker)

    with pytest.raises(LinkLost):
        asked_docker.get("/info", (), timeout=10)
    stop.set()


def exec_says(engine: FakeEngine, octets: bytes, status: int = 0) -> None:
    engine.says[f"{POSTFIX}/exec"] = (201, {"Id": "e1"})
    engine.says["/exec/e1/start"] = lambda sock: sock.sendall(
        b"HTTP/1.1 101 UPGRADED\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n\r\n" + octets
    )
    engine.says["/exec/e1/json"] = [(200, {"Running": True}), (200, {"Running": False, "ExitCode": status})]


def test_an_exec_keeps_its_two_outputs_apart(engine: FakeEngine, docker: Docker) -> None:
    exec_says(engine, frame(b"out\n") + frame(b"err\n", 2) + frame(b"more\n"), status=7)

    channel = docker.exec_channel("postfix", ("sh", "-c", "…"))

    assert channel.read(5) == (b"out\nmore\n", b"err\n")
    assert channel.read(5) == (b"", b"")
    assert channel.exit_status(5) == 7
    channel.close()


def test_a_program_that_is_not_there_is_missing(engine: FakeEngine, docker: Docker) -> None:
    exec_says(
        engine, frame(b'OCI runtime exec failed: exec failed: "doveadm": not found in $PATH: unknown\r\n'), status=126
    )

    channel = docker.exec_channel("postfix", ("doveadm", "who"))

    with pytest.raises(Missing, match="mail1/postfix: doveadm"):
        channel.read(5)
    channel.close()


def test_a_program_that_only_says_so_is_there(engine: FakeEngine, docker: Docker) -> None:
    exec_says(engine, frame(b"OCI runtime exec failed, says cat"))

    channel = docker.exec_channel("postfix", ("cat",))

    assert channel.read(5) == (b"OCI runtime exec failed, says cat", b"")
    channel.close()


@pytest.mark.parametrize(
    ("octets", "kind"), [(frame(b"half a frame")[:-2], LinkLost), (b"HTTP/1.1 400 Bad Request", Garbled)]
)
def test_an_exec_stream_that_breaks_says_how(
    engine: FakeEngine, docker: Docker, octets: bytes, kind: type[AskFailed]
) -> None:
    exec_says(engine, octets)

    channel = docker.exec_channel("postfix", ("cat",))

    with pytest.raises(kind):
        channel.read(5)
    channel.close()


def test_a_log_comes_as_lines_and_ends_with_its_container(engine: FakeEngine, docker: Docker) -> None:
    engine.says["/containers/dovecot/json"] = [(200, RUNNING), (200, STOPPED)]
    engine.says["/containers/dovecot/logs"] = stream(DOVECOT)

    chunks = list(docker.logs("dovecot", since=1795488000))

    assert b"".join(chunk.lines for chunk in chunks).count(b"\n") == 5
    assert chunks[-1].stamp == pytest.approx(1795488399.516)
    assert (chunks[0].lines, chunks[0].stamp) == (b"", chunks[-1].stamp)  # what is still to come
    assert chunks[-1].gap == 0.0
    assert "since=1795488000" in "".join(engine.asked)


def test_a_log_that_breaks_off_while_its_container_runs_is_a_lost_link(engine: FakeEngine, docker: Docker) -> None:
    engine.says["/containers/dovecot/json"] = (200, RUNNING)
    engine.says["/containers/dovecot/logs"] = stream(DOVECOT)

    log = docker.logs("dovecot", since=1)

    assert [bool(next(log).lines), bool(next(log).lines)] == [False, True]
    with pytest.raises(LinkLost, match="while the container runs"):
        next(log)


def test_resuming_repeats_nothing(engine: FakeEngine, docker: Docker) -> None:
    engine.says["/containers/dovecot/json"] = (200, RUNNING)
    engine.says["/containers/dovecot/logs"] = stream(DOVECOT)

    log = docker.logs("dovecot", resume="2026-11-24T02:46:39.495788594Z 1 0")
    accepted, chunk = next(log), next(log)

    assert (accepted.lines, accepted.resume) == (b"", "2026-11-24T02:46:39.495788594Z 1 0")
    assert chunk.lines.count(b"\n") == 2
    assert chunk.gap == 0.0
    assert "since=1795488398" in engine.asked[-1]


@pytest.mark.parametrize(
    ("resume", "created", "gap"),
    [
        ("2026-11-24T02:46:02.722256346Z 1 0", "2026-11-24T02:00:00Z", 30.0),  # rotated away
        ("2026-11-24T02:46:02.722256346Z 1 0", "2026-11-24T02:46:12Z", 9.28),  # made anew ten seconds later
    ],
)
def test_what_the_log_no_longer_holds_is_a_gap(
    engine: FakeEngine, docker: Docker, resume: str, created: str, gap: float
) -> None:
    engine.says["/containers/dovecot/json"] = (200, {**RUNNING, "Created": created})
    engine.says["/containers/dovecot/logs"] = stream(DOVECOT)

    log = docker.logs("dovecot", resume=resume)
    assert next(log).gap == 0.0
    assert next(log).gap == pytest.approx(gap, abs=0.01)


def test_from_now_on_the_first_chunk_says_where_now_is(engine: FakeEngine, docker: Docker) -> None:
    new = frame(b"2026-11-24T02:46:40.000000000Z new\n")
    engine.says["/containers/dovecot/json"] = (200, RUNNING)
    engine.says["/containers/dovecot/logs"] = [DOVECOT[-126:], stream(DOVECOT + new)]

    log = docker.logs("dovecot")
    accepted = next(log)

    assert (accepted.lines, accepted.stamp) == (b"", 0.0)  # nothing older is to come
    assert next(log).lines == b"new\n"


def test_closing_wakes_who_waits_for_a_log(engine: FakeEngine, docker: Docker) -> None:
    stop, following = threading.Event(), threading.Event()

    def silent(sock: socket.socket) -> None:
        sock.sendall(b"HTTP/1.0 200 OK\r\n\r\n")
        following.set()
        stop.wait(10)

    engine.says["/containers/dovecot/json"] = (200, RUNNING)
    engine.says["/containers/dovecot/logs"] = silent
    close_when(following, docker)

    with pytest.raises(LinkLost):
        list(docker.logs("dovecot", since=1))
    stop.set()
