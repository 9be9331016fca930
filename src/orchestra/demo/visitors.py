"""Visitors: real requests, for a demo that drives itself."""

from __future__ import annotations

import asyncio
import itertools
import os
import signal

import httpx

from orchestra import Context

VISITORS = 8
PAUSE = 0.1
"""Seconds between two visits of one of them. Together they bring more than the worker can do."""


class Visitors:
    """Send jobs for some `seconds`, then the signal that stops the program; and go on sending.

    They only end when nobody answers any more: that is how we know that no accepted job is lost.
    """

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self.receipts: list[int] = []  # the numbers of the jobs that were accepted
        self.turned_away = 0
        self.under_way = 0
        self.under_way_at_stop = 0

    async def play(self, ctx: Context) -> None:
        """Visit until the service is gone; it stops at the same time as this is asked to."""
        address = await self.find_address(ctx)
        # Not by a proxy that the environment may name.
        async with (
            httpx.AsyncClient(base_url=address, trust_env=False) as client,
            asyncio.TaskGroup() as visits,
        ):
            for _ in range(VISITORS):
                visits.create_task(self.visit(ctx, client))
            visits.create_task(self.stop_the_program(ctx))

    async def find_address(self, ctx: Context) -> str:
        """Where the API is served, once it is."""
        assert ctx.performance is not None, "we are played"
        while await ctx.sleep(0.01):
            match ctx.performance.status().find("web").details:
                case {"addresses": [address, *_]}:
                    return str(address)
        return ""

    async def visit(self, ctx: Context, client: httpx.AsyncClient) -> None:
        """One visitor: a job, a look at it, a pause, and again."""
        for number in itertools.count():
            try:
                self.under_way += 1
                answer = await client.post("/jobs", content=f"visit {number}")
                if answer.status_code == httpx.codes.ACCEPTED:
                    self.receipts.append(answer.json()["id"])
                    await client.get(answer.headers["Location"])
                else:
                    self.turned_away += 1
            except httpx.TransportError:
                if not ctx.done():
                    raise
                return  # the service has closed, as it should
            finally:
                self.under_way -= 1
            await ctx.sleep(PAUSE)

    async def stop_the_program(self, ctx: Context) -> None:
        """Send the signal that a service manager sends, in the middle of the work."""
        if await ctx.sleep(self.seconds):
            while not self.under_way and await ctx.sleep(0.001):
                pass
            self.under_way_at_stop = self.under_way
            os.kill(os.getpid(), signal.SIGTERM)
