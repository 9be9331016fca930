"""Servers that play in a process of their own, since their library may end the one that it is in."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from socket import socket
from typing import Any

from ..context import Context
from .listener import Listener
from .sockets import close_all


async def play_apart(
    ctx: Context, copy: Any, listener: Listener, may_return: Callable[[], bool]
) -> None:
    """Play a copy of a server in a new process, on these sockets, until that has ended.

    They stay open here for the next run. If there can be none, they are closed when `ctx` is done, or
    the system would go on taking connections that nobody will serve.
    """
    # What starts processes takes its time to import, and only those who need it pay.
    from ..players.process import play_in_process

    def stop_listening() -> None:
        if not may_return():
            listener.close()

    async with _calling_when_done(ctx, stop_listening):
        await play_in_process(ctx, _Resident(copy), listener.sockets)


class _Resident:
    """Plays a server, once, in the process that is for it alone."""

    kind = "server"
    signals_ready = True

    def __init__(self, player: Any) -> None:
        self._player = player
        self._sockets: Sequence[socket] = ()

    def borrow(self, sockets: Sequence[socket]) -> None:
        """Listen on these, which nobody else has in this process."""
        self._sockets = sockets
        self._player.borrow(sockets)

    async def play(self, ctx: Context) -> None:
        """Serve until `ctx` is done; raises as the server does."""
        async with _calling_when_done(ctx, lambda: close_all(self._sockets)):
            await self._player.play(ctx)


@asynccontextmanager
async def _calling_when_done(ctx: Context, call: Callable[[], None]) -> AsyncIterator[None]:
    async def wait() -> None:
        await ctx.wait()
        call()

    waiting = asyncio.create_task(wait())
    try:
        yield
    finally:
        waiting.cancel()
