"""A million messages through the console, as a face asks for them: over the wire, from the engine's own process.

    python tests/bench/bench_console.py [MESSAGES] [--rounds N]

Any filter or sort is answered within half a second, and the engine grows by 120 MiB at most, a plan of everything
included. Wall seconds, best of all rounds, and what they cost the engine: where others use the cores too, only that
says how long an answer takes. Beside it `json → dicts`, how long a script takes to read the same listing: 6.7 s where
the budgets were set, and so many times slower is this machine where it takes longer.
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
from verdict import finish, held, parser, say

from mailtop.engine.wire import RemoteConsole
from mailtop.model.operation import Selection
from mailtop.model.snapshot import PageAsk

ANSWER, PLAN = 0.5, 5.0  # seconds
THEIRS = 6.7  # seconds that json → dicts took where the budgets were set
MEMORY = 120.0
SORTS = ("arrival", "-size", "sender", "recipient", "domain", "reason", "-recipients")
FILTERS = ("provider3", "sender:news1@", "!to:provider", "size>1M age>2h", "reason:quota", "~prvdr")
Result = TypeVar("Result")


class Answers:
    """The best time of each question."""

    def __init__(self, pid: int) -> None:
        self.best: dict[str, float] = {}
        self.cost: dict[str, float] = {}
        self._pid = pid

    async def timed(self, name: str, asked: Awaitable[Result]) -> Result:
        """Wait for one answer."""
        start, cost = time.perf_counter(), processes.cpu([self._pid])
        answer = await asked
        self.cost[name] = min(self.cost.get(name, float("inf")), processes.cpu([self._pid]) - cost)
        self.best[name] = min(self.best.get(name, float("inf")), time.perf_counter() - start)
        return answer

    def worst(self, beginning: str) -> tuple[str, float, float]:
        """The slowest question of a kind; its wall seconds, and the most that one of them cost the engine."""
        names = [name for name in self.best if name.startswith(beginning)]
        slowest = max(names, key=self.best.__getitem__)
        return slowest, self.best[slowest], max(self.cost[name] for name in names)


async def measured(messages: int, rounds: int) -> tuple[Answers, tuple[float, float], float]:
    """Answers, the engine's growth in MiB without and with plans, and the seconds from the question to the listing."""
    ours, process = incident.started(["--queue", str(incident.queue_file(messages))])
    console, answers = RemoteConsole(ours), Answers(process.pid)
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
        print(f"  {name:36} {took:7.3f} s, {answers.cost[name]:6.2f} s of CPU")
    theirs = as_dicts(asked.messages)
    yardstick = f"json → dicts {theirs:.1f} s, {theirs / THEIRS:.1f} × as set"
    size = f"{asked.messages:,} messages"
    figures = [held(f"{size}: from the question to the whole listing", listed, theirs, "s", yardstick)]
    for kind, limit in (
        ("sort", ANSWER), ("filter", ANSWER), ("causes", ANSWER), ("shape", ANSWER),
        ("plan of what", PLAN), ("plan of every", PLAN),
    ):  # fmt: skip
        name, took, cost = answers.worst(kind)
        what = f"{size}: {'slowest ' if kind in ('sort', 'filter') else ''}{name}"
        figures.append(held(what, took, limit, "s", yardstick))
        figures.append(held(f"{size}: the dearest {kind}", cost, limit, "s CPU"))
    figures.append(held(f"{size}: engine over its base", grown[0], MEMORY, "MiB"))
    figures.append(held(f"{size}: the same with a plan of everything", grown[1], MEMORY, "MiB"))
    return finish(figures, asked.json)


if __name__ == "__main__":
    sys.exit(main())
