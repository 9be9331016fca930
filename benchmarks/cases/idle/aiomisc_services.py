"""aiomisc.entrypoint, N services, cancelled."""

import asyncio

import aiomisc

from harness.idle import Crew, main


class Idle(aiomisc.Service):
    """A service that runs until its entrypoint cancels it."""

    crew: Crew

    async def start(self) -> None:
        """Say that it runs, and wait."""
        self.start_event.set()
        self.crew.started += 1
        try:
            await asyncio.Future()
        finally:
            self.crew.ended += 1


async def job(crew: Crew) -> None:
    """Enter an entrypoint with the services, which stops them when it is left."""
    services = [Idle(crew=crew) for _ in range(crew.size)]
    async with aiomisc.entrypoint(*services, log_config=False):
        await crew.assembled()


main(job)
