"""granian, asyncio's loop, a process for it."""

from harness.serving import main

main("granian")
