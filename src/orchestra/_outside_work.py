"""What is at work outside of a virtual loop, and the threads that only wait for the loop's time.

A thread that waits through `Outside.acquire` is idle: time may jump to the end of its wait. It gets
idle in the loop's thread, once its timer is set, and is at work again before anything wakes it. So
time never jumps between the moment when a thread may go on and its next wait.
"""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Callable
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self, TypeVar

from ._clock import Lock

T = TypeVar("T")


class OutsideWork:
    """Work outside of the loop: it counts from the moment it is made until it ends.

    As a context manager it is the work of the thread that enters it, and it ends on leaving.
    """

    __slots__ = ("_ended", "_outside")

    def __init__(self, outside: Outside) -> None:
        self._outside = outside
        outside.at_work.add(self)
        outside.wake_loop()

    def end(self) -> None:
        """Count no longer; from any thread, and as often as you like."""
        self._outside.at_work.discard(self)
        self._outside.wake_loop()

    def run(self, function: Callable[[], T]) -> T:
        """Call the function as a part of this work, in this thread."""
        mine = self._outside.of_this_thread()
        mine.add(self)
        try:
            return function()
        finally:
            mine.discard(self)

    def __enter__(self) -> Self:
        self._outside.of_this_thread().add(self)
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._outside.of_this_thread().discard(self)
        self.end()


@dataclass(eq=False, slots=True)
class Waiting:
    """A thread that waits for a lock."""

    lock: Lock
    thread: str
    works: tuple[OutsideWork, ...]
    deadline: float | None  # by the loop's time
    idle: bool = False
    in_time: bool = True
    timer: asyncio.TimerHandle | threading.Timer | None = None

    def cancel_timer(self) -> None:
        if self.timer is not None:
            self.timer.cancel()


class Outside:
    """All that is at work outside of one loop."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        # Any thread changes these, and signal handlers too, which would find a lock taken. So there
        # is none: each change is one operation of the set.
        self.at_work: set[OutsideWork] = set()
        self._waiting: set[Waiting] = set()
        self._local = threading.local()

    def is_busy(self) -> bool:
        """Whether anything is at work; asked in the loop's thread."""
        # In this order. Were the waiting threads looked at first, one of them could be woken by a
        # thread that ends its own work just then, and neither would be seen.
        at_work = self.at_work.copy()
        idle = {work for waiting in self._waiting.copy() if waiting.idle for work in waiting.works}
        return not at_work <= idle

    def waiting_threads(self) -> list[str]:
        """The names of the threads that wait for a lock."""
        return sorted(waiting.thread for waiting in self._waiting.copy())

    def of_this_thread(self) -> set[OutsideWork]:
        """What the calling thread works at."""
        works: set[OutsideWork] = self._local.__dict__.setdefault("works", set())
        return works

    def wake_loop(self) -> None:
        """Let the loop look again at who is at work."""
        self._tell_loop(lambda: None)

    def _tell_loop(self, callback: Callable[..., object], *args: Any) -> bool:
        # A loop that is closed has nothing left to decide.
        with contextlib.suppress(RuntimeError):
            self._loop.call_soon_threadsafe(callback, *args)
            return True
        return False

    # Waiting

    def acquire(self, lock: Lock, timeout: float | None) -> bool:
        """Wait in a thread for the lock, at most `timeout` seconds of the loop's time."""
        if lock.acquire(blocking=False):
            return True
        if timeout is not None and timeout <= 0:
            return False
        if self._who_waits_for(lock) is not None:
            raise RuntimeError("another thread waits for this lock already")
        waiting = Waiting(
            lock=lock,
            thread=threading.current_thread().name,
            works=tuple(self.of_this_thread()),
            deadline=None if timeout is None else self._loop.time() + timeout,
        )
        self._waiting.add(waiting)
        if not self._tell_loop(self._gets_idle, waiting):
            self._claim(waiting)
            return lock.acquire(timeout=-1 if timeout is None else timeout)
        try:
            lock.acquire()
        finally:
            self._claim(waiting)
            if timeout is not None and not self._tell_loop(waiting.cancel_timer):
                waiting.cancel_timer()
        return waiting.in_time

    def release(self, lock: Lock) -> None:
        """Release the lock: whoever waits for it is at work from this moment on."""
        waiting = self._who_waits_for(lock)
        if waiting is not None:
            self._claim(waiting)
        # It is no longer locked where the time was over just before.
        with contextlib.suppress(RuntimeError):
            lock.release()

    def go_on_by_real_time(self) -> None:
        """Let the waits of those that still wait end without the loop, which is closed."""
        for waiting in self._waiting.copy():
            if waiting.deadline is not None:
                left = max(0.0, waiting.deadline - self._loop.time())
                waiting.timer = threading.Timer(left, self._time_is_over, (waiting,))
                waiting.timer.daemon = True
                waiting.timer.start()

    def _gets_idle(self, waiting: Waiting) -> None:
        if waiting.deadline is not None:
            waiting.timer = self._loop.call_at(waiting.deadline, self._time_is_over, waiting)
        waiting.idle = True

    def _time_is_over(self, waiting: Waiting) -> None:
        if self._claim(waiting):
            waiting.in_time = False
            with contextlib.suppress(RuntimeError):
                waiting.lock.release()

    def _who_waits_for(self, lock: Lock) -> Waiting | None:
        return next((one for one in self._waiting.copy() if one.lock is lock), None)

    def _claim(self, waiting: Waiting) -> bool:
        """Whoever takes the waiting thread out of the set decides how its wait has ended."""
        try:
            self._waiting.remove(waiting)
        except KeyError:
            return False
        return True
