"""A player that swallows every cancellation; it has the seconds given to stop."""

import asyncio
import sys

from orchestra import Conductor, Context, run


async def worker(ctx: Context) -> None:
    print("ready", flush=True)
    await ctx.wait()
    print("asked", flush=True)
    while True:
        try:
            await asyncio.sleep(3600)
        except asyncio.CancelledError:
            print("cut off", flush=True)


run(Conductor({"group": Conductor({"worker": worker})}, timeout=float(sys.argv[1])))
