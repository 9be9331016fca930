"""A player that is asked to stop before it is ready."""

from orchestra import Context, run


class Slow:
    signals_ready = True

    async def play(self, ctx: Context) -> None:
        print("starting", flush=True)
        await ctx.wait()
        print(f"asked: {ctx.reason}", flush=True)


run(Slow())
print("after")
