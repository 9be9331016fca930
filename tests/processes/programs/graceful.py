"""Players that stop as soon as they are asked, in the loop given."""

import sys

import uvloop

from orchestra import Conductor, Context, run


async def worker(ctx: Context) -> None:
    print("ready", flush=True)
    await ctx.wait()
    print(f"asked: {ctx.reason}", flush=True)


run(
    Conductor({"worker": worker}),
    loop_factory=uvloop.new_event_loop if "uvloop" in sys.argv else None,
)
print("after")
