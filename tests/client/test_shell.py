"""The kept shell, on real shells of this machine."""

from __future__ import annotations

import contextlib
import os
import shutil
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from mailtop.client.shell import LOGIN, MOTD, Lanes, Shell, quoted, run_once
from mailtop.model.ask import Command, Put
from mailtop.model.errors import Garbled, LinkLost, Missing, Refused, TimedOut
from mailtop.transport import Channel
from mailtop.transport.local import Local

SHELLS = {
    "sh": "exec /bin/sh",
    "dash": "exec dash",
    "bash": "exec bash",
    "busybox": "exec busybox sh",
    "bash as sh": "exec -a sh bash",
}
FOREVER = str(100_000 + os.getpid())  # seconds that no other test, on another core, sleeps
WORDS = st.lists(st.binary(max_size=30).map(lambda word: word.replace(b"\0", b"").decode("utf-8", "surrogateescape")))


@pytest.fixture
def local() -> Iterator[Local]:
    local = Local()
    yield local
    local.close()


@pytest.fixture(params=SHELLS, scope="module")
def shell(request: pytest.FixtureRequest) -> Iterator[Shell]:
    start = SHELLS[request.param]
    if not shutil.which(start.split()[-1] if request.param != "busybox" else "busybox"):
        pytest.skip(f"no {request.param} here")
    local = Local()
    command = start if request.param != "bash as sh" else "exec bash -c 'exec -a sh bash'"
    shell = Shell(lambda: local.open(command))
    yield shell
    shell.close()
    local.close()


def sh(*argv: str, **options: object) -> Command:
    return Command(("sh", "-c", *argv), **options)  # type: ignore[arg-type]  # a shorthand for the tests


class Opener:
    """Opens what it is told, and counts."""

    def __init__(self, local: Local, command: str = LOGIN) -> None:
        self.local, self.command, self.channels = local, command, list[Channel]()

    def __call__(self) -> Channel:
        self.channels.append(self.local.open(self.command))
        return self.channels[-1]


def test_an_answer_has_both_streams_the_status_and_the_time(shell: Shell) -> None:
    answer = shell.run(sh("echo out; echo err >&2; exit 3"))

    assert (answer.stdout, answer.stderr, answer.exit, answer.cut) == (b"out\n", b"err\n", 3, False)
    assert 0 < answer.took < 10


def test_one_shell_serves_many_commands(local: Local) -> None:
    opener = Opener(local)
    shell = Shell(opener)

    assert [shell.run(Command(("echo", str(n)))).stdout for n in range(20)] == [b"%d\n" % n for n in range(20)]
    assert len(opener.channels) == 1


@given(WORDS)
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_words_arrive_as_they_are(shell: Shell, words: list[str]) -> None:
    answer = shell.run(Command(("printf", r"%s\0", "first", *words)))

    assert answer.stdout == b"".join(os.fsencode(word) + b"\0" for word in ("first", *words))


@pytest.mark.parametrize(
    "word", ["'", "''", "\\", "\n", "it's\n$(id)`id`", "-n", "*", "~", "!!", "\x7f\x01", "é", "\udcff\udc81", "", " "]
)
def test_wild_words_arrive_as_they_are(shell: Shell, word: str) -> None:
    assert shell.run(Command(("printf", "%s", word))).stdout == os.fsencode(word)


@pytest.mark.parametrize("argv", [(), ("",), ("-rf",), ("PATH=/tmp", "id"), ("echo", "a\0b"), ("echo", "\ud800")])
def test_what_is_no_command_line_is_refused_before_it_is_sent(local: Local, argv: tuple[str, ...]) -> None:
    opener = Opener(local)
    with pytest.raises(Refused):
        Shell(opener).run(Command(argv))
    assert opener.channels == []


def test_a_first_word_is_never_a_command_of_the_shell(shell: Shell) -> None:
    for builtin in ("exit", "eval", "cd", "if", "."):
        assert shell.run(Command((builtin, "true"))).exit in (126, 127)
    assert shell.run(Command(("echo", "alive"))).stdout == b"alive\n"


def test_output_without_a_final_newline_and_with_any_bytes_is_kept(shell: Shell) -> None:
    wild = bytes(range(256)) * 40
    answer = shell.run(Command(("printf", "%b", "".join(f"\\0{octet:03o}" for octet in wild[:256]) * 40)))
    assert answer.stdout == wild
    assert shell.run(Command(("printf", "%s", "\n\n"))).stdout == b"\n\n"
    assert shell.run(Command(("true",))).stdout == b""


def test_large_answers_on_both_streams_do_not_block_each_other(shell: Shell) -> None:
    noise = "head -c 1000000 /dev/zero"
    answer = shell.run(sh(f"{noise} >&2; {noise}; {noise} >&2"))
    assert (len(answer.stdout), len(answer.stderr)) == (1_000_000, 2_000_000)


def test_a_pipe_feeds_each_program_by_the_one_before(shell: Shell) -> None:
    command = Command(("printf", "b\\na\\nb\\n"), pipe=(("sort", "-u"), ("wc", "-l")))
    assert shell.run(command).stdout.strip() == b"2"


def test_the_status_of_a_pipe_is_its_last_programs(shell: Shell) -> None:
    assert shell.run(Command(("false",), pipe=(("true",),))).exit == 0
    assert shell.run(Command(("true",), pipe=(("false",),))).exit == 1


def test_programs_run_in_a_plain_and_known_environment(shell: Shell) -> None:
    said = shell.run(Command(("env",))).stdout.decode().splitlines()
    assert {"LC_ALL=C", "TZ=UTC"} <= set(said)
    assert "/usr/sbin" in next(line for line in said if line.startswith("PATH=")).removeprefix("PATH=").split(":")


def test_a_program_has_no_stdin(shell: Shell) -> None:
    assert shell.run(Command(("cat",))).stdout == b""


def test_a_missing_program_says_so(shell: Shell) -> None:
    with pytest.raises(Missing):
        shell.run(Command(("postqueue-of-another-host",))).ok("postqueue")


def test_a_program_that_takes_too_long_is_ended_there(shell: Shell) -> None:
    with pytest.raises(TimedOut, match=r"sleep: no answer within 0.2 s; it was ended there"):
        shell.run(Command(("sleep", FOREVER), timeout=0.2))
    assert not running(f"sleep\0{FOREVER}\0")
    assert shell.run(Command(("echo", "alive"))).stdout == b"alive\n"


def test_half_an_answer_of_a_pipe_is_no_answer(shell: Shell) -> None:
    with pytest.raises(TimedOut):
        shell.run(Command(("sh", "-c", "echo 1; exec sleep 61235"), pipe=(("wc", "-l"),), timeout=0.2))


def test_without_timeout_on_the_host_the_shell_gives_up_alone(local: Local, tmp_path: Path) -> None:
    for name in ("sh", "true", "sleep", "echo"):
        (tmp_path / name).symlink_to(shutil.which(name) or name)
    (tmp_path / "timeout").write_text("#!/bin/sh\nexit 127\n")
    (tmp_path / "timeout").chmod(0o755)
    opener = Opener(local, f"PATH={tmp_path}; export PATH; exec /bin/sh")
    shell = Shell(opener)

    assert shell.run(Command(("echo", "PONG"))).stdout == b"PONG\n"
    with pytest.raises(TimedOut, match=r"no answer within 0\.1 s$"):
        shell.run(Command(("sleep", "61236"), timeout=0.1))
    assert shell.run(Command(("echo", "PONG"))).stdout == b"PONG\n"
    assert len(opener.channels) == 2


def test_an_answer_over_its_limit_is_cut_and_the_shell_replaced(local: Local) -> None:
    opener = Opener(local)
    shell = Shell(opener)

    answer = shell.run(sh("yes", limit=1000))
    assert (answer.cut, answer.stdout) == (True, b"y\n" * 500)
    assert shell.run(sh("yes >&2", limit=1000)).cut
    assert not shell.run(sh("head -c 1000 /dev/zero", limit=1000)).cut
    assert shell.run(sh("head -c 1001 /dev/zero", limit=1000)).cut
    assert len(opener.channels) == 3


def test_a_motd_is_let_go(local: Local) -> None:
    shell = Shell(Opener(local, "printf 'Welcome to mail1'; echo careful >&2; exec /bin/sh"))
    assert shell.run(Command(("echo", "PONG"))).stdout == b"PONG\n"


def test_an_endless_motd_is_refused_before_it_fills_the_memory(local: Local) -> None:
    shell = Shell(Opener(local, f"head -c {MOTD + 50_000} /dev/zero; exec /bin/sh"))
    with pytest.raises(Garbled, match="came before the answer; make the login's start-up files silent"):
        shell.run(Command(("echo", "PONG")))


def test_a_login_that_may_run_nothing_says_what_it_said(local: Local) -> None:
    shell = Shell(Opener(local, "echo This account is currently not available."))
    with pytest.raises(Missing, match=r"shell: This account is currently not available\.;"):
        shell.run(Command(("echo", "PONG")))


def test_a_login_that_ended_before_it_was_asked_is_heard_too(local: Local) -> None:
    channel = local.open("echo This account is currently not available.")
    channel.exit_status(5)
    with pytest.raises(Missing, match="currently not available"):
        Shell(lambda: channel).run(Command(("echo", "PONG")))


def test_what_a_background_child_says_later_spoils_one_answer_only(local: Local, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "gate")
    opener = Opener(local)
    shell = Shell(opener)
    shell.run(sh('(read go <"$0"; echo late; echo >"$0") & exit 0', str(tmp_path / "gate")))
    (tmp_path / "gate").write_text("go\n")
    assert (tmp_path / "gate").read_text() == "\n"

    with pytest.raises(Garbled):
        shell.run(Command(("echo", "PONG")))
    assert shell.run(Command(("echo", "PONG"))).stdout == b"PONG\n"
    assert len(opener.channels) == 2


def test_a_shell_that_is_killed_is_a_lost_link_and_the_next_ask_works(local: Local) -> None:
    shell = Shell(Opener(local))
    with pytest.raises(LinkLost):
        shell.run(sh("kill -9 $(cut -d' ' -f4 /proc/$PPID/stat); sleep 1"))
    assert shell.run(Command(("echo", "PONG"))).stdout == b"PONG\n"


def test_closing_wakes_who_waits_and_kills_what_runs(local: Local) -> None:
    opener = Opener(local)
    shell = Shell(opener)
    waiting = threading.Thread(target=swallow(LinkLost, lambda: shell.run(Command(("sleep", FOREVER), timeout=60))))
    waiting.start()
    wait_for(lambda: running(f"sleep\0{FOREVER}\0"))
    shell.close()
    waiting.join(10)
    assert not waiting.is_alive()
    wait_for(lambda: not running(f"sleep\0{FOREVER}\0"))
    with pytest.raises(LinkLost):
        shell.run(Command(("true",)))


def test_a_hung_command_delays_nothing_else(local: Local, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "nfs")
    opener = Opener(local)
    lanes = Lanes(opener)
    hung = threading.Thread(target=swallow(TimedOut, lambda: lanes.run(Command(("cat", str(tmp_path / "nfs"))))))
    hung.start()
    wait_for(lambda: running(f"cat\0{tmp_path / 'nfs'}"))

    for n in range(5):
        assert lanes.run(Command(("echo", str(n)))).stdout == b"%d\n" % n
    assert len(opener.channels) == 2
    (tmp_path / "nfs").write_text("back\n")
    hung.join()
    lanes.close()


def test_a_third_command_waits_no_longer_than_its_own_deadline(local: Local, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "nfs")
    lanes = Lanes(Opener(local))
    cat = Command(("cat", str(tmp_path / "nfs")), timeout=60)
    hung = [threading.Thread(target=swallow(LinkLost, lambda: lanes.run(cat))) for _ in range(2)]
    for thread in hung:
        thread.start()
    wait_for(lambda: len(running(f"cat\0{tmp_path / 'nfs'}")) >= 2)

    with pytest.raises(TimedOut, match=r"other commands kept every shell busy for 0\.1 s"):
        lanes.run(Command(("echo", "PONG"), timeout=0.1))
    lanes.close()
    for thread in hung:
        thread.join()
    with pytest.raises(LinkLost):
        lanes.run(Command(("echo", "PONG")))


def test_lanes_open_a_second_shell_only_when_it_is_needed(local: Local) -> None:
    opener = Opener(local)
    lanes = Lanes(opener)
    for _ in range(5):
        lanes.run(Command(("true",)))
    assert len(opener.channels) == 1
    lanes.close()


@pytest.mark.parametrize("login", ["exec dash", "exec bash", "exec busybox sh", "echo motd; exec sh"])
def test_stdin_arrives_whole_and_is_never_obeyed(local: Local, login: str) -> None:
    stdin = b"touch /tmp/obeyed; exit 7\n" * 40_000 + b"\0\xff"

    def login_shell(_: str) -> Channel:
        return local.open(login)

    assert run_once(login_shell, Put(("cat",), stdin)).stdout == stdin
    assert run_once(login_shell, Put(("wc", "-c"), b"")).stdout.strip() == b"0"
    answer = run_once(login_shell, Put(("true",), stdin))
    assert (answer.exit, answer.stdout) == (0, b"")
    answer = run_once(login_shell, Put(("head", "-n1"), stdin))
    assert answer.stdout == b"touch /tmp/obeyed; exit 7\n"
    assert not Path("/tmp/obeyed").exists()


def test_run_once_gives_a_login_shell_one_constant(local: Local) -> None:
    given: list[str] = []

    def login_shell(command: str) -> Channel:
        given.append(command)
        return local.open(command)

    answer = run_once(login_shell, Command(("sh", "-c", "echo out; echo err >&2; exit 5")))
    assert (answer.stdout, answer.stderr, answer.exit) == (b"out\n", b"err\n", 5)
    assert given == ["exec /bin/sh"]


def test_run_once_ends_what_takes_too_long(local: Local) -> None:
    with pytest.raises(TimedOut):
        run_once(local.open, Put(("sleep", FOREVER), timeout=0.2))
    assert not running(f"sleep\0{FOREVER}\0")


def test_a_sink_takes_a_large_answer_before_its_program_has_ended(local: Local, tmp_path: Path) -> None:
    gate, pieces, opened = tmp_path / "gate", list[bytes](), threading.Event()
    os.mkfifo(gate)

    def take(octets: bytes) -> None:
        pieces.append(octets)
        if not opened.is_set() and sum(map(len, pieces)) > 299_000:
            opened.set()
            gate.write_bytes(b"go on")  # the program waits for that

    program = sh(f"head -c 300000 /dev/zero; cat {gate}", large=True, sink=take)
    answer = run_once(local.open, program)

    assert (answer.stdout, answer.exit, answer.cut) == (b"", 0, False)
    assert b"".join(pieces) == bytes(300_000) + b"go on"


def test_a_sink_is_given_no_more_than_the_limit_and_the_answer_says_that_it_was_cut(local: Local) -> None:
    pieces: list[bytes] = []
    answer = run_once(local.open, sh("yes", large=True, limit=100_000, sink=pieces.append))

    assert answer.cut
    assert sum(map(len, pieces)) == 100_000


def test_a_sink_that_has_had_enough_ends_the_program(local: Local) -> None:
    def take(octets: bytes) -> None:
        raise LinkLost("answer", "nobody waits for it any more")

    with pytest.raises(LinkLost):
        run_once(local.open, Command(("yes", FOREVER), large=True, sink=take))

    wait_for(lambda: not running(f"yes\0{FOREVER}"))


class OnlyInputEnds:
    """A channel whose end the programs hear of by the end of their stdin alone, as over Docker."""

    def __init__(self, channel: Channel) -> None:
        self._channel = channel
        self.send, self.read = channel.send, channel.read
        self.end_of_input, self.exit_status = channel.end_of_input, channel.exit_status

    def close(self) -> None:
        self._channel.end_of_input()


@pytest.fixture(params=SHELLS)
def start(request: pytest.FixtureRequest) -> str:
    word = {"sh": "sh", "dash": "dash", "busybox": "busybox"}.get(request.param, "bash")
    if not shutil.which(word):
        pytest.skip(f"no {word} here")
    return SHELLS[request.param] if request.param != "bash as sh" else "exec bash -c 'exec -a sh bash'"


def test_a_silent_program_is_ended_by_the_end_of_its_input(local: Local, start: str) -> None:
    def take(octets: bytes) -> None:
        raise LinkLost("answer", "nobody waits for it any more")

    silent = sh(f"head -c 100 /dev/zero; exec sleep {FOREVER}", large=True, sink=take, timeout=60.0)
    with pytest.raises(LinkLost):
        run_once(lambda _: OnlyInputEnds(local.open(start)), silent)

    wait_for(lambda: not running(f"sleep\0{FOREVER}"))


@pytest.mark.parametrize("pipe", [(), (("sh", "-c", "cat; echo err >&2; exit 7"),)])
def test_a_program_that_ends_by_itself_is_heard_as_any_other(
    local: Local, start: str, pipe: tuple[tuple[str, ...], ...]
) -> None:
    pieces: list[bytes] = []
    asked = sh("echo out; echo err >&2; exit 7", large=True, sink=pieces.append)
    answer = run_once(lambda _: local.open(start), replace(asked, pipe=pipe))

    assert (b"".join(pieces), answer.exit, set(answer.stderr.split())) == (b"out\n", 7, {b"err"})


def test_quoting_has_one_shape() -> None:
    assert quoted(("postsuper", "-h", "-")) == b"'postsuper' '-h' '-'"


def running(command_line: str) -> list[str]:
    """Programs of this machine whose arguments (joined by NUL) contain so much."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            words = path.read_text(errors="replace")
        except OSError:
            continue
        if words.startswith(command_line):
            found.append(path.parent.name)
    return found


def wait_for(condition: Callable[[], object], seconds: float = 10) -> None:
    """Wait until it is so."""
    pause = threading.Event()
    for _ in range(int(seconds * 100)):
        if condition():
            return
        pause.wait(0.01)
    raise AssertionError("it never came")


def swallow(error: type[Exception], call: Callable[[], object]) -> Callable[[], None]:
    def quiet() -> None:
        with contextlib.suppress(error):
            call()

    return quiet
