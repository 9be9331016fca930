"""uvicorn, h11, asyncio's loop."""

from harness.serving import main

main("uvicorn")
