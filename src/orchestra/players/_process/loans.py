"""Sockets that a player lends to copies of itself which play in other processes."""

from __future__ import annotations

import socket
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

from ..._returning import may_return, when_gone
from ...context import Context


class Loans:
    """What is lent for each run of a player: taken before it, given back when no other may follow.

    A player lends if its class has `async lend()`, which gives a copy to be pickled and sockets, the
    copy's `borrow(sockets)`, and `give_back()`. Clients that connect between two runs wait.
    """

    def __init__(self, player: Any) -> None:
        self._player = player
        self._kept: dict[tuple[Any, str], Callable[[], None]] = {}

    @property
    def any(self) -> bool:
        """Whether the player lends."""
        return hasattr(type(self._player), "lend")

    @asynccontextmanager
    async def taken(
        self, ctx: Context, play: Callable[..., Any]
    ) -> AsyncIterator[tuple[Any, list[socket.socket] | None]]:
        """The copy and the sockets for the run of `play` with this context."""
        if not self.any:
            yield self._player, None
            return
        copy, sockets = await self._player.lend()
        key = ctx.performance, ctx.path
        if key in self._kept:  # only now, so that it has been open without a break
            self._kept.pop(key)()
            self._player.give_back()
        try:
            yield copy, sockets
        finally:
            self._keep(ctx, play, key)

    def _keep(self, ctx: Context, play: Callable[..., Any], key: tuple[Any, str]) -> None:
        def give_back() -> None:
            self._kept.pop(key, None)
            self._player.give_back()

        if may_return(ctx, play):
            self._kept[key] = when_gone(ctx, play, give_back)
        else:
            give_back()
