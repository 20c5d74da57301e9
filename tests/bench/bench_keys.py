"""From a key to its paint, idle and in the worst minute; and what a live log costs.

    python tests/bench/bench_keys.py [--rounds N] [--keys N]

The worst minute: 50,000 log lines a second come in, and a queue of a million is listed and sorted without a pause. The
yardstick is a hello application with one key. Programs run one after another, round by round.
"""

from __future__ import annotations

import os
import random
import re
import statistics
import subprocess
import sys
import time
from pathlib import Path

import incident
import processes
from terminal import Terminal
from verdict import Figure, compared, finish, held, parser, say

HERE = Path(__file__).parent
SCREENS = {
    "j": re.compile("[▸▹]"),
    "k": re.compile("[▸▹]"),
    "2": re.compile("causes|asking|messages"),
    "1": re.compile("last ok"),
}
LIVE = 5_000  # lines a second
LIVE_FOR = 20.0  # seconds


def percentile(values: list[float], share: float) -> float:
    """The value that so large a share of all does not exceed."""
    return sorted(values)[min(len(values) - 1, int(share * len(values)))]


def keyed(terminal: Terminal, keys: str, times: list[float], luck: random.Random) -> None:
    """Press keys one after another, and wait for what each changes on the screen."""
    for key in keys:
        terminal.read(luck.uniform(0.05, 0.15))
        terminal.forget()
        pressed = terminal.press(key)
        times.append((terminal.wait(SCREENS[key], 10.0) - pressed) * 1000)


def face(*options: str) -> list[str]:
    """The dashboard on a made-up incident."""
    return [sys.executable, str(HERE / "incident.py"), "face", *options]


def keys(rounds: int, presses: int) -> list[Figure]:
    """Hello, idle and loaded, in turn."""
    log, queue = incident.log_file(), incident.queue_file(1_000_000)
    quiet = ["--queue", str(incident.queue_file(2_000))]
    loaded = ["--rate", "50000", "--log", str(log), "--queue", str(queue), "--relist", "--sort"]
    hello, idle, busy = list[float](), list[float](), list[float]()
    turns = presses // 4
    ours = "21" * turns + "2" + "jk" * turns
    for number in range(rounds):
        luck = random.Random(number)
        say(f"keys: round {number + 1} of {rounds}")
        with Terminal([sys.executable, str(HERE / "hello.py")]) as terminal:
            terminal.wait("hello")
            terminal.read(1.0)
            keyed(terminal, "jk" * (2 * turns), hello, luck)
        for times, options, settled in ((idle, quiet, 4.0), (busy, loaded, 8.0)):
            with Terminal(face(*options)) as terminal:
                terminal.wait("1/1 up")
                terminal.read(settled)
                keyed(terminal, ours, times, luck)
    theirs = percentile(hello, 0.95)
    found = []
    for what, times in (("idle", idle), ("50,000 lines/s, a million listed and sorted", busy)):
        figure = compared(f"key → paint p95, {what}", percentile(times, 0.95), theirs, 3.0, "ms", "hello")
        figure.note = f"median {statistics.median(times):.1f} ms"
        found.append(figure)
    found[1].yardstick += f", median {statistics.median(hello):.1f}"
    say(f"medians: hello {statistics.median(hello):.2f}, idle {found[0].note}, loaded {found[1].note}")
    return found


def live() -> list[Figure]:
    """CPU of engine and face together while a log of 5,000 lines a second is followed and shown; beside pflogsumm."""
    log, shares = incident.log_file(), list[float]()
    summed, lines = _pflogsumm(log), LIVE * LIVE_FOR
    say(f"live: {LIVE:,} lines/s for {LIVE_FOR:.0f} s")
    with Terminal(face("--rate", str(LIVE), "--log", str(log))) as terminal:
        terminal.wait("1/1 up")
        terminal.read(4.0)
        pids = processes.family(terminal.pid)
        before, start = processes.cpu(pids), time.perf_counter()
        terminal.read(LIVE_FOR)
        seconds = time.perf_counter() - start
        shares.append(100 * (processes.cpu(pids) - before) / seconds)
    yardstick = f"pflogsumm {100 * summed * lines / LIVE_FOR:.1f} %" if summed else "pflogsumm is not installed"
    return [held(f"{LIVE:,} lines/s live, screen included", shares[0], 5.0, "% of a core", yardstick)]


def _pflogsumm(log: Path) -> float:
    """CPU seconds that pflogsumm takes for a line; 0.0 where it is not installed."""
    try:
        start = processes.cpu([os.getpid()], children=True)
        subprocess.run(["pflogsumm", str(log)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=True)
    except OSError:
        return 0.0
    return (processes.cpu([os.getpid()], children=True) - start) / incident.LINES


def main() -> int:
    """Measure, and print."""
    options = parser(__doc__)
    options.add_argument("--rounds", type=int, default=3)
    options.add_argument("--keys", type=int, default=60)
    options.add_argument("--only", choices=("keys", "live"))
    asked = options.parse_args()
    figures = [] if asked.only == "live" else keys(asked.rounds, asked.keys)
    return finish(figures + ([] if asked.only == "keys" else live()), asked.json)


if __name__ == "__main__":
    sys.exit(main())
