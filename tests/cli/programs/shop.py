"""What is played by the tests of `orchestra play`."""

import asyncio
import logging
import os
import time

from orchestra import Conductor, replicate

log = logging.getLogger("shop")


async def works(ctx):
    log.info("at work")
    await ctx.wait()


async def fails(ctx):
    await ctx.sleep(0.05)
    raise ConnectionError("the queue is away")


async def is_stuck(ctx):
    print("stuck plays", flush=True)
    await ctx.wait()
    while True:
        try:
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            return


async def blocks(ctx):
    print("nobody else gets a turn", flush=True)
    time.sleep(60)


async def ends(ctx):
    print("level", os.environ.get("LEVEL"), flush=True)


async def tells_its_loop(ctx):
    print(type(asyncio.get_running_loop()).__module__, flush=True)


conductor = Conductor({"works": works, "others": replicate(works, 1)})
failing = Conductor({"works": works, "jobs": Conductor({"fails": fails})})
stuck = Conductor({"stuck": is_stuck, "works": works}, timeout=20)
late = Conductor({"stuck": is_stuck}, timeout=0.2)
blocking = Conductor({"blocks": blocks}, timeout=0.3)
both = Conductor({"fails": fails, "stuck": is_stuck}, timeout=0.3)


def make() -> Conductor:
    return Conductor({"ends": ends})
