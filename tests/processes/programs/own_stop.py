"""A stop that no signal began, with the loop blocked for good."""

import asyncio
import sys
import threading
import time

from orchestra import Conductor, Context, run

begun = asyncio.Event()


async def failing(ctx: Context) -> None:
    await asyncio.sleep(0)
    # The blocker has its turn before any other can see the failure.
    begun.set()
    raise ConnectionError("the queue is away")


async def blocker(ctx: Context) -> None:
    assert ctx.performance is not None
    if "unheard" in sys.argv:
        await begun.wait()
    elif "failure" in sys.argv:
        await ctx.wait()
    elif "stop" in sys.argv:
        ctx.performance.stop("enough")
    elif "thread" in sys.argv:
        threading.Thread(target=ctx.performance.stop, args=("enough",), daemon=True).start()
    print("blocked", flush=True)
    time.sleep(3600)


players = {"failing": failing} if "failure" in sys.argv else {}
run(Conductor({"blocker": blocker, **players}, timeout=0.1))
