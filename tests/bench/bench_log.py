"""Reading logs: ours beside wc, pflogsumm and mtail, interleaved.

    python tests/bench/bench_log.py [FILE] [--lines N] [--rounds N] [--python INTERPRETER]

Without a file a log is made up. Every reader is a process of its own; its best round counts, for the machine is
shared. Budget, with correlation, on one core: four times pflogsumm, ten times mtail with its shipped Postfix program.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import sysconfig
import tempfile
from dataclasses import dataclass
from pathlib import Path

import maillog

READER = Path(__file__).parent / "read_log.py"
MTAIL = Path("/usr/share/doc/mtail/examples/postfix.mtail")


@dataclass
class Best:
    """The best round of one reader: CPU seconds, wall seconds, and the most memory of any round in MiB."""

    cpu: float = float("inf")
    wall: float = float("inf")
    peak: float = 0.0


def run(argv: list[str], best: Best) -> None:
    """Run one reader once, and keep what was best."""
    from time import perf_counter

    start = perf_counter()
    process = subprocess.Popen(argv, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    best.wall = min(best.wall, perf_counter() - start)
    if process.returncode:
        raise SystemExit(f"{argv[0]}: exit {process.returncode}")
    best.cpu = min(best.cpu, usage.ru_utime + usage.ru_stime)
    best.peak = max(best.peak, usage.ru_maxrss / 1024)


def readers(path: Path, python: str) -> dict[str, list[str]]:
    """Return the readers that are installed."""
    packages = f"PYTHONPATH={READER.parents[2]}{os.pathsep}{sysconfig.get_path('purelib')}"
    ours = [python, str(READER), str(path)]
    if python != sys.executable:  # of the same version, without our packages
        ours = ["env", packages, *ours]
    found = {"wc -l": ["wc", "-l", str(path)], "mailtop": ours}
    if shutil.which("pflogsumm"):
        found["pflogsumm"] = ["pflogsumm", str(path)]
    if shutil.which("mtail") and MTAIL.exists():
        found["mtail"] = ["mtail", "--one_shot", "--progs", str(MTAIL), "--logs", str(path), "--port", "0"]
    return found


def measure(path: Path, rounds: int, python: str) -> None:
    """Measure all readers in turn, round by round, and print them side by side."""
    with path.open("rb") as log:
        lines = sum(chunk.count(b"\n") for chunk in iter(lambda: log.read(1 << 20), b""))
    found = {name: Best() for name in readers(path, python)}
    for _ in range(rounds):
        for name, argv in readers(path, python).items():
            run(argv, found[name])
    print(f"{lines:,} lines, {path.stat().st_size / 1e6:.0f} MB, best of {rounds}")
    for name, best in found.items():
        rate = lines / best.cpu / 1000
        print(f"  {name:10} {rate:9,.0f} k lines/s CPU  {best.cpu:7.2f} s CPU {best.wall:7.2f} s  {best.peak:6.0f} MiB")
    for name, budget in (("pflogsumm", 4.0), ("mtail", 10.0)):
        if name in found:
            ratio = found[name].cpu / found["mailtop"].cpu
            verdict = "ok" if ratio >= budget else "MISSED"
            print(f"  mailtop is {ratio:.1f} × {name}, budget {budget:.0f} ×: {verdict}")
        else:
            print(f"  {name}: not installed, not compared")


def main() -> None:
    """Read the arguments, and measure."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("file", nargs="?", type=Path)
    parser.add_argument("--lines", type=int, default=500_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--style", choices=("rfc3339", "traditional"), default="rfc3339")
    parser.add_argument(
        "--python",
        default=sys.executable,
        help="the interpreter to measure (a distribution's is faster than one built without profiles)",
    )
    asked = parser.parse_args()
    if asked.file:
        measure(asked.file, asked.rounds, asked.python)
    else:
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "mail.log"
            maillog.write(path, asked.lines, style=asked.style)
            measure(path, asked.rounds, asked.python)


if __name__ == "__main__":
    main()
