"""Has nowhere to print to, and something to tell: a player that is stuck, and then a blocked loop."""

import asyncio
import sys
import time

from orchestra import Conductor, ConductorError, Context, run

if "none" in sys.argv:
    sys.stderr = None  # type: ignore[assignment]  # as where a program was started without one


async def worker(ctx: Context) -> None:
    print("ready", flush=True)
    await ctx.wait()
    await asyncio.sleep(3600)


async def blocker(ctx: Context) -> None:
    print("again", flush=True)
    if "none" in sys.argv:
        sys.stdout = None  # type: ignore[assignment]
    time.sleep(3600)


try:
    run(Conductor({"worker": worker}, timeout=0.1))
except ConductorError as error:
    print(error.message, flush=True)
run(blocker, timeout=0.1)
