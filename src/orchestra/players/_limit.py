"""A limit to the time that one run may take, also where it can't be ended."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any

from .. import _stack
from .._supervisor import TENTH
from ..context import Context
from ..restart import note_of

Play = Callable[[Context], Awaitable[Any]]


class Limit:
    """Plays with a limit in seconds; keeps those runs that go on in spite of it."""

    def __init__(self, play: Play, timeout: float) -> None:
        self._play, self.seconds = play, timeout
        self._left: list[tuple[str, asyncio.Task[None]]] = []

    def left(self, path: str) -> int:
        """How many runs under this path were abandoned, and still go on."""
        return sum(whose == path and not run.done() for whose, run in self._left)

    async def play(self, ctx: Context, on_late: Callable[[Exception], None]) -> None:
        """One run; raises what it raises, or a `TimeoutError`. What is raised after that is told."""
        run = asyncio.create_task(_awaited(self._play, ctx.child(timeout=self.seconds)))
        ctx.locate(partial(_stack.of_task, run))  # a thread says it better, and after this
        await _wait_for(run, self.seconds)
        if run.done():
            return run.result()
        error = TimeoutError(f"a run took longer than {self.seconds:g} seconds")
        note_of(error, getattr(ctx.seat, "where", partial(_stack.of_task, run))())
        run.cancel()
        await _wait_for(run, self.seconds * TENTH)
        if not run.done():
            self._left.append((ctx.path, run))
            run.add_done_callback(partial(self._let_go, on_late))
        elif not run.cancelled():
            raise error from run.exception()
        raise error

    def _let_go(self, on_late: Callable[[Exception], None], run: asyncio.Task[None]) -> None:
        self._left = [one for one in self._left if one[1] is not run]
        error = None if run.cancelled() else run.exception()
        if isinstance(error, Exception):
            on_late(error)


async def _awaited(play: Play, ctx: Context) -> None:
    await play(ctx)


async def _wait_for(run: asyncio.Task[None], timeout: float) -> None:
    try:
        await asyncio.wait([run], timeout=timeout)
    except asyncio.CancelledError:
        run.cancel()
        try:
            # It may be a thread: to go on waiting tells whoever cut this off that it did not end.
            await asyncio.wait([run])
        except asyncio.CancelledError:
            run.cancel()
            raise
        if run.cancelled() or run.exception() is None:
            raise
