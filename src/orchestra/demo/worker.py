"""The worker: does one job after the other."""

from __future__ import annotations

import asyncio
import logging

from orchestra import Context

from .desk import Desk, Job

SECONDS_PER_JOB = 0.03
LAST_MOMENT = 0.5
"""Seconds before its time is over in which it hands in what is left as it is."""

log = logging.getLogger("demo")


class Worker:
    """Takes jobs from the desk and does them; asked to stop, it first does those that wait.

    Nothing comes in any more by then, since the API stops before it. If it should have no time for
    all of them, the rest is handed in undone: written, and not lost.
    """

    def __init__(self, desk: Desk) -> None:
        self.desk = desk

    async def play(self, ctx: Context) -> None:
        """Work until `ctx` is done and no job is left."""
        while (job := await self.next_job(ctx)) is not None:
            left = ctx.remaining()
            if left is None or left > LAST_MOMENT:
                job.result = await work(job.text)
                log.info("job %d is done", job.id)
            self.desk.outbox.put(job)

    async def next_job(self, ctx: Context) -> Job | None:
        """Wait for a job; None when it is time to stop and none waits."""
        inbox = self.desk.inbox
        if not inbox.empty():
            return inbox.get_nowait()
        async with ctx.interrupt():
            return await inbox.get()
        return None


async def work(text: str) -> str:
    """What is to be done with a text: nothing much, but it takes its time."""
    await asyncio.sleep(SECONDS_PER_JOB)
    return text.upper()
