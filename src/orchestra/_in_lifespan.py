"""A conductor inside of an application whose process belongs to a web server."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from typing import Any

from .entry_points import playing
from .performance import Performance
from .player import PlayerLike, as_player, terms_of

Lifespan = Callable[[Any], AbstractAsyncContextManager[Any]]


def lifespan(
    player: PlayerLike, *, timeout: float = 9.0, wrapping: Lifespan | None = None
) -> Callable[[Any], AbstractAsyncContextManager[Mapping[str, Any]]]:
    """Plays in the lifespan of a Starlette or FastAPI application: `FastAPI(lifespan=lifespan(conductor))`.

    For programs whose process belongs to uvicorn, gunicorn or another server. The application has
    started once the player is ready; a failure until then is a failure of the application's start. When
    the server shuts down, the player is stopped; what goes wrong then comes out of the lifespan. The
    running tree is `request.app.state.performance`, and `request.state.performance`.

    A failure in between stops the server: it gets a SIGTERM, as from outside, finishes its requests,
    and ends the lifespan, which raises the failure; a server would serve on without its workers
    otherwise. Where nobody handles SIGTERM, or Orchestra does, the lifespan fails at once. A player that
    ends well leaves the server alone.

    `timeout`: seconds that the player has to stop; a conductor goes by its own. `wrapping`: another
    lifespan, which is entered before the players start, and left when they have ended. Raises
    `TypeError` for what is no player.

    >>> async def worker(ctx):
    ...     await ctx.wait()
    >>> async def main():
    ...     async with lifespan(worker)("the application") as state:
    ...         print(state["performance"].status().state)
    >>> asyncio.run(main())
    ready
    """
    terms_of(as_player(player))
    playing(player, timeout=timeout)  # which checks the timeout

    @asynccontextmanager
    async def live(app: Any) -> AsyncGenerator[Mapping[str, Any]]:
        async with AsyncExitStack() as stack:
            state = None if wrapping is None else await stack.enter_async_context(wrapping(app))
            performance = await stack.enter_async_context(_Playing(player, timeout))
            if hasattr(app, "state"):
                app.state.performance = performance
            yield {**(state or {}), "performance": performance}

    return live


class _Playing(AbstractAsyncContextManager[Performance]):
    """As `playing`, in a task of its own; on a failure it asks the server to stop, and waits for that."""

    def __init__(self, player: PlayerLike, timeout: float) -> None:
        self._player = player
        self._timeout = timeout

    async def __aenter__(self) -> Performance:
        owner = asyncio.current_task()
        assert owner is not None, "servers run a lifespan in a task"
        self._owner = owner
        self._cancelled_owner = False
        self._leaving = asyncio.Event()
        self._ready: asyncio.Future[Performance] = asyncio.get_running_loop().create_future()
        self._task = asyncio.create_task(self._play(), name="orchestra in a lifespan")
        self._task.add_done_callback(self._on_end)
        try:
            either: set[asyncio.Future[Any]] = {self._ready, self._task}
            await asyncio.wait(either, return_when=asyncio.FIRST_COMPLETED)
        except asyncio.CancelledError:
            self._task.cancel()
            await self._end()
            raise
        if not self._ready.done():
            self._task.result()  # which raises
        return self._ready.result()

    async def __aexit__(
        self, exc_type: object, error: BaseException | None, traceback: object
    ) -> bool:
        self._leaving.set()
        ours = self._cancelled_owner and self._owner.uncancel() == 0
        if isinstance(error, asyncio.CancelledError) and not ours:
            self._task.cancel()
        await self._end()
        self._task.result()
        return False

    async def _play(self) -> None:
        async with playing(self._player, timeout=self._timeout) as performance:
            self._ready.set_result(performance)
            await self._leaving.wait()

    async def _end(self) -> None:
        """Wait for its end, which is bounded; one more cancellation cuts it off."""
        while not self._task.done():
            try:
                await asyncio.wait({self._task})
            except asyncio.CancelledError:
                self._task.cancel()

    def _on_end(self, task: asyncio.Task[None]) -> None:
        over = not self._ready.done() or self._leaving.is_set()
        if over or task.cancelled() or task.exception() is None:
            return
        if _server_handles_sigterm():
            signal.raise_signal(signal.SIGTERM)
        else:
            self._cancelled_owner = True
            self._owner.cancel()


def _server_handles_sigterm() -> bool:
    """Whether a SIGTERM makes somebody stop who is not Orchestra: that hears of the failure otherwise."""
    handler = signal.getsignal(signal.SIGTERM)
    return callable(handler) and not (getattr(handler, "__module__", None) or "").startswith(
        "orchestra."
    )
