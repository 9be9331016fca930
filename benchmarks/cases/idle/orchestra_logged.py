"""orchestra, logging on (INFO to a NullHandler)."""

import asyncio
import logging

from harness.idle import Crew, main
from orchestra import Conductor, Context


async def job(crew: Crew) -> None:
    """Build a conductor, play it, and cancel its context."""

    async def idle(ctx: Context) -> None:
        crew.started += 1
        await ctx.wait()
        crew.ended += 1

    conductor = Conductor({str(i): idle for i in range(crew.size)})
    ctx = Context()
    playing = asyncio.create_task(conductor.play(ctx))
    await crew.assembled()
    ctx.cancel()
    await playing


class CountingHandler(logging.NullHandler):
    """A handler that does nothing but count, so that the case knows that there were records."""

    records = 0

    def handle(self, record: logging.LogRecord) -> bool:
        """Count the record, and drop it."""
        self.records += 1
        return True


def log_to_nowhere() -> CountingHandler:
    """Switch the library's logger on at INFO, with nobody above it."""
    handler = CountingHandler()
    logger = logging.getLogger("orchestra")
    logger.setLevel(logging.INFO)
    logger.propagate = False
    logger.addHandler(handler)
    return handler


if __name__ == "__main__":
    counter = log_to_nowhere()
    main(job, quiet=False)
    if not counter.records:
        raise AssertionError("nothing was logged, so this measured the wrong thing")
