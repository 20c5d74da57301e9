"""A queue of a million: read, filter, sort, page, group; beside jq and `json` into dicts, interleaved.

    python tests/bench/bench_queue.py [MESSAGES] [--rounds N]

Every reader is a process of its own and its best round counts, for the machine is shared: CPU seconds, and MiB of
memory over what the process had before. Budgets are ratios to `json → dicts`, which took 6.7 s where they were set:
reading 4 s, any answer 0.5 s. Memory is 120 MiB in all for a million.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from time import process_time

import mailqueue

_READ = 4.0 / 6.7
_ANSWER = 0.5 / 6.7
_MEMORY = 120.0
_BUDGETED = 1_000_000  # with fewer, what is fixed weighs more, and nobody waits

SORTS = ("arrival", "-size", "sender", "recipient", "id", "domain", "reason", "queue", "recipients")
FILTERS = ("provider3", "user12345", "~prvdr", "sender:news1@", "!to:provider", "size>1M age>2h", "reason:quota", "e")


def memory() -> float:
    """MiB that this process has now."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / (1 << 20)


def peak() -> float:
    """MiB that this process ever had."""
    status = Path("/proc/self/status").read_text()
    return int(status.partition("VmHWM:")[2].split()[0]) / 1024


def ours(path: Path) -> dict[str, float]:
    """Read a listing as the engine does, ask it everything, and say what each took."""
    from mailtop.ledger.queue import QueueBook
    from mailtop.model.snapshot import PageAsk
    from mailtop.parse.postqueue import ListingReader

    base, took = memory(), {}

    def timed(name: str, work: Callable[[], object]) -> object:
        start = process_time()
        made = work()
        took[name] = process_time() - start
        return made

    at, book, reader = float(mailqueue.AT), QueueBook("mail1/postfix"), ListingReader()

    def read() -> None:
        with path.open("rb", buffering=0) as listing:
            while piece := listing.read(1 << 18):
                reader.feed(piece)

    timed("read", read)
    timed("finish", lambda: book.update(reader.finish(at), at))
    took["memory, read"] = memory() - base
    timed("causes, fresh", lambda: book.causes(PageAsk("causes"), at))
    timed("causes, again", lambda: book.causes(PageAsk("causes"), at))
    timed("shape", lambda: book.shape(PageAsk("shape"), at))
    for column in SORTS:
        timed(f"sort {column}, middle", lambda: book.messages(PageAsk("messages", sort=column, offset=500_000), at))  # noqa: B023
    for where in FILTERS:
        timed(f"where {where}", lambda: book.messages(PageAsk("messages", where=where, sort="-size"), at))  # noqa: B023
    took["memory, in all"] = peak() - base
    return took


def as_dicts(path: Path) -> dict[str, float]:
    """The obvious way."""
    base, start = memory(), process_time()
    with path.open("rb") as listing:
        kept = [json.loads(line) for line in listing]
    took = {"read": process_time() - start}
    start = process_time()
    kept.sort(key=lambda message: message["message_size"])
    return took | {"sort": process_time() - start, "memory": memory() - base}


def jq(path: Path) -> dict[str, float]:
    """jq, reading only."""
    process = subprocess.Popen(["jq", "-c", "select(.queue_id == 1)", str(path)], stdout=subprocess.DEVNULL)
    _, _, usage = os.wait4(process.pid, 0)
    process.returncode = 0
    return {"read": usage.ru_utime + usage.ru_stime}


def child(reader: str, path: Path) -> dict[str, float]:
    """Run one reader in a process of its own."""
    done = subprocess.run([sys.executable, __file__, "--reader", reader, str(path)], capture_output=True, check=True)
    found: dict[str, float] = json.loads(done.stdout)
    return found


def best(rounds: list[dict[str, float]]) -> dict[str, float]:
    """The least of every figure."""
    return {name: min(figures[name] for figures in rounds) for name in rounds[0]}


def main() -> int:
    """Print both sides, their ratio and the budget; exit 1 where a budget is missed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("messages", nargs="?", default="1000000")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--reader", choices=["ours", "dicts"])
    options = parser.parse_args()
    if options.reader:
        read = ours if options.reader == "ours" else as_dicts
        print(json.dumps(read(Path(options.messages))))
        return 0
    messages = int(options.messages)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "queue.json"
        with path.open("w") as out:
            out.writelines(mailqueue.lines(messages))
        mine, dicts, others = [], [], []
        for _ in range(options.rounds):
            mine.append(child("ours", path))
            dicts.append(child("dicts", path))
            if shutil.which("jq"):
                others.append(jq(path))
        size = path.stat().st_size / (1 << 20)
    return report(messages, size, best(mine), best(dicts), best(others) if others else {})


def report(messages: int, size: float, mine: dict[str, float], dicts: dict[str, float], other: dict[str, float]) -> int:
    """Print the table."""
    print(f"{messages:,} messages, {size:.0f} MiB; CPU seconds, best round")
    print(f"json → dicts: read {dicts['read']:.2f}, sort {dicts['sort']:.2f}, {dicts['memory']:.0f} MiB")
    print(f"jq, read only: {other['read']:.2f}" if other else "jq is not installed")
    mine = {"read and finish": mine.pop("read") + mine.pop("finish")} | mine
    missed = 0
    print(f"{'ours':<28}{'s':>8}{'× dicts':>10}{'budget':>10}")
    for name, figure in mine.items():
        if name.startswith("memory"):
            limit, shown, ratio = _MEMORY * messages / 1e6, f"{figure:.0f} MiB", figure / dicts["memory"]
            budget = f"{limit:.0f} MiB"
        else:
            limit = dicts["read"] * (_READ if name == "read and finish" else _ANSWER)
            shown, ratio, budget = f"{figure:.3f}", figure / dicts["read"], f"{limit:.3f}"
        late = figure > limit and messages >= _BUDGETED
        missed += late
        print(f"{name:<28}{shown:>8}{ratio:>10.3f}{budget:>10}{'  MISSED' if late else ''}")
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
