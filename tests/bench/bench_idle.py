"""A night shift: ten hosts on the screen and nobody at the keys.

    python tests/bench/bench_idle.py [--seconds N] [--made-up]

CPU of face and engine together, bytes to the terminal, memory; at 80×24 and at 200×50. The hosts are ten times this
machine's own Engine, each with connection, probes and logs of its own; without one, ten made-up hosts. The yardstick is
a hello application that does nothing, measured in turn.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import incident
import processes
from terminal import Terminal
from verdict import Figure, finish, held, parser, say

HERE = Path(__file__).parent
HOSTS = 10
SIZES = ((80, 24, 6.0), (200, 50, 15.0))  # and kB/s
SETTLED = 65.0  # seconds: the history of the logs has been read, and what is new to it has been looked at
CPU, MEMORY = 2.0, 120.0


@dataclass
class Idle:
    """What it cost: percent of a core, kB/s, MiB."""

    cpu: float
    octets: float
    pss: float
    peak: float


def rested(argv: list[str], cells: int, rows: int, seconds: float, home: Path, settled: float) -> Idle:
    """Start, let it settle, and watch it rest."""
    state = {"XDG_CONFIG_HOME": str(home), "XDG_STATE_HOME": str(home)}
    with Terminal(argv, cells, rows, state) as terminal:
        terminal.read(settled)
        pids = processes.family(terminal.pid)
        terminal.forget()
        written, before, start = terminal.written, processes.cpu(pids), time.perf_counter()
        terminal.read(seconds)
        took = time.perf_counter() - start
        return Idle(
            100 * (processes.cpu(pids) - before) / took,
            (terminal.written - written) / took / 1000,
            processes.pss(pids),
            max(processes.peak(pid) for pid in pids),
        )


def ten_hosts(made_up: bool) -> tuple[list[str], str]:
    """What shows ten hosts, and what they are."""
    argv = [sys.executable, str(HERE / "incident.py"), "face", "--hosts", str(HOSTS)]
    if made_up or not Path("/var/run/docker.sock").exists():
        return [*argv, "--rate", "1", "--log", str(incident.log_file())], "made up, 1 line/s each"
    return [*argv, "--live"], "this machine's Engine, ten times"


def main() -> int:
    """Measure both sizes, and print."""
    options = parser(__doc__)
    options.add_argument("--seconds", type=float, default=30.0)
    options.add_argument("--made-up", action="store_true")
    asked = options.parse_args()
    figures: list[Figure] = []
    with tempfile.TemporaryDirectory() as folder:
        argv, what = ten_hosts(asked.made_up)
        for cells, rows, octets in SIZES:
            say(f"idle: {HOSTS} hosts ({what}) at {cells}×{rows}")
            hello = rested([sys.executable, str(HERE / "hello.py")], cells, rows, asked.seconds / 3, Path(folder), 2.0)
            ours = rested(argv, cells, rows, asked.seconds, Path(folder), SETTLED)
            size = f"{HOSTS} hosts idle, {cells}×{rows}"
            figures += [
                held(f"{size}: CPU of face and engine", ours.cpu, CPU, "% of a core", f"hello {hello.cpu:.2f} %"),
                held(f"{size}: to the terminal", ours.octets, octets, "kB/s", f"hello {hello.octets:.2f} kB/s"),
                held(f"{size}: memory (PSS)", ours.pss, MEMORY, "MiB", f"hello {hello.pss:.0f} MiB"),
            ]
    print(f"hosts: {what}; {_alive()}")
    return finish(figures, asked.json)


def _alive() -> str:
    """How much the Engine's containers said meanwhile: an idle screen on a busy platform is no idle one."""
    try:
        listed = subprocess.run(
            ["docker", "ps", "--format", "{{json .Names}}"], capture_output=True, check=True
        ).stdout.splitlines()
    except (OSError, subprocess.CalledProcessError):
        return "no Docker here"
    return f"{len([json.loads(line) for line in listed])} containers each"


if __name__ == "__main__":
    sys.exit(main())
