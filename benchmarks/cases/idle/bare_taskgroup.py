"""asyncio.TaskGroup, one asyncio.Event."""

import asyncio

from harness.idle import in_group, main

main(in_group(asyncio.TaskGroup))
