"""aiotools.Supervisor, one asyncio.Event."""

import asyncio

import aiotools

from harness.idle import Crew, main


async def job(crew: Crew) -> None:
    """Start the tasks in a supervisor, and set the event that they all wait for."""
    stop = asyncio.Event()

    async def idle() -> None:
        crew.started += 1
        await stop.wait()
        crew.ended += 1

    async with aiotools.Supervisor() as supervisor:
        for _ in range(crew.size):
            supervisor.create_task(idle())
        await crew.assembled()
        stop.set()


if __name__ == "__main__":
    main(job)
