"""How the threads of granian have the loop handle requests."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Coroutine
from contextvars import Context
from typing import Any

from granian import _granian

CallbackScheduler: Any = _granian.CallbackScheduler  # without types

Handle = Callable[[Any], Coroutine[Any, Any, None]]


def calls(handle: Handle) -> Any:
    """Granian's scheduler, that has each request handled in a task of its own.

    By itself it wakes the loop for each of them, which takes as long as to answer one. This one wakes it
    for all that come until it has woken up.
    """
    loop = asyncio.get_running_loop()
    # The rest it needs only where it takes the steps of the handlers itself.
    scheduler = CallbackScheduler(loop, handle, None, None, None)
    scheduler._schedule_fn = _schedule(loop, handle, scheduler._ctx)
    return scheduler


def _schedule(
    loop: asyncio.AbstractEventLoop, handle: Handle, context: Context
) -> Callable[[Any], None]:
    """What granian's threads call with a request."""
    waiting: deque[Any] = deque()
    woken = False

    def begin() -> None:
        nonlocal woken
        # Before it looks, so that a request which comes meanwhile wakes it again.
        woken = False
        while waiting:
            request = waiting.popleft()
            request.taskref(loop.create_task(handle(request)))

    def schedule(request: Any) -> None:
        nonlocal woken
        waiting.append(request)
        if not woken:
            woken = True
            loop.call_soon_threadsafe(begin, context=context)

    return schedule
