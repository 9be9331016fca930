"""mode.Service with N child services, a task each."""

import mode

from harness.idle import Crew, main


class Idle(mode.Service):
    """A service whose task waits until the service is stopped."""

    def __init__(self, crew: Crew) -> None:
        self.crew = crew
        super().__init__()

    @mode.Service.task
    async def idle(self) -> None:
        """Wait for the stop."""
        self.crew.started += 1
        try:
            while not self.should_stop:
                await self.sleep(3600.0)
        finally:
            self.crew.ended += 1


class Root(mode.Service):
    """The parent of all."""


async def job(crew: Crew) -> None:
    """Start the parent, which starts its children and stops them when it is left."""
    root = Root()
    for _ in range(crew.size):
        root.add_dependency(Idle(crew))
    async with root:
        await crew.assembled()


main(job)
