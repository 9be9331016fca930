"""The frame of the idle cases: the same job, the same clock and the same checks for all of them.

The job: start N long-running things that wait for the stop, be sure that all have started, ask
them to stop, wait until all have ended.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import logging
import sys
import time
import tracemalloc
from collections.abc import Awaitable, Callable, Coroutine
from contextlib import AbstractAsyncContextManager
from typing import Any, Protocol

from harness.case import report

try:
    import resource
except ImportError:  # Windows
    resource = None  # type: ignore[assignment]


class Crew:
    """The count of idle things that have started and ended in one run."""

    __slots__ = ("ended", "ended_early", "size", "started")

    def __init__(self, size: int) -> None:
        self.size = size
        self.started = 0
        self.ended = 0
        self.ended_early: int | None = None

    async def assembled(self) -> None:
        """Return when everything in the crew has started."""
        while self.started < self.size:
            await asyncio.sleep(0)
        self.ended_early = self.ended

    def check(self) -> None:
        """Fail unless all started, none ended before the stop, and all ended after it."""
        seen = (self.started, self.ended_early, self.ended)
        if seen != (self.size, 0, self.size):
            raise AssertionError(f"started, ended early, ended: {seen}; size: {self.size}")


Job = Callable[[Crew], Awaitable[None]]


class Group(Protocol):
    """What makes tasks, as `asyncio.TaskGroup` does."""

    def create_task(self, coroutine: Coroutine[Any, Any, None], /) -> object:
        """Start a task."""


def in_group(make: Callable[[], AbstractAsyncContextManager[Group]]) -> Job:
    """The job of a group that has no graceful stop: its tasks wait for one `asyncio.Event`."""

    async def job(crew: Crew) -> None:
        stop = asyncio.Event()

        async def idle() -> None:
            crew.started += 1
            await stop.wait()
            crew.ended += 1

        async with make() as group:
            for _ in range(crew.size):
                group.create_task(idle())
            await crew.assembled()
            stop.set()

    return job


def main(job: Job, *, quiet: bool = True) -> None:
    """Run a job as the command line says, check that it was done, and report the measurement."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--size", type=int, default=1000)
    parser.add_argument("--measure", choices=("time", "memory"), default="time")
    args = parser.parse_args()
    if quiet:
        logging.disable(logging.CRITICAL)
    crew = Crew(args.size)
    with asyncio.Runner() as runner:
        runner.run(_timed(job, Crew(1)))  # what a library imports only when used, is imported here
        if args.measure == "time":
            _report_time(runner, job, crew)
        else:
            _report_memory(runner, job, crew)


def _report_time(runner: asyncio.Runner, job: Job, crew: Crew) -> None:
    """Report the seconds that the job took, and how much the process grew per thing started."""
    gc.collect()
    resident = _peak_resident()
    seconds = runner.run(_timed(job, crew))
    if resident is None:
        report(seconds)
    else:
        grown = (_peak_resident() or resident) - resident
        report(seconds, rss_bytes_each=grown / crew.size)


def _report_memory(runner: asyncio.Runner, job: Job, crew: Crew) -> None:
    """Report the peak of the memory that Python allocated during the job, per thing started."""
    gc.collect()
    tracemalloc.start()
    before, _ = tracemalloc.get_traced_memory()
    runner.run(_timed(job, crew))
    _, peak = tracemalloc.get_traced_memory()
    report((peak - before) / crew.size)


async def _timed(job: Job, crew: Crew) -> float:
    """Return the seconds that the job took; all checks are outside of that time."""
    start = time.perf_counter()
    await job(crew)
    seconds = time.perf_counter() - start
    crew.check()
    await _check_no_task_left()
    return seconds


async def _check_no_task_left() -> None:
    """Fail if tasks of the job are still there a few turns of the loop later."""
    for _ in range(3):
        await asyncio.sleep(0)
    left = len(asyncio.all_tasks()) - 1
    if left:
        raise AssertionError(f"{left} tasks were left behind")


def _peak_resident() -> int | None:
    """Return the largest resident size of this process so far in bytes, where that is known."""
    if resource is None:
        return None
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024
