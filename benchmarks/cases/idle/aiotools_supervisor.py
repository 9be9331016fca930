"""aiotools.Supervisor, one asyncio.Event."""

import aiotools

from harness.idle import in_group, main

main(in_group(aiotools.Supervisor))
