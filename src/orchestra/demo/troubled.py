"""Players with a trouble: one that fails now and then, and one that does not stop."""

from __future__ import annotations

import random
import time

from orchestra import Context


async def flaky(ctx: Context, *, lasts: float) -> None:
    """Hold out for about so many seconds and fail, as what depends on others does."""
    if await ctx.sleep(lasts * random.uniform(0.5, 1.5)):
        raise ConnectionError("the other side hung up")


def stuck(ctx: Context) -> None:
    """Work in a thread and never look whether `ctx` is done."""
    print_labels()


def print_labels() -> None:
    """Wait for a printer, for ever, as far as anybody here is concerned."""
    time.sleep(1_000_000)
