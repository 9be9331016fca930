"""A program to be seen and steered: `shop.py NAME [page]`."""

import asyncio
import logging
import sys
from pathlib import Path

from orchestra import Conductor, ConstantBackoff, StatusPlayer, replicate, restarting, run

log = logging.getLogger("shop")


async def mailer(ctx):
    log.info("mailer takes its place")
    while await ctx.sleep(60):
        pass


async def moody(ctx):
    """Fails, over and over, until somebody writes the file `well`."""
    if not Path("well").exists():
        raise RuntimeError("not well")
    await ctx.wait()


class Late:
    """Is ready when somebody has written the file `here`."""

    signals_ready = True

    async def play(self, ctx):
        while not Path("here").exists():
            if not await ctx.sleep(0.02):
                return
        ctx.ready()
        await ctx.wait()


async def slow(ctx):
    await ctx.wait()
    await asyncio.sleep(0.5)


async def once():
    log.warning("once and for all")


async def copy(ctx):
    await ctx.wait()


async def console(ctx):
    log.info("console \033[31mopens\033[0m\na second line")
    await ctx.wait()


async def fails(ctx):
    log.info("fails goes on for a while")
    await asyncio.sleep(0.01)
    raise ValueError("no luck")


def conductor(name, port=None):
    return Conductor(
        {
            "jobs": Conductor({"mailer": mailer, "slow": slow, "once": once}),
            "web": replicate(copy, 2),
            "console": console,
            "late": Late(),
            "moody": restarting(moody, ConstantBackoff(0.05)),
            "status": StatusPlayer(name=name, port=port),
        },
        idle={"console", "late", "moody"},
        stop_when="never",
    )


if __name__ == "__main__":
    logging.basicConfig(level=logging.INFO, stream=sys.stdout)
    run(conductor(sys.argv[1], 0 if "page" in sys.argv else None))
