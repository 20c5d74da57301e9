"""Databases of a test's own, in one container; and how a test waits for what a board says of them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from maillab.engine import LAB, Engine
from maillab.waiting import wait_until

from mailtop.config import HostSettings
from mailtop.config.shape import ProbeSettings
from mailtop.model.board import Block, Figure
from mailtop.model.health import Health
from mailtop.model.snapshot import PageAsk
from mailtop.probe import probes
from tests.truth.watching import Watching

FIRST, SECOND = "mysqld", "second"
"""Two servers by their sockets' names: the one that is asked by default, on port 3306, and one beside it, on 3307."""

_SERVER = """
install --directory --owner=mysql /run/mysqld
test -d /var/lib/{name} || mariadb-install-db --user=mysql --datadir=/var/lib/{name} >/dev/null 2>&1
exec mariadbd --no-defaults --user=mysql --datadir=/var/lib/{name} --socket=/run/mysqld/{name}.sock --port={port} \
  --pid-file=/run/mysqld/{name}.pid --server-id={port} --log-bin=binlog --binlog-format=ROW \
  --innodb-buffer-pool-size=16M --max-connections=10 {more} >/tmp/{name}.log 2>&1
"""


class SpareDatabase:
    """One container, of the image that the lab's database has, in which nothing runs yet."""

    def __init__(self, engine: Engine, name: str, *options: str, network: str = "none") -> None:
        self.name, self.target, self.engine = name, f"here/{name}", engine
        image = engine.run("inspect", "--format", "{{.Config.Image}}", "maildb").strip()
        self.remove()
        aside = ("--detach", "--init", "--name", name, "--label", f"{LAB}=aside", "--network", network)
        engine.run("run", *aside, *options, "--entrypoint", "sleep", image, "infinity")

    def remove(self) -> None:
        """No trace is left."""
        self.engine.try_run("rm", "--force", self.name)

    def shell(self, script: str) -> str:
        """Run a script there; its standard output."""
        return self.engine.execute(self.name, "sh", "-c", script)

    def beside(self, script: str) -> None:
        """Run a script there, and do not wait for it."""
        self.engine.run("exec", "--detach", self.name, "sh", "-c", script)

    def serve(self, name: str, *more: str) -> None:
        """Start a server, with its tables where it has none, and wait until it answers."""
        self.beside(_SERVER.format(name=name, port=3306 if name == FIRST else 3307, more=" ".join(more)))
        wait_until(lambda: self.answers(name), 60, f"{name} answers")

    def answers(self, name: str) -> bool:
        """Is it up?"""
        ping = ("mariadb-admin", "--socket", f"/run/mysqld/{name}.sock", "--silent", "ping")
        return self.engine.try_run("exec", self.name, *ping).returncode == 0

    def kill(self, name: str) -> None:
        """End a server at once."""
        self.shell(f"kill -9 $(cat /run/mysqld/{name}.pid)")

    def sql(self, name: str, statements: str) -> str:
        """Rows without names."""
        options = ("--socket", f"/run/mysqld/{name}.sock", "--batch", "--skip-column-names")
        return self.engine.execute(self.name, "mariadb", *options, stdin=statements)


def only(*names: str) -> dict[str, HostSettings]:
    """This machine's Engine, asked by these probes every second and by no other."""
    paces = {probe.name: ProbeSettings(every=1.0, enabled=probe.name in names) for probe in probes()}
    return {"here": HostSettings(shell=False, probes=paces)}


async def until(
    watched: Watching, screen: str, target: str, probe: str, condition: Callable[[Block], object], what: str
) -> Block:
    """The first block of now for which a condition holds."""
    last = None
    try:
        async with asyncio.timeout(60):
            async for _ in watched.engine.snapshots():
                page = await watched.engine.page(PageAsk("board", where=screen))
                mine = (block for block in page.blocks if (block.target, block.probe) == (target, probe))
                last = next(mine, None)
                if last is not None and not last.stale and condition(last):
                    return last
    except TimeoutError:
        raise AssertionError(f"not within a minute: {what}\n{last}") from None
    raise AssertionError("the engine ended")


def figure(block: Block, metric: str, of: str = "") -> Figure:
    """One figure; one that is not there has no value."""
    return next((one for one in block.figures if (one.metric, one.of) == (metric, of)), Figure(metric, ""))


def says(metric: str, health: Health, of: str = "") -> Callable[[Block], bool]:
    """Is that figure there, and judged so?"""

    def is_so(block: Block) -> bool:
        reading = figure(block, metric, of).reading
        return reading.value is not None and reading.health is health

    return is_so
