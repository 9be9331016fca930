"""Code that knows nothing of contexts, cancelled when one is done: `interrupt`, `until_done`."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterable, AsyncIterator
from contextlib import AbstractAsyncContextManager
from types import TracebackType
from typing import TYPE_CHECKING, Any, Final, TypeVar, cast

from ._waiter import Woken

if TYPE_CHECKING:
    from .context import Context

T = TypeVar("T")

_NOTHING: Final = object()  # no item


class Interrupt(AbstractAsyncContextManager[None]):
    """`Context.interrupt`: told apart from cancellations by others as `asyncio.timeout` does it."""

    __slots__ = ("_before", "_context", "_fired", "_task", "loop")

    def __init__(self, context: Context) -> None:
        self._context = context

    async def __aenter__(self) -> None:
        self.loop = self._context.bind()
        self._task: asyncio.Task[Any] | None = asyncio.current_task()
        if self._task is None:
            raise RuntimeError("interrupt() is used inside of a task")
        self._before, self._fired = self._task.cancelling(), False
        self._context._add(self)
        if self._context.done():
            self.loop.call_soon(self.wake)

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> bool:
        task, self._task = self._task, None
        self._context._discard(self)
        if not self._fired or task is None:
            return False
        # With a cancellation from elsewhere on top, that one is still to be obeyed.
        return task.uncancel() <= self._before and isinstance(exc, asyncio.CancelledError)

    def end(self, woken: list[Woken]) -> None:
        woken.append(self)

    def wake(self) -> None:
        if self._task is not None and not self._fired:
            self._fired = True
            self._task.cancel()


async def until_done(context: Context, source: AsyncIterable[T]) -> AsyncGenerator[T, None]:
    """The items of `source` until the context is done, and then the source is closed."""
    iterator = aiter(source)
    close = getattr(iterator, "aclose", _leave_open)
    try:
        while (item := await _next(context, iterator)) is not _NOTHING:
            yield cast(T, item)
    finally:
        await close()


async def _leave_open() -> None:
    """The end of a source that can't be closed."""


async def _next(context: Context, iterator: AsyncIterator[T]) -> object:
    if not context.done():
        # Only around the waiting: what the consumer does with an item is not interrupted.
        async with context.interrupt():
            return await anext(iterator, _NOTHING)
    return _NOTHING
