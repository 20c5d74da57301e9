"""Waiting until what a recording holds up to a moment has been taken in: links and logs have threads of their own."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable

from mailtop.engine.watch import Watch
from mailtop.model.snapshot import Link
from mailtop.transport.replay import Player

PATIENCE = 3.0  # seconds: a link looks once a second whether it is still alive
LOOK = 0.001  # seconds between two looks


async def catch_up(watches: Iterable[Watch], player: Player) -> None:
    """Return when every host has taken in what it was told by now, or after a while all the same."""
    try:
        async with asyncio.timeout(PATIENCE):
            for watch in watches:
                while not _caught_up(watch, player):  # noqa: ASYNC110  (the ends of threads, not of one event)
                    await asyncio.sleep(LOOK)
    except TimeoutError:
        return  # what comes later is shown later


def _caught_up(watch: Watch, player: Player) -> bool:
    """Is the connection as it was then, and every log read as far as somebody reads it?"""
    host, then = watch.link.host, player.link(watch.link.host)
    if then is not None and not then.up:
        return not watch.link.up
    if not watch.link.up:
        return watch.link.state.link is Link.DOWN  # it waits before its next try, as it did then
    return not any(
        follower.behind(player.reached(host, follower.target.container, follower.state.source))
        for follower in watch.followers.values()
    )
