"""Servers that play in a process of their own, since their library may end the one that it is in."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from ..context import Context
from .listener import Listener


async def play_apart(
    ctx: Context, copy: Any, listener: Listener, may_return: Callable[[], bool]
) -> None:
    """Play a copy of a server in a new process, on these sockets, until that has ended.

    They stay open here for the next run. If there can be none, they are closed when `ctx` is done, so
    that the system takes no connections that nobody will serve.
    """
    # What starts processes takes its time to import, and only those who need it pay.
    from ..players.process import play_in_process

    async def stop_listening() -> None:
        await ctx.wait()
        if not may_return():
            listener.close()

    stopping = asyncio.create_task(stop_listening())
    try:
        await play_in_process(ctx, copy, listener.sockets)
    finally:
        stopping.cancel()
