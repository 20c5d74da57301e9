"""The console across a pipe: frames of msgpack, every method and its types read off `Console` itself.

A frame is four bytes of length, big-endian, and that many bytes of msgpack:
`[id, method, arguments]` from the face; `[id, result, error]` back, with `error` as `[class, thing, reason, remedy]`.
The newest snapshot is fetched like everything else, by a call that answers as soon as there is a newer one: so a
slow face misses old snapshots and never fills a buffer.
"""

from __future__ import annotations

import asyncio
import inspect
import logging
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from types import GenericAlias
from typing import Any, get_type_hints

import msgspec
from msgspec.structs import replace

from mailtop.engine.console import Console
from mailtop.model import errors
from mailtop.model.errors import LinkLost, MailtopError
from mailtop.model.health import Health
from mailtop.model.operation import Approval, Preview, Receipt, Selection
from mailtop.model.snapshot import Page, PageAsk, Series, Snapshot
from mailtop.model.survey import Survey

_log = logging.getLogger(__name__)
LARGEST = 64 << 20  # bytes of one frame; a page or a plan is far below

_SNAPSHOT = "snapshots"


def _types(method: str) -> tuple[Any, Any]:
    """The types of a method's arguments, as one tuple type, and of its result."""
    if method == _SNAPSHOT:
        return tuple[int], Snapshot
    function = getattr(Console, method)
    hints = get_type_hints(function)
    names = [name for name in inspect.signature(function).parameters if name != "self"]
    return GenericAlias(tuple, tuple(hints[name] for name in names)), hints["return"]


METHODS = {name: _types(name) for name in vars(Console) if not name.startswith("_")}
_Reply = tuple[int, msgspec.Raw, tuple[str, str, str, str] | None]


class _Frames:
    """Whole frames over a stream, written one at a time."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer
        self._encode = msgspec.msgpack.Encoder().encode

    @classmethod
    async def over(cls, end: socket.socket) -> _Frames:
        return cls(*await asyncio.open_connection(sock=end))

    async def read(self) -> bytes:
        """The next frame; raises asyncio.IncompleteReadError at the end."""
        size = int.from_bytes(await self._reader.readexactly(4), "big")
        if size > LARGEST:
            raise ConnectionError("frame too large")
        return await self._reader.readexactly(size)

    async def write(self, message: object) -> None:
        frame = self._encode(message)
        self._writer.write(len(frame).to_bytes(4, "big") + frame)
        await self._writer.drain()

    async def close(self) -> None:
        self._writer.close()
        with suppress(OSError):
            await self._writer.wait_closed()


async def serve(console: Console, end: socket.socket) -> None:
    """Answer one face until it is gone; then return. Calls run side by side: a slow one delays no other."""
    frames = await _Frames.over(end)
    newest = _Newest(console.snapshots())
    calls: set[asyncio.Task[None]] = set()
    try:
        while True:
            frame = await frames.read()
            call = asyncio.create_task(_reply(console, newest, frames, frame))
            calls.add(call)
            call.add_done_callback(calls.discard)
    except (asyncio.IncompleteReadError, OSError):
        return
    finally:
        for call in calls:
            call.cancel()
        await asyncio.gather(*calls, return_exceptions=True)
        await newest.close()
        await frames.close()


async def _reply(console: Console, newest: _Newest, frames: _Frames, frame: bytes) -> None:
    number, method, arguments = msgspec.msgpack.decode(frame, type=tuple[int, str, msgspec.Raw])
    result: object = None
    failure: tuple[str, str, str, str] | None = None
    try:
        given = msgspec.msgpack.decode(arguments, type=METHODS[method][0])
        if method == _SNAPSHOT:
            result = _slim(await newest.after(*given))
        else:
            result = await getattr(console, method)(*given)
    except MailtopError as error:
        failure = (type(error).__name__, error.thing, error.reason, error.remedy)
    except Exception as error:  # noqa: BLE001  (a call without an answer would hang its face for ever)
        _log.exception("%s failed", method)
        failure = ("MailtopError", method, f"mailtop's own fault: {error!r}", "please report it; --log-file says more")
    try:
        await frames.write((number, result, failure))
    except OSError:
        return  # the face is gone; `serve` sees that too


def _slim(snapshot: Snapshot) -> Snapshot:
    """Most of a snapshot would be probes that answer: a face wants to know how many."""
    others = tuple(probe for probe in snapshot.probes if probe.health is not Health.OK)
    return replace(snapshot, probes=others, answering=snapshot.answering + len(snapshot.probes) - len(others))


class _Newest:
    """The newest snapshot, for whoever asks for one newer than they have."""

    def __init__(self, snapshots: AsyncIterator[Snapshot]) -> None:
        self._changed = asyncio.Condition()
        self._snapshot: Snapshot | None = None
        self._task = asyncio.create_task(self._keep(snapshots))

    async def _keep(self, snapshots: AsyncIterator[Snapshot]) -> None:
        async for snapshot in snapshots:
            async with self._changed:
                self._snapshot = snapshot
                self._changed.notify_all()

    async def after(self, seq: int) -> Snapshot:
        async with self._changed:
            await self._changed.wait_for(lambda: self._snapshot is not None and self._snapshot.seq != seq)
            assert self._snapshot is not None  # noqa: S101  (told to mypy: the condition above says so)
            return self._snapshot

    async def close(self) -> None:
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)


class RemoteConsole:
    """The console of an engine at the other end of a socket."""

    def __init__(self, end: socket.socket, ended: Callable[[], str] | None = None) -> None:
        """`ended` explains, when the other end is gone, why."""
        self._end = end
        self._ended = ended or (lambda: "it ended")
        self._frames: _Frames | None = None
        self._waiting: dict[int, asyncio.Future[msgspec.Raw]] = {}
        self._number = 0
        self._opening = asyncio.Lock()
        self._reading: asyncio.Task[None] | None = None

    async def _call(self, method: str, *arguments: object) -> Any:
        async with self._opening:
            if self._frames is None:
                self._frames = await _Frames.over(self._end)
                self._reading = asyncio.create_task(self._read(self._frames))
        if self._reading is None or self._reading.done():
            raise self._gone()
        self._number += 1
        number = self._number
        reply: asyncio.Future[msgspec.Raw] = asyncio.get_running_loop().create_future()
        self._waiting[number] = reply
        try:
            await self._frames.write((number, method, arguments))
            raw = await reply
        except OSError as error:
            raise self._gone() from error
        finally:
            self._waiting.pop(number, None)
        return msgspec.msgpack.decode(raw, type=METHODS[method][1])

    async def _read(self, frames: _Frames) -> None:
        try:
            while True:
                number, result, failure = msgspec.msgpack.decode(await frames.read(), type=_Reply)
                reply = self._waiting.get(number)
                if reply is None or reply.done():
                    continue
                if failure is None:
                    reply.set_result(result)
                else:
                    reply.set_exception(getattr(errors, failure[0], MailtopError)(*failure[1:]))
        except (asyncio.IncompleteReadError, OSError):
            return
        finally:
            for reply in self._waiting.values():
                if not reply.done():
                    reply.set_exception(self._gone())

    def _gone(self) -> LinkLost:
        return LinkLost("engine", self._ended(), "start mailtop again; --log-file says more")

    async def snapshots(self) -> AsyncIterator[Snapshot]:
        """Yield the newest snapshot whenever there is one; ends when the engine does."""
        seq = -1
        while True:
            snapshot: Snapshot = await self._call(_SNAPSHOT, seq)
            seq = snapshot.seq
            yield snapshot

    async def page(self, ask: PageAsk) -> Page:
        """See Console."""
        page: Page = await self._call("page", ask)
        return page

    async def series(self, keys: tuple[str, ...], seconds: float) -> tuple[Series, ...]:
        """See Console."""
        series: tuple[Series, ...] = await self._call("series", keys, seconds)
        return series

    async def plan(self, action: str, selection: Selection) -> tuple[Preview, ...]:
        """See Console."""
        previews: tuple[Preview, ...] = await self._call("plan", action, selection)
        return previews

    async def approve(self, approval: Approval) -> Receipt:
        """See Console."""
        receipt: Receipt = await self._call("approve", approval)
        return receipt

    async def undo(self, receipt: str) -> tuple[Preview, ...]:
        """See Console."""
        previews: tuple[Preview, ...] = await self._call("undo", receipt)
        return previews

    async def unlock(self, seconds: float) -> None:
        """See Console."""
        await self._call("unlock", seconds)

    async def refresh(self, target: str = "", what: str = "") -> None:
        """See Console."""
        await self._call("refresh", target, what)

    async def stop_listing(self, target: str = "") -> None:
        """See Console."""
        await self._call("stop_listing", target)

    async def interval(self, seconds: float) -> None:
        """See Console."""
        await self._call("interval", seconds)

    async def pause(self, paused: bool) -> None:
        """See Console."""
        await self._call("pause", paused)

    async def step(self, by: int) -> None:
        """See Console."""
        await self._call("step", by)

    async def survey(self) -> tuple[Survey, ...]:
        """See Console."""
        found: tuple[Survey, ...] = await self._call("survey")
        return found

    async def answer(self, question: str, text: str | None) -> None:
        """See Console."""
        await self._call("answer", question, text)

    async def close(self) -> None:
        """End the engine: hang up, which it takes as the end of its face."""
        if self._reading is not None:
            self._reading.cancel()
            await asyncio.gather(self._reading, return_exceptions=True)
        if self._frames is not None:
            await self._frames.close()
        self.hang_up()

    def hang_up(self) -> None:
        """Close our end, with or without a loop."""
        with suppress(OSError):
            self._end.shutdown(socket.SHUT_RDWR)
        self._end.close()
