"""The players of random trees in real time, of every kind: light, since each process imports it."""

from __future__ import annotations

import asyncio
import math
import threading
import time
from dataclasses import dataclass

from orchestra import Context

EVER = math.inf

CODE = 7
"""The exit code of a command that fails."""


class Boom(Exception):
    """What players fail with; its text is the path."""


@dataclass(frozen=True)
class Part:
    """What a player does in each of its runs."""

    kind: str
    after: float = EVER  # seconds until it comes to an end by itself
    fails: bool = False  # which is then a failure
    stuck: bool = False  # asked to stop, it goes on
    restarts: int = 0


release = threading.Event()
"""Lets the threads go that are stuck, at the end."""


async def in_loop(part: Part, ctx: Context) -> None:
    if await ctx.sleep(part.after):
        _end(part, ctx)
    elif part.stuck:
        while not release.is_set():
            try:
                await asyncio.sleep(0.001)
            except asyncio.CancelledError:
                pass


def in_thread(part: Part, ctx: Context) -> None:
    if not ctx.wait_sync(part.after):
        _end(part, ctx)
    elif part.stuck:
        release.wait()


async def in_process(part: Part, ctx: Context) -> None:
    if await ctx.sleep(part.after):
        _end(part, ctx)
    elif part.stuck:
        time.sleep(3600)


def _end(part: Part, ctx: Context) -> None:
    if part.fails:
        raise Boom(ctx.path)


def as_command(part: Part) -> list[str]:
    seconds = 3600 if part.after == EVER else part.after
    code = CODE if part.fails else 0
    deaf = "trap '' TERM; " if part.stuck else ""
    return ["sh", "-c", f"{deaf}sleep {seconds}; exit {code}"]
