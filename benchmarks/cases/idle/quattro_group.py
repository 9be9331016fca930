"""quattro.TaskGroup (asyncio's, subclassed), one asyncio.Event."""

import asyncio

import quattro

from harness.idle import Crew, main


async def job(crew: Crew) -> None:
    """Start the tasks in a group, and set the event that they all wait for."""
    stop = asyncio.Event()

    async def idle() -> None:
        crew.started += 1
        await stop.wait()
        crew.ended += 1

    async with quattro.TaskGroup() as group:
        for _ in range(crew.size):
            group.create_task(idle())
        await crew.assembled()
        stop.set()


if __name__ == "__main__":
    main(job)
