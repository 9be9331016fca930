"""An event loop whose time jumps to the next timer whenever nothing else can happen."""

from __future__ import annotations

import asyncio
import itertools
import math
import selectors
from collections.abc import Callable, Iterable
from concurrent.futures import Executor, ThreadPoolExecutor
from contextvars import Context
from functools import partial
from textwrap import indent
from time import monotonic
from typing import Any, Self, TypeVar, TypeVarTuple, cast

from . import _stack
from ._clock import Lock
from ._outside_work import Outside, OutsideWork

T = TypeVar("T")
Ts = TypeVarTuple("Ts")
ProtocolT = TypeVar("ProtocolT", bound=asyncio.BaseProtocol)

Events = list[tuple[selectors.SelectorKey, int]]

EPOCH = 946_684_800.0
"""The time of day at which virtual time begins: 2000-01-01 00:00:00 UTC, in seconds since 1970."""

TOLERANCE = 1e-9
"""Timers that are this many seconds apart fire together; asyncio has it of the real clock."""

BUSY_PASSES = 100_000
"""After so many passes with never a moment to wait, a task polls for something: time goes on."""


class VirtualLoop(asyncio.SelectorEventLoop):
    """An event loop in which an hour passes in microseconds, and always in the same way.

    Its time starts at 0.0, and jumps to the next timer when nothing is ready and nothing outside of
    the loop is at work; else it stands still. While something outside is at work, time passes at its
    real pace. That is a call in an executor, a child process, a socket or pipe that the loop watches,
    or what `outside_work` has announced; and a task that polls with `sleep(0)` for long. Timers that
    are due at the same time fire in the order in which they were set.

    Where no task can ever go on, the loop waits `patience` real seconds for a thread or a signal
    that nobody has announced, and then raises a `RuntimeError` that names the tasks and the lines
    they wait at.

    `time.time` and its like remain real. All times are in seconds.

    >>> async def nap():
    ...     await asyncio.sleep(3600)
    ...     return asyncio.get_running_loop().time()
    >>> with asyncio.Runner(loop_factory=VirtualLoop) as runner:
    ...     runner.run(nap())
    3600.0
    """

    _scheduled: list[asyncio.TimerHandle]  # asyncio's heap of timers
    _default_executor: ThreadPoolExecutor | None

    def __init__(self, *, patience: float = 5.0) -> None:
        self._patience = patience
        # The time, and since when it passes at its real pace. One tuple, since threads read it.
        self._now: tuple[float, float | None] = (0.0, None)
        self._numbers = itertools.count()
        self._busy_passes = 0
        self._outside = Outside(self)
        self._processes: set[asyncio.SubprocessTransport] = set()
        self._files = _Selector(self._wait)
        super().__init__(self._files)
        self._own_files = len(self._files.get_map())
        self._clock_resolution = TOLERANCE  # asyncio's name

    # Time

    def time(self) -> float:
        """Seconds of virtual time since the loop was made. From any thread."""
        now, since = self._now
        return now if since is None else now + (monotonic() - since)

    def wall_time(self) -> float:
        """The time of day that fits, in seconds since 1970; it starts in 2000. From any thread."""
        return EPOCH + self.time()

    def call_at(
        self,
        when: float,
        callback: Callable[[*Ts], object],
        *args: *Ts,
        context: Context | None = None,
    ) -> asyncio.TimerHandle:
        """As in any loop, and timers for the same time keep their order."""
        moment = _Moment(when, next(self._numbers))
        return super().call_at(moment, callback, *args, context=context)

    # What is at work outside

    def outside_work(self) -> OutsideWork:
        """Announce work outside of the loop: time passes at its real pace until it ends.

        It counts from this call until its `end()`. As a context manager, entered in the thread that
        does the work, it ends on leaving, and the thread's waits in `acquire_lock` do not count. So
        that no moment is missed, a thread is announced before it starts. From any thread.

        >>> import threading
        >>> async def main():
        ...     work = asyncio.get_running_loop().outside_work()
        ...     def body():
        ...         with work:
        ...             print("time passes at its real pace")
        ...     threading.Thread(target=body).start()
        ...     await asyncio.sleep(3600)
        >>> with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        ...     runner.run(main())
        time passes at its real pace
        """
        if asyncio._get_running_loop() is self:
            # Now, and not only in the next pass: the work may be half done by then.
            self._let_time_pass()
        return OutsideWork(self._outside)

    def acquire_lock(self, lock: Lock, timeout: float | None = None) -> bool:
        """Wait in a thread for a lock, at most `timeout` seconds of this loop's time.

        True with the lock, False when the time was over. While it waits, the thread does not count
        as outside work. The lock is released by `release_lock`. After the loop was closed, real time
        counts. Raises `RuntimeError` in the thread of a running loop, and where another thread waits
        for the lock already.
        """
        if asyncio._get_running_loop() is not None:
            raise RuntimeError("acquire_lock would block the running loop")
        return self._outside.acquire(lock, timeout)

    def release_lock(self, lock: Lock) -> None:
        """Release a lock that a thread waits for in `acquire_lock`.

        The thread counts as at work again from this moment on, not only once it has noticed. Never
        blocks or raises. From any thread, and from a signal handler.
        """
        self._outside.release(lock)

    def run_in_executor(
        self, executor: Executor | None, func: Callable[[*Ts], T], *args: *Ts
    ) -> asyncio.Future[T]:
        """As in any loop; it is outside work until the function has returned."""
        if executor is None:
            executor = self._threads()
        function = partial(func, *args)
        work = self.outside_work()
        if isinstance(executor, ThreadPoolExecutor):
            # So that it counts as idle where it waits in `acquire_lock`.
            function = partial(work.run, function)
        try:
            call = executor.submit(function)
        except BaseException:
            work.end()
            raise
        future = asyncio.wrap_future(call, loop=self)
        # After that line, so that the loop has the result before the work ends. And not at the end
        # of the future, which may be cancelled while the function still runs.
        call.add_done_callback(lambda _: work.end())
        return future

    def _threads(self) -> ThreadPoolExecutor:
        if self._default_executor is None:
            self.set_default_executor(ThreadPoolExecutor(thread_name_prefix="asyncio"))
        return cast(ThreadPoolExecutor, self._default_executor)

    async def shutdown_default_executor(self, *args: Any, **kwargs: Any) -> None:
        """As in any loop; it is outside work."""
        with self.outside_work():
            await super().shutdown_default_executor(*args, **kwargs)

    async def subprocess_exec(
        self, protocol_factory: Callable[[], ProtocolT], *args: Any, **kwargs: Any
    ) -> tuple[asyncio.SubprocessTransport, ProtocolT]:
        """As in any loop; the process is outside work until it has ended."""
        with self.outside_work():
            started = await super().subprocess_exec(protocol_factory, *args, **kwargs)
            self._processes.add(started[0])
        return started

    async def subprocess_shell(
        self, protocol_factory: Callable[[], ProtocolT], *args: Any, **kwargs: Any
    ) -> tuple[asyncio.SubprocessTransport, ProtocolT]:
        """As in any loop; the process is outside work until it has ended."""
        with self.outside_work():
            started = await super().subprocess_shell(protocol_factory, *args, **kwargs)
            self._processes.add(started[0])
        return started

    def close(self) -> None:
        """As in any loop; threads in `acquire_lock` go on by real time."""
        super().close()
        self._outside.go_on_by_real_time()

    # Waiting for the next thing to happen

    def _wait(self, select: Callable[[float | None], Events], timeout: float | None) -> Events:
        """What the selector does for asyncio: wait for events, at most until the next timer."""
        self._busy_passes = self._busy_passes + 1 if timeout == 0 else 0
        if self._is_busy():
            self._let_time_pass()
            return select(timeout)
        self._stop_time()
        # After it was asked who is at work: who is no longer has left its result for the loop.
        events = select(0)
        if events or timeout == 0:
            return events
        if self._scheduled and self._scheduled[0].when() < math.inf:
            self._jump(self._scheduled[0].when())
            return []
        return self._wait_in_vain(select)

    def _is_busy(self) -> bool:
        return (
            self._outside.is_busy()
            or self._has_processes()
            or len(self._files.get_map()) > self._own_files
            or self._busy_passes > BUSY_PASSES
        )

    def _has_processes(self) -> bool:
        self._processes -= {one for one in self._processes if one.get_returncode() is not None}
        return bool(self._processes)

    def _let_time_pass(self) -> None:
        now, since = self._now
        if since is None:
            self._now = (now, monotonic())

    def _stop_time(self) -> None:
        self._now = (self.time(), None)

    def _jump(self, when: float) -> None:
        self._now = (max(when, self.time()), None)
        # Far from zero, floats lie further apart than the tolerance, which would be lost.
        self._clock_resolution = max(TOLERANCE, math.ulp(when))

    def _wait_in_vain(self, select: Callable[[float | None], Events]) -> Events:
        events = select(self._patience)
        if events:
            return events
        lines = [
            *describe(asyncio.all_tasks(self)),
            *(f"thread {name} waits for a lock" for name in self._outside.waiting_threads()),
        ]
        raise RuntimeError(
            "every task waits for something that cannot happen: no timer is set, and nothing "
            "outside of the loop is at work (what is, announces itself with `loop.outside_work()`)"
            + "".join(f"\n  {line}" for line in lines)
        )


def describe(tasks: Iterable[asyncio.Task[Any]]) -> list[str]:
    """The name of each task, and the lines of code that it waits at, the innermost last."""
    return sorted(
        indent(f"{task.get_name()} waits\n{_stack.of_task(task)}", "    ").strip() for task in tasks
    )


class _Selector(selectors.DefaultSelector):
    """A selector that leaves it to the loop how long to wait."""

    def __init__(
        self, wait: Callable[[Callable[[float | None], Events], float | None], Events]
    ) -> None:
        super().__init__()
        self._wait = wait

    def select(self, timeout: float | None = None) -> Events:
        return self._wait(super().select, timeout)


class _Moment(float):
    """When a timer is due. Those that are due at the same time keep their order."""

    __slots__ = ("_order",)

    _order: tuple[float, int]

    def __new__(cls, when: float, number: int) -> Self:
        moment = super().__new__(cls, when)
        # Sums of the same length may differ by a rounding: 0.1 + 0.7 is less than 0.8.
        moment._order = (round(when, 9), number)
        return moment

    def __reduce__(self) -> tuple[type[float], tuple[float]]:
        return float, (float(self),)  # in an error that is copied, say, it is a time as any

    def __lt__(self, other: float) -> bool:
        return self._order < other._order if isinstance(other, _Moment) else super().__lt__(other)
