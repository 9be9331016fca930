"""quattro.TaskGroup, background tasks, cancelled."""

import asyncio

import quattro

from harness.idle import Crew, main


async def job(crew: Crew) -> None:
    """Start background tasks in a group, which cancels them when it is left."""

    async def idle() -> None:
        crew.started += 1
        try:
            await asyncio.Future()
        finally:
            crew.ended += 1

    async with quattro.TaskGroup() as group:
        for _ in range(crew.size):
            group.create_background_task(idle())
        await crew.assembled()


main(job)
