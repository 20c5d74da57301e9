"""Every number beside its yardstick, interleaved; what `make bench` runs.

    python tests/bench/run.py [NAME ...] [--json FILE] [--quick]

Each bench is a process of its own, one after another, for the machine has few cores. At the end stands one table: what,
ours, yardstick, ratio, budget, verdict. Exit 1 where a budget is missed.
"""

from __future__ import annotations

import argparse
import compileall
import os
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import verdict
from verdict import Figure, say

HERE = Path(__file__).parent
BENCHES = ("start", "idle", "keys", "host", "log", "queue", "console")
QUICK = {
    "start": ["--rounds", "3"],
    "idle": ["--seconds", "10"],
    "keys": ["--rounds", "1"],
    "host": ["--rounds", "1"],
    "log": ["--rounds", "1", "--lines", "200000"],
    "queue": ["--rounds", "1", "200000"],
    "console": ["--rounds", "1"],
}
_LOG = re.compile(r"mailtop is ([\d.]+) × (\w+), budget ([\d.]+) ×")
_QUEUE = re.compile(r"^(\S.*?) {2,}([\d.]+(?: MiB)?) +([\d.]+) +([\d.]+(?: MiB)?)(?:  (MISSED))?$")
_DICTS = re.compile(r"json → dicts: read ([\d.]+)")


def run(name: str, options: list[str]) -> tuple[list[Figure], int]:
    """Run one bench; what it found, and its exit status."""
    argv = [sys.executable, str(HERE / f"bench_{name}.py"), *options]
    say(f"\n— {name} —")
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "figures.json"
        own = name not in ("log", "queue")
        done = subprocess.run([*argv, *(["--json", str(out)] if own else [])], stdout=subprocess.PIPE, text=True)
        print(done.stdout, end="", flush=True)
        if own:
            found = verdict.read(out) if out.exists() else []
        else:
            found = _of_log(done.stdout) if name == "log" else _of_queue(done.stdout)
    if done.returncode not in (0, 1) or not found:
        found.append(Figure(name, "–", note=f"did not end well: status {done.returncode}"))
    return found, done.returncode


def _of_log(words: str) -> list[Figure]:
    """What bench_log.py prints: how many times faster than its peers."""
    return [
        Figure(f"reading logs, on one core, × {peer}", f"{ratio} ×", peer, float(ratio), float(budget), least=True)
        for ratio, peer, budget in _LOG.findall(words)
    ]


def _of_queue(words: str) -> list[Figure]:
    """What bench_queue.py prints: a line a figure. With few messages nothing is promised."""
    dicts = _DICTS.search(words)
    yardstick = f"json → dicts {dicts[1]} s" if dicts else "json → dicts"
    promised = words.startswith("1,000,000 ")
    found = []
    for match in filter(None, map(_QUEUE.match, words.splitlines())):
        what, ours, _, budget, _ = match.groups()
        unit = "MiB" if "MiB" in ours else "s CPU"
        number, limit = float(ours.removesuffix(" MiB")), float(budget.removesuffix(" MiB"))
        figure = Figure(f"queue: {what}", f"{number:g} {unit}", yardstick, number, limit, unit=unit)
        if not promised:
            figure.ratio = figure.budget = None
        found.append(figure)
    return found


def main() -> int:
    """Run all or some, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", metavar="NAME", help=", ".join(BENCHES))
    parser.add_argument("--quick", action="store_true", help="fewer rounds: for a look, not for a verdict")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write all figures there")
    asked = parser.parse_args()
    unknown = set(asked.names) - set(BENCHES)
    if unknown:
        parser.error(f"no such bench: {', '.join(sorted(unknown))}; there are {', '.join(BENCHES)}")
    # What pip installs is compiled, and so is what people start: not to compile at each start is no gain of ours.
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    compileall.compile_dir(Path(__file__).parents[2] / "mailtop", quiet=2)
    start, figures, failed = time.monotonic(), list[Figure](), False
    for name in asked.names or BENCHES:
        found, status = run(name, QUICK[name] if asked.quick else [])
        figures += found
        failed = failed or status not in (0, 1)
    say(f"\n— all, after {time.monotonic() - start:.0f} s —")
    return max(verdict.finish(figures, asked.json), 2 * failed)


if __name__ == "__main__":
    sys.exit(main())
