"""The frame of the cases that look at a tree: it plays, and is looked at several times."""

from __future__ import annotations

import asyncio
import logging
import statistics
import time
from collections.abc import Callable
from typing import Any

from harness.case import given_size, report
from orchestra import Conductor, Context, Performance
from orchestra.web.console.console import Console

LOOKS = 7


def look(at: Callable[[Performance, Console], Any]) -> None:
    """Report the median CPU time of a look."""
    size = given_size(1000)
    logging.disable(logging.CRITICAL)
    report(asyncio.run(_looks(at, size)))


async def _looks(at: Callable[[Performance, Console], Any], size: int) -> float:
    async def idle(ctx: Context) -> None:
        await ctx.wait()

    # In groups of a hundred, as a tree is.
    names = [str(number) for number in range(100)]
    groups = {str(n): Conductor(dict.fromkeys(names, idle)) for n in range(size // 100)}
    ctx, console = Context(), Console()
    performance = Performance.over(ctx)
    with console.opened(performance):
        playing = asyncio.create_task(Conductor(groups).play(ctx))
        while not (performance.status().ready and len(list(performance.status().walk())) > size):
            await asyncio.sleep(0.01)
        times = []
        for _ in range(LOOKS):
            start = time.process_time()
            at(performance, console)
            times.append(time.process_time() - start)
        ctx.cancel()
        await playing
    return statistics.median(times)
