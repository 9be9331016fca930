"""A player in a thread of its own."""

from __future__ import annotations

import asyncio
import contextvars
import inspect
import threading
from collections.abc import Awaitable, Callable
from typing import Any

from .. import _clock, _stack
from .._signature import judge
from .._waiter import call_soon_threadsafe
from ..context import Context
from ..player import name_of, register_plain_functions


class ThreadPlayer:
    """Plays a plain function in a daemon thread of its own, never one of a shared pool.

    The function takes the context, or nothing, and stops when the context is done: `while not
    ctx.wait_sync(60): tick()`. A thread can't be cut off: one that does not stop in time is abandoned,
    and the `StopTimeoutError` says where it was. Raises `TypeError` for what is no plain function.

    >>> def work(ctx):
    ...     while not ctx.wait_sync(60):
    ...         print("tick")
    >>> player = ThreadPlayer(work)
    """

    kind = "thread"

    def __init__(self, function: Any) -> None:
        is_async, self._takes_context = judge(function)
        if is_async:
            raise TypeError(f"ThreadPlayer takes a plain function, not {function!r}")
        self._function = function

    @property
    def __name__(self) -> str:
        return name_of(self._function)

    def __repr__(self) -> str:
        return f"ThreadPlayer({self.__name__})"

    async def play(self, ctx: Context) -> None:
        """Run the function in a new thread, to its end."""
        run = _Run(self._function, (ctx,) if self._takes_context else ())
        thread = threading.Thread(
            target=contextvars.copy_context().run,
            args=(run.work,),
            name=ctx.path or self.__name__,
            daemon=True,
        )
        # One that has ended may have left its ident to another.
        ctx.locate(lambda: _stack.of_thread(thread.ident) if thread.is_alive() else "")
        thread.start()
        await run.until_over()
        run.raise_error()


class _Run:
    """One run of the function: what its thread has to tell, brought to the loop."""

    def __init__(self, function: Callable[..., object], args: tuple[Any, ...]) -> None:
        self._loop = asyncio.get_running_loop()
        self._function, self._args = function, args
        # Announced before the thread starts, so that virtual time does not run away from it.
        self._work = _clock.outside_work(self._loop)
        self._over = asyncio.Event()
        self._error: BaseException | None = None

    def work(self) -> None:
        """In the thread."""
        with self._work:
            try:
                _check_result(self._function, self._function(*self._args))
            except BaseException as error:
                self._error = error
            finally:
                call_soon_threadsafe(self._loop, self._over.set)

    async def until_over(self) -> None:
        try:
            await self._over.wait()
        except asyncio.CancelledError:
            # A thread can't be cut off. To go on waiting is to say so: whoever cut this off sees
            # that it did not end. Who cancels once more, such as a loop that closes, is let go.
            await self._over.wait()
            if self._error is None:
                raise

    def raise_error(self) -> None:
        error, self._error = self._error, None
        if isinstance(error, StopIteration):
            # A coroutine can't raise it.
            raise RuntimeError("the thread raised StopIteration") from error
        if error is not None:
            try:
                raise error
            finally:
                del error  # or it would hold this frame, which holds it


def _check_result(function: Callable[..., object], result: object) -> None:
    """Complain about what would be lost: a plain function that made something to be awaited."""
    if inspect.iscoroutine(result):
        result.close()
    elif not inspect.isasyncgen(result) and not isinstance(result, Awaitable):
        return
    kind = type(result).__name__.replace("_", " ")
    raise TypeError(
        f"{function!r} is a plain function that returned a {kind}: make it `async def`, or bind "
        "arguments with functools.partial instead of a lambda"
    )


register_plain_functions(ThreadPlayer)
