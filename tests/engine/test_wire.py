"""The console across a socket: every method, every type, errors and the end."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator

import pytest

from mailtop.engine.wire import METHODS, RemoteConsole, serve
from mailtop.model.errors import LinkLost, MailtopError, Refused, UsageError
from mailtop.model.mail import Key, Queue, QueueEntry, QueueId
from mailtop.model.operation import Approval, Danger, Fate, Item, Outcome, Preview, Receipt, Selection, Step
from mailtop.model.snapshot import Cause, Health, HopState, Link, Page, PageAsk, Reading, Series, Snapshot
from mailtop.model.survey import Right, Survey, Surveyed
from mailtop.model.text import Foreign
from mailtop.model.topology import Hop, Role

WILD = Foreign(b"\xff\x1b[31m\x00ann@x")
KEY = Key("mail1/postfix", QueueId("4TqX2m6bYzz3F"))
ITEM = Item(KEY.id, WILD, 1.5, 10, "active", WILD)
ROWS = (QueueEntry(KEY, Queue.HOLD, 1.0, 2, WILD, WILD, 1, WILD, Hop.REMOTE),)
CAUSES = (Cause("c1", "mail1/postfix", Hop.REMOTE, WILD, "4.7.1", WILD, WILD, 1, 200, growth=-3),)
PREVIEW = Preview(
    "p1", "queue.hold", "Hold", "mail1/postfix", "postfix", Danger.REVERSIBLE, "queue.release",
    (Step("mail1/postfix", ("postsuper", "-h", "-"), "1 id"),), 1, 10, 1.5, ((WILD, 1),), ((WILD, 1),), (ITEM,), 0,
)  # fmt: skip
RECEIPT = Receipt(
    "r1", "p1", "queue.hold", "mail1/postfix", "ann", 9.0, False, True, (Outcome(KEY.id, Fate.DONE, WILD),)
)
SURVEYS = (
    Survey("mail1", Link.UP, user="ops", targets=(
        Surveyed("mail1", (Role.VIP,), versions=(("keepalived", "2.2.7"),), rights=(
            Right("docker", Health.DENIED, "no", "usermod -aG docker ops"),)),)),
)  # fmt: skip
ONE = Reading(1.0, Health.OK, 2.0)
SNAPSHOT = Snapshot(
    1, 2.0, "example.com",
    hops=(HopState(Hop.IN, ONE, ONE, ONE, ONE, ONE, ONE, ONE, hosts=(("mail1", Health.DENIED),)),),
    receipts=(RECEIPT,), versions={"causes": 3},
)  # fmt: skip


class Still:
    """A console that always answers the same, and remembers what it was asked."""

    def __init__(self) -> None:
        self.asked: list[tuple[object, ...]] = []
        self.never = asyncio.Event()

    async def snapshots(self) -> AsyncIterator[Snapshot]:
        yield SNAPSHOT
        await self.never.wait()

    async def page(self, ask: PageAsk) -> Page:
        if ask.where == "?":
            raise UsageError("filter", "no field 'x'", "use sender:")
        if ask.where == "bug":
            raise IndexError("list index out of range")
        if ask.where == "hang":
            await self.never.wait()
        return Page(ask, 7, 1, 3.0, causes=CAUSES, messages=ROWS)

    async def series(self, keys: tuple[str, ...], seconds: float) -> tuple[Series, ...]:
        return tuple(Series(key, 0.0, seconds, (1.0, None)) for key in keys)

    async def plan(self, action: str, selection: Selection) -> tuple[Preview, ...]:
        self.asked.append((action, selection))
        return (PREVIEW,)

    async def approve(self, approval: Approval) -> Receipt:
        if not approval.dry_run:
            raise Refused("queue.hold", "mailtop observes", "unlock with :operate")
        return RECEIPT

    async def undo(self, receipt: str) -> tuple[Preview, ...]:
        return (PREVIEW,) if receipt else ()

    async def unlock(self, seconds: float) -> None:
        self.asked.append(("unlock", seconds))

    async def refresh(self, target: str = "", what: str = "") -> None:
        self.asked.append(("refresh", target, what))

    async def stop_listing(self, target: str = "") -> None:
        self.asked.append(("stop_listing", target))

    async def interval(self, seconds: float) -> None:
        self.asked.append(("interval", seconds))

    async def pause(self, paused: bool) -> None:
        self.asked.append(("pause", paused))

    async def step(self, by: int) -> None:
        self.asked.append(("step", by))

    async def survey(self) -> tuple[Survey, ...]:
        return SURVEYS

    async def answer(self, question: str, text: str | None) -> None:
        self.asked.append(("answer", question, text))

    async def close(self) -> None:
        self.asked.append(("close",))


@pytest.fixture
async def wired() -> AsyncIterator[tuple[Still, RemoteConsole]]:
    ours, theirs = socket.socketpair()
    theirs.setblocking(False)
    ours.setblocking(False)
    still = Still()
    serving = asyncio.create_task(serve(still, theirs))
    console = RemoteConsole(ours, lambda: "it ended")
    yield still, console
    await console.close()
    await asyncio.wait_for(serving, 5)


async def test_every_method_carries_its_values_there_and_back(wired: tuple[Still, RemoteConsole]) -> None:
    still, console = wired
    selection = Selection((KEY,), where="x", target="mail1/postfix")

    assert await anext(console.snapshots()) == SNAPSHOT
    page = await console.page(PageAsk("causes"))
    assert (page.causes, page.messages) == (CAUSES, ROWS)
    assert await console.series(("k",), 5.0) == (Series("k", 0.0, 5.0, (1.0, None)),)
    assert await console.plan("queue.hold", selection) == (PREVIEW,)
    assert await console.approve(Approval("p1", "ann", dry_run=True)) == RECEIPT
    assert await console.undo("r1") == (PREVIEW,)
    assert await console.survey() == SURVEYS
    await console.unlock(900.0)
    await console.refresh("mail1/postfix", "listing")
    await console.stop_listing("mail1/postfix")
    await console.interval(2.0)
    await console.pause(True)
    await console.step(-1)
    await console.answer("q1", "secret")
    await console.answer("q2", None)

    assert still.asked == [
        ("queue.hold", selection), ("unlock", 900.0), ("refresh", "mail1/postfix", "listing"),
        ("stop_listing", "mail1/postfix"),
        ("interval", 2.0), ("pause", True), ("step", -1), ("answer", "q1", "secret"), ("answer", "q2", None),
    ]  # fmt: skip


def test_no_method_of_the_console_is_left_out() -> None:
    assert set(METHODS) == {name for name in dir(RemoteConsole) if not name.startswith("_")} - {"hang_up"}


async def test_an_error_arrives_as_itself(wired: tuple[Still, RemoteConsole]) -> None:
    _, console = wired

    with pytest.raises(UsageError, match="filter: no field 'x'; use sender:"):
        await console.page(PageAsk("messages", where="?"))
    with pytest.raises(Refused):
        await console.approve(Approval("p1", "ann"))


async def test_a_bug_behind_a_call_is_an_answer_too(wired: tuple[Still, RemoteConsole]) -> None:
    _, console = wired

    with pytest.raises(MailtopError, match="mailtop's own fault"):
        await console.page(PageAsk("messages", where="bug"))


async def test_a_call_that_hangs_delays_no_other(wired: tuple[Still, RemoteConsole]) -> None:
    _, console = wired
    hanging = asyncio.create_task(console.page(PageAsk("messages", where="hang")))

    assert (await console.page(PageAsk("causes"))).total == 1
    hanging.cancel()
    await asyncio.gather(hanging, return_exceptions=True)


async def test_an_engine_that_ends_fails_what_waits_and_what_comes() -> None:
    ours, theirs = socket.socketpair()
    ours.setblocking(False)
    console = RemoteConsole(ours, lambda: "it ended with status 9")
    waiting = asyncio.create_task(console.page(PageAsk("causes")))
    await asyncio.to_thread(theirs.recv, 4)

    theirs.close()

    with pytest.raises(LinkLost, match="it ended with status 9"):
        await waiting
    with pytest.raises(LinkLost):
        await console.page(PageAsk("causes"))
    await console.close()
