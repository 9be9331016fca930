"""The frame of the watched cases: players that start and stop while an observer sees it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from harness.idle import Crew, main
from orchestra import Conductor, Context, Performance

Attach = Callable[[Performance], Any]


def watch(attach: Attach) -> None:
    """Measure the start and the stop of idle players, with this attached to their tree."""

    async def job(crew: Crew) -> None:
        async def idle(ctx: Context) -> None:
            crew.started += 1
            await ctx.wait()
            crew.ended += 1

        conductor = Conductor({str(i): idle for i in range(crew.size)})
        ctx = Context()
        detach = attach(Performance.over(ctx))
        playing = asyncio.create_task(conductor.play(ctx))
        await crew.assembled()
        await asyncio.sleep(0)  # all are ready, which is an event too
        ctx.cancel()
        await playing
        detach()

    main(job)


def subscribe(observer: Callable[[Any], None]) -> Attach:
    """Attach an observer."""
    return lambda performance: performance.subscribe(observer)
