"""The command line as a person types it: exit codes, one line of error, machine output on stdout."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from mailtop import __version__


def mailtop(*argv: str, home: Path, stdin: str = "") -> subprocess.CompletedProcess[str]:
    environment = {
        "PATH": os.environ["PATH"],
        "HOME": str(home),
        "XDG_CONFIG_HOME": str(home / "config"),
        "XDG_STATE_HOME": str(home / "state"),
    }
    return subprocess.run(
        [sys.executable, "-m", "mailtop", *argv],
        capture_output=True,
        text=True,
        input=stdin,
        env=environment,
        timeout=60,
    )


def test_the_version_is_all_that_is_said(tmp_path: Path) -> None:
    told = mailtop("--version", home=tmp_path)

    assert (told.returncode, told.stdout, told.stderr) == (0, f"mailtop {__version__}\n", "")


@pytest.mark.parametrize(
    ("argv", "status", "said"),
    [
        (("--config", "none.toml", "snapshot"), 2, "mailtop: none.toml: No such file or directory; check the path"),
        (("replay", "none.rec"), 2, "mailtop: none.rec: No such file or directory"),
        (("snapshot", "http://mail1"), 2, "mailtop: http://mail1: no way to reach http://"),
        (("mail1",), 2, "mailtop: dashboard: stdin and stdout are no terminal; for scripts: mailtop snapshot --json"),
        (("act", "queue.hold", "--on", "x/y"), 2, "mailtop: act: says not on what; give --where EXPR"),
    ],
)
def test_an_error_is_one_line_with_what_to_do(argv: tuple[str, ...], status: int, said: str, tmp_path: Path) -> None:
    told = mailtop(*argv, home=tmp_path)

    assert told.returncode == status
    assert told.stderr.startswith(said)
    assert told.stderr.count("\n") == 1
    assert told.stdout == ""


def test_a_host_that_cannot_be_reached_is_said_and_the_rest_is_told(tmp_path: Path) -> None:
    (tmp_path / "ssh").write_text(f"Host gone\n HostName 127.0.0.1\n Port 9\n UserKnownHostsFile {tmp_path}/none\n")
    (tmp_path / "c.toml").write_text(f'[hosts.gone]\nssh = "gone"\nssh_config = "{tmp_path}/ssh"\n')

    told = mailtop("snapshot", "--json", "--config", str(tmp_path / "c.toml"), home=tmp_path)

    assert told.returncode == 3
    snapshot = json.loads(told.stdout)
    assert (snapshot["schema"], snapshot["hosts"][0]["link"]) == ("mailtop.snapshot/1", "down")
    assert all(hop["rate"]["value"] is None for hop in snapshot["hops"])
    assert "gone: " in told.stderr


def test_a_queue_that_nobody_could_read_is_not_called_empty(tmp_path: Path) -> None:
    (tmp_path / "ssh").write_text(f"Host gone\n HostName 127.0.0.1\n Port 9\n UserKnownHostsFile {tmp_path}/none\n")
    (tmp_path / "c.toml").write_text(f'[hosts.gone]\nssh = "gone"\nssh_config = "{tmp_path}/ssh"\n')

    told = mailtop("queue", "--json", "--config", str(tmp_path / "c.toml"), home=tmp_path)
    acted = mailtop(
        "act", "queue.hold", "--on", "gone/postfix", "--where", "x", "--config", str(tmp_path / "c.toml"), home=tmp_path
    )

    assert told.returncode == 3
    assert json.loads(told.stdout)["unknown"] == "no Postfix found yet"
    assert acted.returncode == 3
    assert acted.stderr.startswith("mailtop: gone: ")


def test_modules_in_the_current_folder_are_not_ours(tmp_path: Path) -> None:
    (tmp_path / "msgspec.py").write_text("raise SystemExit('a stranger was run')")

    command = (
        "import sys; from mailtop.engine.process import EngineProcess, Setup; from mailtop.config import Settings; "
    )
    command += "engine = EngineProcess(Setup(Settings(), 'ann', audit='/dev/null')); import asyncio; "
    command += "print(asyncio.run(anext(engine.console.snapshots())).seq); engine.end()"
    told = subprocess.run(
        [sys.executable, "-P", "-c", command], cwd=tmp_path, capture_output=True, text=True, timeout=30
    )

    assert told.stdout.strip() == "1", told.stderr


def test_an_audit_that_is_empty_says_so(tmp_path: Path) -> None:
    assert mailtop("audit", home=tmp_path).stdout == "nothing was done yet\n"


def test_help_names_every_command(tmp_path: Path) -> None:
    told = mailtop("--help", home=tmp_path).stdout

    for command in ("demo", "snapshot", "queue", "act", "audit", "record", "replay"):
        assert command in told
