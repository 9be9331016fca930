"""quattro.TaskGroup (asyncio's, subclassed), one asyncio.Event."""

import quattro

from harness.idle import in_group, main

main(in_group(quattro.TaskGroup))
