"""Says whether it counts as ready, with an hour between the first signal and the stop."""

from orchestra import Conductor, Context, run


async def worker(ctx: Context) -> None:
    performance = ctx.performance
    assert performance is not None
    print("ready", flush=True)
    while performance.status().ready or not ctx.path:
        await ctx.sleep(0.005)
    print(f"draining, asked: {ctx.done()}", flush=True)
    await ctx.wait()
    print(f"asked: {ctx.reason}", flush=True)


run(Conductor({"worker": worker}), drain_delay=3600)
