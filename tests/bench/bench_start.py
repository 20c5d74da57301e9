"""Starting: the version, the first useful paint, and the first live figure behind it.

    python tests/bench/bench_start.py [--rounds N]

Beside `python -c pass`, a hello application, and one `docker ps` (connect, ask, answer), in turn; medians.
Useful is the table of hops with the hosts and keys around it; live is a figure that a host has answered.
"""

from __future__ import annotations

import asyncio
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from pathlib import Path
from statistics import median

import incident
from terminal import Never, Terminal
from verdict import Figure, compared, finish, parser, say

HERE = Path(__file__).parent
MAILTOP = str(Path(sys.executable).parent / "mailtop")
USEFUL = re.compile(r"\A(?=.*\d Overview)(?=.*hop .*deferred)", re.DOTALL)
LIVE = re.compile(r"\d+ containers?\b|\d probes? answer| in +\d")
NO_LAB = "not measured: start the lab first, by `make lab`, then run this again"
ENGINE = Path("/var/run/docker.sock")


def took(argv: list[str]) -> float:
    """Milliseconds from start to end."""
    start = time.perf_counter()
    subprocess.run(argv, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=True)
    return (time.perf_counter() - start) * 1000


def painted(argv: list[str], useful: re.Pattern[str] | str, home: Path, live: re.Pattern[str] | None) -> list[float]:
    """Milliseconds from start to the useful paint, and from there to the first live figure."""
    state = {"XDG_CONFIG_HOME": str(home), "XDG_STATE_HOME": str(home)}
    with Terminal(argv, environment=state) as terminal:
        paint = terminal.wait(useful)
        found = [(paint - terminal.started) * 1000]
        if live is not None:
            found.append((terminal.wait(live) - paint) * 1000)
        return found


def recording(path: Path) -> None:
    """Record a few seconds of a made-up host."""
    asyncio.run(_record(path))


async def _record(path: Path) -> None:
    from mailtop.engine.audit import NoAudit
    from mailtop.engine.clock import SystemClock
    from mailtop.engine.engine import Engine
    from mailtop.engine.sources import recorded
    from mailtop.transport.recording import SCHEMA, Header, Tape

    clock, settings = SystemClock(), incident.settings()
    tape = Tape(path, Header(SCHEMA, "bench", clock.now(), "bench", tuple(settings.hosts)))
    host = recorded("mail1", lambda: incident.Incident(incident.log_file(), 200.0, None), tape.write, clock.now)
    engine = Engine(settings, {"mail1": host}, clock, operator="bench", audit=NoAudit(), tape=tape)
    await engine.start()
    await asyncio.sleep(4.0)
    await engine.close()


def main() -> int:
    """Measure in turn, and print."""
    options = parser(__doc__)
    options.add_argument("--rounds", type=int, default=9)
    asked = options.parse_args()
    docker = ENGINE.exists() and shutil.which("docker") is not None
    times: dict[str, list[float]] = defaultdict(list)
    with tempfile.TemporaryDirectory() as folder:
        home, tape = Path(folder), Path(folder) / "bench.recording"
        recording(tape)
        for number in range(asked.rounds):
            say(f"start: round {number + 1} of {asked.rounds}")
            for _ in range(3):
                times["pass"].append(took([sys.executable, "-c", "pass"]))
                times["version"].append(took([MAILTOP, "--version"]))
            times["hello"] += painted([sys.executable, str(HERE / "hello.py")], "hello", home, None)
            _both(times, "replay", painted([MAILTOP, "replay", str(tape)], USEFUL, home, LIVE))
            if docker:
                try:
                    times["docker ps"].append(took(["docker", "ps", "-aq"]))
                    _both(times, "docker", painted([MAILTOP, "docker"], USEFUL, home, LIVE))
                except (Never, subprocess.CalledProcessError) as error:
                    say(f"mailtop docker has no containers to show: {NO_LAB}\n{error}")
                    docker = False
                    times.pop("docker", None)
    return finish(_figures({name: median(all_) for name, all_ in times.items() if all_}), asked.json)


def _both(times: dict[str, list[float]], name: str, found: list[float]) -> None:
    times[name].append(found[0])
    times[f"{name}, live"].append(found[1])


def _figures(times: dict[str, float]) -> list[Figure]:
    figures = [compared("mailtop --version", times["version"], times["pass"], 2.0, "ms", "python -c pass")]
    for name in ("docker", "replay"):
        what = f"mailtop {name}: first useful paint"
        if name not in times:
            figures.append(Figure(what, "–", note=NO_LAB))
            continue
        figures.append(compared(what, times[name], times["hello"], 1.3, "ms", "hello"))
        if name == "docker":
            live = "mailtop docker: first live figure after it"
            figures.append(compared(live, times["docker, live"], times["docker ps"], 1.0, "ms", "docker ps"))
    return figures


if __name__ == "__main__":
    sys.exit(main())
