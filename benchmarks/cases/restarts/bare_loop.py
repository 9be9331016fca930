"""a loop with try, except and asyncio.sleep(0)."""

import asyncio

from harness.restarts import Flaky, main


async def job(flaky: Flaky) -> None:
    """Call the function again each time it fails."""
    while True:
        try:
            await flaky.fail(None)
            return
        except Exception:
            await asyncio.sleep(0)


main(job)
