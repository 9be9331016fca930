"""The job of our own cases about idle players, of those that are watched too."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from harness.idle import Crew, main
from orchestra import Conductor, Context, Performance

Attach = Callable[[Performance], Any]


async def play(crew: Crew, ctx: Context) -> None:
    """Build a conductor, play it, and cancel its context."""

    async def idle(ctx: Context) -> None:
        crew.started += 1
        await ctx.wait()
        crew.ended += 1

    conductor = Conductor({str(i): idle for i in range(crew.size)})
    playing = asyncio.create_task(conductor.play(ctx))
    await crew.assembled()
    await asyncio.sleep(0)  # all are ready, which is an event too
    ctx.cancel()
    await playing


def watch(attach: Attach) -> None:
    """Measure the job with this attached to its tree."""

    async def job(crew: Crew) -> None:
        ctx = Context()
        detach = attach(Performance.over(ctx))
        await play(crew, ctx)
        detach()

    main(job)


def subscribe(observer: Callable[[Any], None]) -> Attach:
    """Attach an observer."""
    return lambda performance: performance.subscribe(observer)
