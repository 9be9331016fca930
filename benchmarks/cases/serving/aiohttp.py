"""aiohttp, asyncio's loop."""

from harness.serving import main

main("aiohttp")
