"""A console that stands still: given snapshots, pages, previews and receipts, and a list of what was asked of it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from typing import Any, NamedTuple

from msgspec.structs import replace

from mailtop.ledger.log_ring import LogRing
from mailtop.model.errors import MailtopError, Refused, UsageError
from mailtop.model.log import LogWindow
from mailtop.model.mail import QueueEntry
from mailtop.model.operation import Approval, Danger, Preview, Receipt, Selection
from mailtop.model.snapshot import Page, PageAsk, Series, Snapshot
from mailtop.model.survey import Survey


class StillConsole:
    """Answers from what it was given. `asked` holds every call in order."""

    def __init__(self, snapshot: Snapshot | None, rows: dict[str, Sequence[Any]] | None = None) -> None:
        self.asked: list[Any] = []
        self.rows = rows or {}
        self.previews: tuple[Preview, ...] = ()
        self.receipt: Receipt | MailtopError | None = None
        self.ring = LogRing()
        self.unknown = ""  # why rows are missing from every page
        self.refuses: MailtopError | None = None
        self.gate = asyncio.Event()  # approvals wait for it
        self.gate.set()
        self.looks, self.looking = asyncio.Event(), 0  # what is sought in the logs waits for it
        self.looks.set()
        self._queue: asyncio.Queue[Snapshot | MailtopError | None] = asyncio.Queue()
        self.snapshot = snapshot
        if snapshot is not None:
            self._queue.put_nowait(snapshot)

    def show(self, **changes: Any) -> None:
        """The next snapshot: the last one with changes. While paused nothing is published, as the engine does it."""
        assert self.snapshot is not None
        frozen = self.snapshot.paused and changes.get("paused", True)
        self.snapshot = replace(self.snapshot, seq=self.snapshot.seq + 1, **changes)
        if not frozen:
            self._queue.put_nowait(self.snapshot)

    def move(self, kind: str, rows: Sequence[Any]) -> None:
        """Other rows, and a snapshot that says so."""
        self.rows[kind] = rows
        assert self.snapshot is not None
        self.show(versions={**self.snapshot.versions, kind: self.snapshot.versions.get(kind, 0) + 1})

    def log(self, target: str, lines: bytes, at: float) -> None:
        """More lines in the log, and a snapshot that says so."""
        self.ring.add(target, lines, at)
        assert self.snapshot is not None
        self.show(versions={**self.snapshot.versions, "logs": self.ring.version})

    def end(self, why: MailtopError | None = None) -> None:
        """No more snapshots: an end, or an error."""
        self._queue.put_nowait(why)

    async def snapshots(self) -> AsyncIterator[Snapshot]:
        while (snapshot := await self._queue.get()) is not None:
            if isinstance(snapshot, MailtopError):
                raise snapshot
            yield snapshot

    async def page(self, ask: PageAsk) -> Page:
        self.asked.append(ask)
        if self.refuses is not None:
            raise self.refuses
        if ask.where.startswith("bad:"):
            raise UsageError("filter", f"{ask.where} is no filter", "try sender:ann")
        if ask.kind == "logs":
            if ask.window is not None and ask.window.seek:
                self.looking += 1
                await self.looks.wait()
                self.looking -= 1
            log = self.ring.page(ask.where, ask.window or LogWindow())
            return Page(ask, self.ring.version, log.held, self.snapshot.at if self.snapshot else 0.0, log=log)
        rows = self.rows.get(ask.kind, ())
        found = tuple(rows[ask.offset : ask.offset + ask.limit])
        version = self.snapshot.versions.get(ask.kind, 0) if self.snapshot else 0
        page = Page(ask, version, len(rows), self.snapshot.at if self.snapshot else 0.0, unknown=self.unknown)
        if ask.kind == "flow":
            return replace(page, flow=rows[0] if rows else None, blocks=())
        return replace(page, **{{"shape": "shapes", "board": "blocks"}.get(ask.kind, ask.kind): found})

    async def series(self, keys: tuple[str, ...], seconds: float) -> tuple[Series, ...]:
        return ()

    async def plan(self, action: str, selection: Selection) -> tuple[Preview, ...]:
        self.asked.append((action, selection))
        if self.refuses is not None:
            raise self.refuses
        return self.previews

    async def approve(self, approval: Approval) -> Receipt:
        self.asked.append(approval)
        await self.gate.wait()
        if self.receipt is None:
            raise Refused("mail1/postfix", "nobody said what becomes of it")
        if isinstance(self.receipt, MailtopError):
            raise self.receipt
        return self.receipt

    async def undo(self, receipt: str) -> tuple[Preview, ...]:
        self.asked.append(("undo", receipt))
        return self.previews

    async def unlock(self, seconds: float) -> None:
        self.asked.append(("unlock", seconds))
        assert self.snapshot is not None
        self.show(unlocked_until=self.snapshot.at + seconds if seconds else 0.0)

    async def refresh(self, target: str = "", what: str = "") -> None:
        self.asked.append(("refresh", target, what))

    async def stop_listing(self, target: str = "") -> None:
        self.asked.append(("stop_listing", target))

    async def interval(self, seconds: float) -> None:
        self.asked.append(("interval", seconds))

    async def pause(self, paused: bool) -> None:
        self.asked.append(("pause", paused))
        self.show(paused=paused)

    async def step(self, by: int) -> None:
        self.asked.append(("step", by))
        self.show(paused=True)

    async def survey(self) -> tuple[Survey, ...]:
        return ()

    async def answer(self, question: str, text: str | None) -> None:
        self.asked.append(("answer", question, text))

    async def close(self) -> None:
        self.asked.append("close")


class Act(NamedTuple):
    """An action as the face sees it."""

    key: str
    letter: str
    label: str
    danger: Danger
    undo: str = ""
    scope: type = QueueEntry


ACTS = (
    Act("queue.hold", "H", "Hold", Danger.REVERSIBLE, "queue.release"),
    Act("queue.release", "U", "Release", Danger.SENDS),
    Act("queue.delete", "", "Delete", Danger.DESTRUCTIVE),
    Act("session.kick", "K", "Kick", Danger.REVERSIBLE, scope=str),
)
