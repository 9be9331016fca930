"""orchestra, logging off."""

import asyncio

from harness.idle import Crew, main
from orchestra import Conductor, Context


async def job(crew: Crew) -> None:
    """Build a conductor, play it, and cancel its context."""

    async def idle(ctx: Context) -> None:
        crew.started += 1
        await ctx.wait()
        crew.ended += 1

    conductor = Conductor({str(i): idle for i in range(crew.size)})
    ctx = Context()
    playing = asyncio.create_task(conductor.play(ctx))
    await crew.assembled()
    ctx.cancel()
    await playing


if __name__ == "__main__":
    main(job)
