"""anyio task group, one anyio.Event."""

import anyio

from harness.idle import Crew, main


async def job(crew: Crew) -> None:
    """Start the tasks in a group, and set the event that they all wait for."""
    stop = anyio.Event()

    async def idle() -> None:
        crew.started += 1
        await stop.wait()
        crew.ended += 1

    async with anyio.create_task_group() as group:
        for _ in range(crew.size):
            group.start_soon(idle)
        await crew.assembled()
        stop.set()


main(job)
