"""uvicorn, h11, asyncio's loop."""

from harness.serving import main

if __name__ == "__main__":
    main("uvicorn")
