"""A loop for one performance, and the end of both."""

from __future__ import annotations

import asyncio
import concurrent.futures
import threading
import time
from collections.abc import Callable, Iterable
from contextlib import AbstractAsyncContextManager
from typing import Any, Final, TypeVar

from ._root import Root
from .performance import Performance

T = TypeVar("T")
LoopFactory = Callable[[], asyncio.AbstractEventLoop]
Around = Callable[[Performance], AbstractAsyncContextManager[object]]

LEAST_GRACE: Final = 0.1
"""Seconds that what is left has to end in, whatever the player's time is."""


class OwnLoop:
    """A loop for one performance, and its end, which is bounded where `asyncio.run` waits."""

    def __init__(self, factory: LoopFactory | None) -> None:
        self.ended_by: BaseException | None = None  # what ended the loop before its time
        self._grace = LEAST_GRACE
        self._loop = _made_by(asyncio.new_event_loop if factory is None else factory)
        # Ours, so that its threads can be left behind; the loop's own would be waited for.
        self._executor = concurrent.futures.ThreadPoolExecutor(thread_name_prefix="asyncio")
        self._loop.set_default_executor(self._executor)
        asyncio.set_event_loop(self._loop)

    def call(self, function: Callable[[], T]) -> T:
        """Call a function that needs a running loop."""

        async def calling() -> T:
            return function()

        return self._loop.run_until_complete(calling())

    def when_ready(self, root: Root, function: Callable[[], object]) -> None:
        """Call a function once the player is ready or over."""
        ready = self._loop.create_task(root.until_ready(), name="orchestra ready")
        ready.add_done_callback(lambda _: function())

    def play(self, root: Root, around: Around | None = None) -> Exception | None:
        """Play to the end, inside of what is `around` it; what went wrong."""
        self._grace = max(root.grace, LEAST_GRACE)
        whole = root.play() if around is None else _within(around, root)
        playing: asyncio.Task[Any] = self._loop.create_task(whole, name="orchestra root")
        self._finish(playing)
        if not playing.done():
            # Somebody's task or callback ends the loop, or a Ctrl-C that is not ours to handle.
            root.stop(f"the loop was ended by {type(self.ended_by).__name__}")
            self._finish(playing)
        if not playing.done():
            self._loop.call_soon(root.cut_off)  # while `close` waits for what is left
        failure: Exception | None = _failure_of(playing)
        return failure

    def close(self) -> None:
        """Cancel what is left, wait for it a while, and close the loop."""
        try:
            self._cancel_tasks()
            self._give_time({self._loop.create_task(self._loop.shutdown_asyncgens())})
            self._executor.shutdown(wait=False, cancel_futures=True)
            limit = time.monotonic() + self._grace
            self._finish(self._loop.create_task(_until_ended(self._executor._threads, limit)))
        finally:
            asyncio.set_event_loop(None)
            self._loop.close()

    def _cancel_tasks(self) -> None:
        tasks = asyncio.all_tasks(self._loop)
        for task in tasks:
            task.cancel()
        self._give_time(tasks)
        for task in tasks:
            failure = _failure_of(task)
            if failure is not None:
                self._loop.call_exception_handler(
                    {
                        "message": "a task that no player waited for has failed at the end",
                        "exception": failure,
                        "task": task,
                    }
                )

    def _give_time(self, tasks: set[asyncio.Task[Any]]) -> None:
        if tasks:
            waiting = self._loop.create_task(asyncio.wait(tasks, timeout=self._grace))
            self._finish(waiting)
            for task in (waiting, *tasks):
                # What is left has been named as abandoned, and must not be told of once more.
                task._log_destroy_pending = False  # type: ignore[attr-defined]

    def _finish(self, task: asyncio.Task[Any]) -> None:
        """Run until a task is done, or something else ends the loop."""
        try:
            self._loop.run_until_complete(task)
        except BaseException as error:
            if error is not _failure_of(task) and self.ended_by is None:
                self.ended_by = error


def _made_by(factory: Any) -> asyncio.AbstractEventLoop:
    loop = factory() if callable(factory) else None
    if not isinstance(loop, asyncio.AbstractEventLoop):
        raise TypeError(
            f"loop_factory makes an event loop, as uvloop.new_event_loop does, not {factory!r}"
        )
    return loop


async def _within(around: Around, root: Root) -> None:
    async with around(root.performance):
        await root.play()


def _failure_of(task: asyncio.Task[Any]) -> Any:
    return task.exception() if task.done() and not task.cancelled() else None


async def _until_ended(threads: Iterable[threading.Thread], limit: float) -> None:
    # In the loop, so that it does not look as if it were blocked.
    # There is no event for the end of a thread.
    while time.monotonic() < limit and any(one.is_alive() for one in list(threads)):  # noqa: ASYNC110
        await asyncio.sleep(0.001)
