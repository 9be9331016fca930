"""A player in a thread of its own."""

from __future__ import annotations

import asyncio
import contextvars
import inspect
import threading
from collections import deque
from collections.abc import Awaitable, Callable
from typing import Any

from .. import _clock, _stack
from .._signature import judge
from .._waiter import call_soon_threadsafe
from ..context import Context
from ..errors import OrchestraError
from ..log import in_words, report
from ..player import name_of


class ThreadPlayer:
    """Plays a plain function in a daemon thread of its own, never one of a shared pool.

    The function takes the context, or nothing, and stops when the context is done: `while not
    ctx.wait_sync(60): tick()`. A thread can't be cut off: one that does not stop in time is abandoned,
    and the `StopTimeoutError` says where it was.

    While an abandoned thread still goes on, its player is not started again: that fails, and says
    where the thread is. With `overlap=True` it is started beside it, and the log says so. Either way
    the status counts the abandoned threads, as `zombies`.

    Raises `TypeError` for what is no plain function.

    >>> def work(ctx):
    ...     while not ctx.wait_sync(60):
    ...         print("tick")
    >>> player = ThreadPlayer(work)
    """

    kind = "thread"

    def __init__(self, function: Any, *, overlap: bool = False) -> None:
        is_async, self._takes_context = judge(function)
        if is_async:
            raise TypeError(f"ThreadPlayer takes a plain function, not {function!r}")
        self._function = function
        self.overlap = bool(overlap)
        self._let_go: list[tuple[str, threading.Thread]] = []

    @property
    def __name__(self) -> str:
        return name_of(self._function)

    def __repr__(self) -> str:
        return f"ThreadPlayer({self.__name__})"

    def shown_settings(self) -> dict[str, object]:
        """What a status page shows."""
        return {"overlap": self.overlap}

    async def play(self, ctx: Context) -> None:
        """Run the function in a new thread, to its end.

        Raises what the function raises, and `OrchestraError` where an earlier thread was let go of.
        """
        self._mind_those_let_go(ctx.path)
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
        try:
            await run.until_over()
        finally:
            if run.let_go:
                self._let_go.append((ctx.path, thread))
        run.raise_error()

    def _mind_those_let_go(self, path: str) -> None:
        """A supervisor sees to those that it abandoned; these it does not know any more."""
        self._let_go = [one for one in self._let_go if one[1].is_alive()]
        stuck = [thread for whose, thread in self._let_go if whose == path]
        if stuck and not self.overlap:
            where = "\n".join(_stack.of_thread(thread.ident) for thread in stuck)
            raise OrchestraError(f"not started: an earlier thread still goes on\n{where}")


class _Run:
    """One run of the function: what its thread has to tell, brought to the loop."""

    def __init__(self, function: Callable[..., object], args: tuple[Any, ...]) -> None:
        self._loop = asyncio.get_running_loop()
        self._function, self._args = function, args
        # Announced before the thread starts, so that virtual time does not run away from it.
        self._work = _clock.outside_work(self._loop)
        self._over = asyncio.Event()
        self._errors: deque[BaseException] = deque()  # one at the most
        self.let_go = False

    def work(self) -> None:
        """In the thread."""
        with self._work:
            try:
                _check_result(self._function, self._function(*self._args))
            except BaseException as error:
                self._errors.append(error)
                if self.let_go:
                    self._report_late()
            finally:
                call_soon_threadsafe(self._loop, self._over.set)

    async def until_over(self) -> None:
        try:
            await self._over.wait()
        except asyncio.CancelledError:
            # A thread can't be cut off. To go on waiting is to say so: whoever cut this off sees
            # that it did not end. Who cancels once more, such as a loop that closes, is let go.
            try:
                await self._over.wait()
            except asyncio.CancelledError:
                self.let_go = True
                self._report_late()
                raise
            if not self._errors:
                raise

    def _report_late(self) -> None:
        """Nobody waits for it any more. In either thread, and only one of them finds the error."""
        try:
            error = self._errors.pop()
        except IndexError:
            return
        report(f"a thread failed after it was abandoned: {in_words(error)}", error)

    def raise_error(self) -> None:
        error = self._errors.pop() if self._errors else None
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
    article = "an" if kind[0].lower() in "aeiou" else "a"
    raise TypeError(
        f"{function!r} is a plain function that returned {article} {kind}: make it `async def`, or bind "
        "arguments with functools.partial instead of a lambda"
    )
