"""A player that takes an hour to stop, and is given the time; `drain`: seconds of a delay before."""

import asyncio
import sys

from orchestra import Conductor, Context, run


async def worker(ctx: Context) -> None:
    print("ready", flush=True)
    await ctx.wait()
    print(f"asked: {ctx.reason}", flush=True)
    try:
        await asyncio.sleep(3600)
    except asyncio.CancelledError:
        print("cut off", flush=True)
        raise


drain = float(sys.argv[1]) if len(sys.argv) > 1 else 0.0
run(
    Conductor({"group": Conductor({"worker": worker}, timeout=3000)}, timeout=4000),
    drain_delay=drain,
)
