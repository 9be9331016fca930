"""Gets signals before there is a loop: as many as given, and is then stuck if asked for it."""

import asyncio
import os
import signal
import sys
import time

from orchestra import Context, run


def loop_factory() -> asyncio.AbstractEventLoop:
    for _ in range(int(sys.argv[1])):
        os.kill(os.getpid(), signal.SIGTERM)
    if "stuck" in sys.argv:
        time.sleep(3600)
    return asyncio.new_event_loop()


async def worker(ctx: Context) -> None:
    await ctx.wait()


run(worker, loop_factory=loop_factory)
print("after")
