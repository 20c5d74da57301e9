"""Hours in small: mixed traffic, one fault after another, and nothing grows, nothing is lost.

`MAILTOP_SOAK_SECONDS` (600) and `MAILTOP_SOAK_SEED` (1) choose how long, and which faults.
"""

from __future__ import annotations

import asyncio
import gc
import os
import random
import threading
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pytest
from maillab.lab import Lab

from mailtop.model.snapshot import Health, Link, Snapshot
from tests.truth.comparing import assert_counters_equal_the_log
from tests.truth.traffic import traffic
from tests.truth.watching import Watching, hosts_over_ssh, log, probe, watching

pytestmark = [pytest.mark.soak, pytest.mark.lab, pytest.mark.timeout(0)]

SECONDS = float(os.environ.get("MAILTOP_SOAK_SECONDS", "600"))
SEED = int(os.environ.get("MAILTOP_SOAK_SEED", "1"))
POSTFIXES = {"mail1/postfix": "postfix", "mail2/postfix": "mail2/postfix"}
THREADS, DESCRIPTORS = 4, 8  # so many may be under way in one calm moment and not in another
MEMORY = 24 << 20  # bytes: the book of what has come in meanwhile


class Use(NamedTuple):
    """What this process uses: threads, file descriptors, bytes of memory."""

    threads: int
    descriptors: int
    memory: int


class Fault(NamedTuple):
    """Something to break for so many seconds, and how it is mended."""

    name: str
    seconds: float
    make: Callable[[], None]
    mend: Callable[[], None]


def faults(lab: Lab) -> list[Fault]:
    """What can happen on a bad day."""

    def nothing() -> None: ...

    return [
        Fault("postfix restarts", 2, lambda: lab.restart("postfix"), nothing),
        Fault("postfix stops", 5, lambda: lab.stop("postfix"), lambda: lab.start("postfix")),
        Fault("postfix on mail2 restarts", 2, lambda: lab.restart("mail2/postfix"), nothing),
        Fault("dovecot hangs", 5, lambda: lab.pause("dovecot"), lambda: lab.unpause("dovecot")),
        Fault("mail1 is cut off", 20, lambda: lab.cut_off("mail1"), lambda: lab.restore("mail1")),
        Fault("a blink of mail2's network", 3, lambda: lab.cut_off("mail2"), lambda: lab.restore("mail2")),
        Fault("sshd of mail2 freezes", 20, lambda: lab.sigstop_sshd("mail2"), lambda: lab.sigcont_sshd("mail2")),
        Fault("df hangs", 8, lambda: lab.hang_df("mail1"), lambda: lab.unhang_df("mail1")),
        Fault("counts are garbled", 8, lambda: lab.garble("postfix", "awk"), lambda: lab.unshadow("postfix")),
        Fault("listings fail", 8, lambda: lab.fail("postfix", "postqueue"), lambda: lab.unshadow("postfix")),
    ]


def well(snapshot: Snapshot) -> bool:
    """Is everything up, read and counted?"""
    return (
        all(host.link is Link.UP for host in snapshot.hosts)
        and all(log(snapshot, target).health is Health.OK for target in POSTFIXES)
        and all(
            probe(snapshot, target, name).health is Health.OK
            and snapshot.at - probe(snapshot, target, name).last_ok < 15
            for target in POSTFIXES
            for name in ("postfix_queue", "postfix_deferred")
        )
    )


def used() -> Use:
    """What this process uses now."""
    gc.collect()
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return Use(threading.active_count(), len(list(Path("/proc/self/fd").iterdir())), pages * os.sysconf("SC_PAGE_SIZE"))


async def suffered(watched: Watching, fault: Fault) -> Use:
    """Let one thing break and be mended; what is used when all is well again."""
    began = watched.now.at
    await asyncio.to_thread(fault.make)
    await watched.until(f"{fault.name} for a while", lambda s: s.at - began >= fault.seconds, fault.seconds + 60)
    await asyncio.to_thread(fault.mend)
    mended = watched.now.at
    await watched.until(f"all is well after: {fault.name}", lambda s: s.at - mended > 2 and well(s), 120)
    await watched.engine.refresh("", "listing")
    return used()


async def test_nothing_grows_and_nothing_is_lost(fresh_lab: Lab, tmp_path: Path) -> None:
    chance, story = random.Random(SEED), []
    async with watching(hosts_over_ssh(), tmp_path, remember=50) as watched:
        await watched.until_read(*POSTFIXES)
        began = watched.now.at
        with traffic(fresh_lab) as near, traffic(fresh_lab, "mail2") as far:
            while watched.now.at - began < SECONDS:
                fault = chance.choice(faults(fresh_lab))
                use = await suffered(watched, fault)
                story.append((round(watched.now.at - began), fault.name, *use))
                print(*story[-1])  # noqa: T201  (shown when it fails, or with -s)
        for target, container in POSTFIXES.items():
            truth = await assert_counters_equal_the_log(watched, fresh_lab, target, container)
            print(target, truth)  # noqa: T201
            assert log(watched.now, target).gap == 0.0
        assert near.accepted > SECONDS
        assert far.accepted > SECONDS

    first, last = Use(*story[len(story) // 4][2:]), Use(*story[-1][2:])  # after a quarter everything has been warm once
    assert last.threads <= first.threads + THREADS
    assert last.descriptors <= first.descriptors + DESCRIPTORS
    assert last.memory <= first.memory + MEMORY
