"""Hears of a terminal that is gone, if it is told to."""

import signal
import sys

from orchestra import Context, run


async def worker(ctx: Context) -> None:
    print("ready", flush=True)
    await ctx.wait()
    print(f"asked: {ctx.reason}", flush=True)


# As in a terminal, also where the tests run under nohup.
signal.signal(signal.SIGHUP, signal.SIG_DFL)
run(worker, signals=(signal.SIGHUP, signal.SIGTERM) if "heard" in sys.argv else (signal.SIGTERM,))
