"""A million messages through the console, as a face asks for them: over the wire, from the engine's own process.

    python tests/bench/bench_console.py [MESSAGES] [--rounds N]

Any filter or sort is answered within half a second, and the engine grows by 120 MiB at most. The yardstick of times is
`json → dicts`: how long a script takes to read the same listing. Wall seconds, best of all rounds.
"""

from __future__ import annotations

import asyncio
import gzip
import json
import sys
import time
from collections.abc import Awaitable
from typing import TypeVar

import incident
import processes
from verdict import Figure, finish, held, parser, say

from mailtop.engine.wire import RemoteConsole
from mailtop.model.operation import Selection
from mailtop.model.snapshot import PageAsk

ANSWER, PLAN = 0.5 / 6.7, 5.0 / 6.7  # of what json → dicts takes, which took 6.7 s where the budgets were set
MEMORY = 120.0
SORTS = ("arrival", "-size", "sender", "recipient", "domain", "reason", "-recipients")
FILTERS = ("provider3", "sender:news1@", "!to:provider", "size>1M age>2h", "reason:quota", "~prvdr")
Result = TypeVar("Result")


class Answers:
    """The best time of each question."""

    def __init__(self) -> None:
        self.best: dict[str, float] = {}

    async def timed(self, name: str, asked: Awaitable[Result]) -> Result:
        """Wait for one answer."""
        start = time.perf_counter()
        answer = await asked
        self.best[name] = min(self.best.get(name, float("inf")), time.perf_counter() - start)
        return answer

    def worst(self, beginning: str) -> tuple[str, float]:
        """The slowest question of a kind."""
        return max(
            ((name, took) for name, took in self.best.items() if name.startswith(beginning)), key=lambda one: one[1]
        )


async def measured(messages: int, rounds: int) -> tuple[Answers, tuple[float, float], float]:
    """Answers, the engine's growth in MiB without and with plans, and the seconds from the question to the listing."""
    ours, process = incident.started(["--queue", str(incident.queue_file(messages))])
    console, answers = RemoteConsole(ours), Answers()
    try:
        async for snapshot in console.snapshots():
            if snapshot.queues and snapshot.queues[0].counts[2][1].value is not None:
                break
        base, start = processes.rss(process.pid), time.perf_counter()
        await console.refresh(what="listing")
        async for snapshot in console.snapshots():
            if snapshot.queues[0].listed == messages:
                break
        listed = time.perf_counter() - start
        for number in range(rounds):
            say(f"console: round {number + 1} of {rounds}")
            await _round(console, answers, messages)
        grown = processes.peak(process.pid) - base
        await _plans(console, answers)
        return answers, (grown, processes.peak(process.pid) - base), listed
    finally:
        console.hang_up()
        process.wait(10)


async def _round(console: RemoteConsole, answers: Answers, messages: int) -> None:
    await answers.timed("causes", console.page(PageAsk("causes")))
    await answers.timed("shape", console.page(PageAsk("shape")))
    for column in SORTS:
        ask = PageAsk("messages", sort=column, offset=messages // 2)
        await answers.timed(f"sort {column}", console.page(ask))
    for where in FILTERS:
        await answers.timed(f"filter {where}", console.page(PageAsk("messages", where=where, sort="-size")))


async def _plans(console: RemoteConsole, answers: Answers) -> None:
    await answers.timed("plan of what one filter matches", console.plan("queue.hold", Selection(where="reason:quota")))
    await answers.timed("plan of everything", console.plan("queue.hold", Selection(where="!nothing-like-this")))


def as_dicts(messages: int) -> float:
    """Seconds that the obvious way takes to read it all."""
    with gzip.open(incident.queue_file(messages)) as listing:
        lines = listing.read().splitlines()
    start = time.perf_counter()
    kept = [json.loads(line) for line in lines]
    return time.perf_counter() - start if kept else 0.0


def main() -> int:
    """Measure, and print."""
    options = parser(__doc__)
    options.add_argument("messages", nargs="?", type=int, default=1_000_000)
    options.add_argument("--rounds", type=int, default=3)
    asked = options.parse_args()
    answers, grown, listed = asyncio.run(measured(asked.messages, asked.rounds))
    for name, took in answers.best.items():
        print(f"  {name:36} {took:7.3f} s")
    theirs = as_dicts(asked.messages)
    yardstick = f"json → dicts {theirs:.1f} s"
    size = f"{asked.messages:,} messages"
    figures = [held(f"{size}: from the question to the whole listing", listed, theirs, "s", yardstick)]
    for kind in ("sort", "filter", "causes", "shape"):
        name, took = answers.worst(kind)
        what = f"{size}: {'slowest ' if ' ' in name else ''}{name}"
        figures.append(held(what, took, theirs * ANSWER, "s", yardstick))
    for kind in ("plan of what", "plan of every"):
        name, took = answers.worst(kind)
        figures.append(held(f"{size}: {name}", took, theirs * PLAN, "s", yardstick))
    figures.append(held(f"{size}: engine over its base", grown[0], MEMORY, "MiB"))
    figures.append(Figure(f"{size}: the same with a plan of everything", f"{grown[1]:.0f} MiB"))
    return finish(figures, asked.json)


if __name__ == "__main__":
    sys.exit(main())
