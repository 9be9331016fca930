"""A stop that no signal began, with the loop blocked for good."""

import sys
import threading
import time

from orchestra import Conductor, Context, run


async def failing(ctx: Context) -> None:
    raise ConnectionError("the queue is away")


async def blocker(ctx: Context) -> None:
    assert ctx.performance is not None
    match sys.argv[1]:
        case "failure":
            await ctx.wait()
        case "stop":
            ctx.performance.stop("enough")
        case "thread":
            threading.Thread(target=ctx.performance.stop, args=("enough",), daemon=True).start()
    time.sleep(3600)


players = {"failing": failing} if "failure" in sys.argv else {}
run(Conductor({"blocker": blocker, **players}, timeout=0.1))
