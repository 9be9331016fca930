"""The frame of the restart cases: a function that fails at once, so many times, against the clock."""

from __future__ import annotations

import asyncio
import gc
import logging
import time
from collections.abc import Awaitable, Callable

from harness.case import given_size, report


class Flaky:
    """A function of one argument that raises so many times, and then returns."""

    __slots__ = ("failures", "runs")

    def __init__(self, failures: int) -> None:
        self.failures = failures
        self.runs = 0

    async def fail(self, _: object) -> None:
        """Raise at once, until it was enough."""
        self.runs += 1
        if self.runs <= self.failures:
            raise ConnectionError("no connection")


Job = Callable[[Flaky], Awaitable[None]]


def main(job: Job) -> None:
    """Run a job until its function has failed so often, and report the restarts per second."""
    size = given_size(10_000)
    logging.disable(logging.CRITICAL)
    flaky = Flaky(size)
    with asyncio.Runner() as runner:
        runner.get_loop()
        gc.collect()
        seconds = runner.run(_timed(job, flaky))
    if flaky.runs != size + 1:
        raise AssertionError(f"{flaky.runs} runs instead of {size + 1}")
    report(size / seconds)


async def _timed(job: Job, flaky: Flaky) -> float:
    """Return the seconds that the job took."""
    start = time.perf_counter()
    await job(flaky)
    return time.perf_counter() - start
