"""Time, replaceable: all of it comes from the event loop, so a virtual loop makes it virtual.

Seconds count by `loop.time()`. What a loop cannot know by itself is here: the time of day, threads
that wait, and threads that are at work while the loop is idle. A loop with virtual time
(`orchestra.testing.VirtualLoop`) has methods of its own for these.
"""

from __future__ import annotations

import asyncio
import math
import time
from contextlib import AbstractContextManager, nullcontext
from threading import TIMEOUT_MAX
from typing import Any, Protocol, SupportsFloat, cast

Loop = asyncio.AbstractEventLoop


class Lock(Protocol):
    """What is used here of a `_thread.lock`: one thread takes it, another gives it back."""

    def acquire(self, blocking: bool = True, timeout: float = -1) -> bool: ...
    def release(self) -> None: ...


def wall_time(loop: Loop | None) -> float:
    """The time of day, in seconds since 1970, as this loop's world has it."""
    of_loop = getattr(loop, "wall_time", None)
    return time.time() if of_loop is None else cast(float, of_loop())


def outside_work(loop: Loop) -> AbstractContextManager[Any]:
    """While a thread is in this, the loop's time is not jumped over; from any thread."""
    of_loop = getattr(loop, "outside_work", None)
    return nullcontext() if of_loop is None else of_loop()


def acquire(loop: Loop | None, lock: Lock, timeout: float) -> bool:
    """Wait in a thread for a lock, at most `timeout` seconds of the loop's time."""
    of_loop = getattr(loop, "acquire_lock", None)
    if of_loop is not None:
        return cast(bool, of_loop(lock, None if timeout == math.inf else timeout))
    return lock.acquire(timeout=-1 if timeout == math.inf else min(timeout, TIMEOUT_MAX))


def release(loop: Loop | None, lock: Lock) -> None:
    """Let the thread go on that waits for this lock; from any thread or signal handler."""
    of_loop = getattr(loop, "release_lock", None)
    if of_loop is None:
        lock.release()
    else:
        of_loop(lock)


def seconds(name: str, value: object, *, infinite: bool = False) -> float:
    """The value as a number of seconds from 0 on, or the `ValueError` that says why it is none."""
    number = as_number(value)
    if 0 <= number < math.inf or (infinite and number == math.inf):
        return number
    raise ValueError(f"{name} must be a number of seconds, 0 or more, not {value!r}")


def as_number(value: object) -> float:
    """The value as a float; NaN for all that is no number, and what is too large for one."""
    kind = type(value)
    # Asked at each restart, and a protocol takes its time to answer.
    if kind is float or kind is int or (kind is not bool and isinstance(value, SupportsFloat)):
        try:
            return float(cast(SupportsFloat, value))
        except (ArithmeticError, TypeError, ValueError):
            pass
    return math.nan


def now(loop: Loop | None) -> float:
    """The seconds that deadlines count in; before there is a loop, those that most loops use."""
    # Some loops must not be asked any more once they are closed.
    if loop is None or (loop.is_closed() and not hasattr(loop, "wall_time")):
        return time.monotonic()
    return loop.time()
