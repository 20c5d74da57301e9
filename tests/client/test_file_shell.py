"""Real files, seen through real shells: GNU's programs, and BusyBox's where it is installed."""

from __future__ import annotations

import gzip
import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from mailtop.client.file_shell import PIECE, ShellFiles
from mailtop.client.log_file import LogFile
from mailtop.model.ask import Answer, Command
from mailtop.model.errors import Denied, Missing

BUSYBOX = shutil.which("busybox")
LINE = b"2026-11-24T07:28:57.000000+00:00 mail3 postfix/qmgr[1]: 4TqX2m6bYzz3F: removed %d\n"


def gnu(command: Command) -> Answer:
    return run(list(command.argv))


def busybox(command: Command) -> Answer:
    """The same with nothing but BusyBox in PATH."""
    return run(list(command.argv), path=os.environ["BUSYBOX_PATH"])


def run(argv: list[str], path: str = "") -> Answer:
    environment = {**os.environ, "LC_ALL": "C", **({"PATH": path} if path else {})}
    done = subprocess.run(argv, capture_output=True, stdin=subprocess.DEVNULL, env=environment, check=False)
    return Answer(done.stdout, done.stderr, done.returncode)


@pytest.fixture(params=["gnu", "busybox"])
def files(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ShellFiles:
    ask: Callable[[Command], Answer] = gnu
    if request.param == "busybox":
        if BUSYBOX is None:
            pytest.skip("no busybox here")
        folder = tmp_path / "bin"
        folder.mkdir()
        for name in ("sh", "stat", "dd", "ls", "tail", "head", "gzip"):
            (folder / name).symlink_to(BUSYBOX)
        monkeypatch.setenv("BUSYBOX_PATH", str(folder))
        ask = busybox
    return ShellFiles(ask, "mail3")


@pytest.fixture
def log(tmp_path: Path) -> Path:
    path = tmp_path / "it's a log" / "mail.log"
    path.parent.mkdir()
    path.write_bytes(b"".join(LINE % number for number in range(3)))
    return path


def test_a_look_shows_who_the_file_is_and_what_stands_behind_a_place(files: ShellFiles, log: Path) -> None:
    look = files.look(str(log))

    assert look.file == f"{log.stat().st_dev}:{log.stat().st_ino}"
    assert (look.size, look.octets, look.whole) == (log.stat().st_size, log.read_bytes(), True)
    assert files.look(str(log), known=look.size).octets == b""


def test_a_look_into_a_long_file_begins_a_little_before_and_reads_one_piece(files: ShellFiles, log: Path) -> None:
    octets = os.urandom(3 * PIECE)
    log.write_bytes(octets)
    look = files.look(str(log), start=PIECE + 77)

    assert PIECE <= look.start <= PIECE + 77
    assert look.octets == octets[look.start : look.start + len(look.octets)]
    assert PIECE <= len(look.octets) <= PIECE + 4096
    assert not look.whole


def test_the_family_is_told_from_other_files_and_stands_in_the_order_of_time(files: ShellFiles, log: Path) -> None:
    for age, name in enumerate(("mail.log", "mail.log.1", "mail-20261123.log", "mail.log.2.gz", "mail.log.3.gz")):
        (log.parent / name).write_bytes(b"x")
        os.utime(log.parent / name, (1795500000 - age * 86400,) * 2)
    for other in ("mail.log.offset", "mail.log.1.swp", "mail.logger", "mail.log~", "mail.log.3"):
        (log.parent / other).write_bytes(b"x")
    os.utime(log.parent / "mail.log.3", (1795500000 - 4 * 86400,) * 2)  # still being packed
    (log.parent / "mail.log.d").mkdir()

    names = [Path(one.path).name for one in files.family(str(log))]
    assert names == ["mail.log.3", "mail.log.2.gz", "mail-20261123.log", "mail.log.1", "mail.log"]


def test_a_packed_file_is_seen_unpacked(files: ShellFiles, log: Path) -> None:
    packed = log.with_name("mail.log.1.gz")
    packed.write_bytes(gzip.compress(log.read_bytes()))
    look = files.look(str(packed), start=len(LINE), packing="gz")

    assert look.octets == log.read_bytes()[len(LINE) :]
    assert look.whole
    assert look.file == f"{packed.stat().st_dev}:{packed.stat().st_ino}"


def test_what_is_no_file_is_said_in_one_line(files: ShellFiles, log: Path) -> None:
    with pytest.raises(Missing, match=r"mail3: .*/nothing: no such file$"):
        files.look(str(log.parent / "nothing"))
    with pytest.raises(Missing, match="not a regular file"):
        files.look("/dev/null")


def test_a_file_that_may_not_be_read_names_the_group_that_may() -> None:
    def guest(command: Command) -> Answer:
        if command.argv[0] == "stat":
            return Answer(b"-rw-r----- adm\n")
        return Answer(b"", b"sh: 1: cannot open /var/log/mail.log: Permission denied\n", 2)

    with pytest.raises(Denied) as denied:
        ShellFiles(guest, "mail3").look("/var/log/mail.log")
    assert str(denied.value) == "mail3: /var/log/mail.log: permission denied; add the user to group adm"


def test_real_rotation_by_rename_by_copy_and_by_packing_loses_nothing(files: ShellFiles, log: Path) -> None:
    following = LogFile(files, str(log), "mail3", lambda _: True)
    chunks = following.follow()
    assert next(chunks).lines == b""
    number = 3

    def say(path: Path, lines: int) -> None:
        nonlocal number
        with path.open("ab") as file:
            for _ in range(lines):
                file.write(LINE % number)
                number += 1

    say(log, 2)
    assert next(chunks).lines == b"".join(LINE % at for at in (3, 4))
    log.rename(log.with_name("mail.log.1"))
    say(log.with_name("mail.log.1"), 1)  # the daemon has it open still
    say(log, 1)
    assert next(chunks).lines == LINE % 5
    assert next(chunks).lines == LINE % 6
    say(log, 1)
    log.with_name("mail.log.1").rename(log.with_name("mail.log.2"))
    shutil.copy2(log, log.with_name("mail.log.1"))
    os.truncate(log, 0)
    with gzip.open(log.with_name("mail.log.1.gz"), "wb") as packed:
        packed.write(log.with_name("mail.log.1").read_bytes())
    shutil.copystat(log.with_name("mail.log.1"), log.with_name("mail.log.1.gz"))
    log.with_name("mail.log.1").unlink()
    say(log, 2)
    assert next(chunks).lines == LINE % 7
    assert next(chunks).lines == b"".join(LINE % at for at in (8, 9))
