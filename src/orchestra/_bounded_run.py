"""Runs coroutines in a loop of their own, and ends in bounded time whatever they leave behind."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

GRACE = 1.0
"""How many seconds what is left behind has to end in, by the time of the loop."""


@contextlib.contextmanager
def bounded_runner(
    loop_factory: Callable[[], asyncio.AbstractEventLoop],
) -> Iterator[asyncio.Runner]:
    """A runner whose tasks are cancelled at the end, and abandoned where they swallow that.

    `asyncio.Runner.close()` would wait for those, and for the threads of `to_thread`, for ever.
    """
    # It is never closed, and has nothing to close but the loop: it did not set the loop of a thread.
    runner = asyncio.Runner(loop_factory=loop_factory)
    loop = runner.get_loop()
    threads = ThreadPoolExecutor(thread_name_prefix="asyncio")
    loop.set_default_executor(threads)
    try:
        yield runner
    finally:
        try:
            runner.run(_wind_up(loop))
        finally:
            loop.close()
            _join(threads)


async def _wind_up(loop: asyncio.AbstractEventLoop) -> None:
    # Twice, since some tasks take the first cancellation for a request.
    for _ in range(2):
        left = await left_behind()
        for task in left:
            task.cancel()
        await _wait(left)
    await _wait({loop.create_task(loop.shutdown_asyncgens())})


async def left_behind() -> set[asyncio.Task[Any]]:
    """The other tasks of this loop that do not end by themselves while no time passes."""
    for _ in range(10):
        await asyncio.sleep(0)
    return asyncio.all_tasks() - {asyncio.current_task()}


async def _wait(tasks: set[asyncio.Task[Any]]) -> None:
    if tasks:
        _, left = await asyncio.wait(tasks, timeout=GRACE)
        for task in left:
            # It is given up, and must not be told of once more, at some time later.
            task._log_destroy_pending = False  # type: ignore[attr-defined]


def _join(threads: ThreadPoolExecutor) -> None:
    joining = threading.Thread(target=threads.shutdown, daemon=True)
    joining.start()
    joining.join(GRACE)
